"""Types of hyperparameters, and recurrent layers by the name of their cell."""

from typing import Annotated, Any, Literal

import keras
from pydantic import Field

from lstmzoo.layers import GRU, LSTM, MLSTM, SLSTM, MinGRU, MinLSTM, SimpleRNN

# The values of a zoo config are checked against these types.
Count = Annotated[int, Field(gt=0)]
Rate = Annotated[float, Field(ge=0, lt=1)]
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
