"""Tokenizers: words, characters, pieces of words, bytes, and pretrained ones."""

from lstmzoo.preprocessing.tokens._base import Bytes, checked_ids
from lstmzoo.preprocessing.tokens.pieces import Bpe, Unigram
from lstmzoo.preprocessing.tokens.pretrained import Pretrained
from lstmzoo.preprocessing.tokens.words import Characters, Words

__all__ = ["Bpe", "Bytes", "Characters", "Pretrained", "Unigram", "Words", "checked_ids"]
