"""Recurrent layers by the name of their cell."""

from typing import Any, Literal

import keras

from lstmzoo.layers import GRU, LSTM, MLSTM, SLSTM, MinGRU, MinLSTM, SimpleRNN

Cell = Literal["simple_rnn", "lstm", "gru", "min_lstm", "min_gru", "slstm", "mlstm"]
MaskedCell = Literal["simple_rnn", "lstm", "gru"]  # can skip padding
GatedCell = Literal["lstm", "gru"]

_LAYERS: dict[str, type[keras.layers.Layer]] = {
    "simple_rnn": SimpleRNN,
    "lstm": LSTM,
    "gru": GRU,
    "min_lstm": MinLSTM,
    "min_gru": MinGRU,
    "slstm": SLSTM,
    "mlstm": MLSTM,
}


def recurrent(cell: Cell, units: int, *, name: str, **kwargs: Any) -> keras.layers.Layer:
    """Make the recurrent layer of a cell."""
    return _LAYERS[cell](units, name=name, **kwargs)
