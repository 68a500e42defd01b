"""Preprocessing that is fitted and can be inverted: panels, windows, texts and pairs."""

from lstmzoo.panel import Columns, Panel, stack
from lstmzoo.preprocessing.buckets import LengthBatches, PairBatches, batches_by_length, padded_sentences
from lstmzoo.preprocessing.channels import CALENDAR, Channels, calendar_features, check_calendar, usual_calendar
from lstmzoo.preprocessing.corpus import Corpus, TextSizes, check_pairs, check_sentences
from lstmzoo.preprocessing.frames import (
    Form,
    assemble,
    eager_frame,
    forecast_frame,
    panel_frame,
    plain_times_of,
    read_ids,
    series_frame,
    series_times,
    user_time,
)
from lstmzoo.preprocessing.future import Ahead, ahead_of, make_future_frame, read_future
from lstmzoo.preprocessing.missing import filled, with_known_filled
from lstmzoo.preprocessing.observed import any_observed, check_observed, observed_values
from lstmzoo.preprocessing.reading import continued, read_panel
from lstmzoo.preprocessing.scaling import Scale
from lstmzoo.preprocessing.seasonality import Season, find_seasons, usual_seasons
from lstmzoo.preprocessing.selection import future_of, series_numbers
from lstmzoo.preprocessing.streams import (
    StreamBatches,
    in_rows,
    most_calls,
    most_members,
    pad_streams,
    pad_window,
    side_by_side,
    softmax_cutoffs,
    token_counts,
)
from lstmzoo.preprocessing.text import PairPreprocessor, TextPreprocessor, tokenizer_name
from lstmzoo.preprocessing.windows import WindowPreprocessor, Windows
from lstmzoo.timestamps import user_times, wall_times
from lstmzoo.timesteps import fixed_step, is_shorter_than_a_day, time_text

__all__ = [
    "CALENDAR", "Ahead", "Channels", "Columns", "Corpus", "Form", "LengthBatches", "PairBatches",
    "PairPreprocessor", "Panel", "Scale", "Season", "StreamBatches", "TextPreprocessor", "TextSizes",
    "WindowPreprocessor", "Windows", "ahead_of", "any_observed", "assemble", "batches_by_length", "calendar_features",
    "check_calendar", "check_observed", "check_pairs", "check_sentences", "continued", "eager_frame", "filled", "find_seasons",
    "fixed_step", "forecast_frame", "future_of", "in_rows", "is_shorter_than_a_day", "make_future_frame", "most_calls",
    "most_members", "observed_values", "pad_streams", "pad_window", "padded_sentences", "panel_frame", "plain_times_of",
    "read_future", "read_ids", "read_panel", "series_frame", "series_numbers", "series_times", "side_by_side",
    "softmax_cutoffs", "stack", "time_text", "token_counts", "tokenizer_name", "user_time", "user_times",
    "usual_calendar", "usual_seasons", "wall_times", "with_known_filled",
]  # fmt: skip
