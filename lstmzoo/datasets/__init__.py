"""Example data: series, texts and sentence pairs. ``load_*`` need no download; ``fetch_*`` download once and cache.

Frames are long: one row per series (``unique_id``) and time (``ds``), the value in ``y``. No value is missing, and time steps
are regular. A corpus is a list of texts; sentence pairs are two lists of sentences.
"""

from lstmzoo.datasets.air_passengers import fetch_air_passengers
from lstmzoo.datasets.bundled import load_climate, load_macro, load_sunspots
from lstmzoo.datasets.dates import load_dates
from lstmzoo.datasets.ett import EttData, fetch_ett
from lstmzoo.datasets.m4 import M4Data, fetch_m4
from lstmzoo.datasets.pairs import PairData, Pairs, fetch_iwslt15, fetch_multi30k, fetch_tatoeba, read_pairs
from lstmzoo.datasets.synthetic import generate_seasonal
from lstmzoo.datasets.text import (
    TextData,
    fetch_penn_treebank,
    fetch_text8,
    fetch_tiny_shakespeare,
    fetch_wikitext2,
    load_python_reference,
)

__all__ = [
    "EttData",
    "M4Data",
    "PairData",
    "Pairs",
    "TextData",
    "fetch_air_passengers",
    "fetch_ett",
    "fetch_iwslt15",
    "fetch_m4",
    "fetch_multi30k",
    "fetch_penn_treebank",
    "fetch_tatoeba",
    "fetch_text8",
    "fetch_tiny_shakespeare",
    "fetch_wikitext2",
    "generate_seasonal",
    "load_climate",
    "load_dates",
    "load_macro",
    "load_python_reference",
    "load_sunspots",
    "read_pairs",
]
