"""lstmzoo's LSTM, GRU and SimpleRNN and Keras' own: the time of a training step, in one run.

A layer between inputs and a mean is compiled as lstmzoo compiles (XLA on CPUs). The two sides take turns, step by
step, so that both meet the same conditions. The ratio is of the medians.
"""

import statistics
import time

import keras
import numpy as np
from _report import parser, progress, setting, table

from lstmzoo import layers
from lstmzoo.backend import jit_compile

SHAPES = {
    "language model: 64 x 35, 256 to 256 units": (64, 35, 256, 256),
    "forecaster: 64 x 48, 8 to 64 units": (64, 48, 8, 64),
    "translator: 64 x 16, 256 to 256 units": (64, 16, 256, 256),
}
NAMES = ("LSTM", "GRU", "SimpleRNN")


def main() -> None:
    made = parser(__doc__)
    made.add_argument("--steps", type=int, default=60, help="steps of each side, after five that are not counted")
    args = made.parse_args()
    steps = 3 if args.smoke else args.steps
    rows = []
    for title, (batch, length, features, units) in SHAPES.items():
        x = np.random.default_rng(0).normal(size=(batch, length, features)).astype("float32")
        for name in NAMES:
            sides = {
                "keras": trainable(getattr(keras.layers, name)(units, return_sequences=True), x),
                "lstmzoo": trainable(getattr(layers, name)(units, return_sequences=True), x),
            }
            found: dict[str, list[float]] = {side: [] for side in sides}
            for step in range(5 + steps):
                for side, model in sides.items():
                    started = time.perf_counter()
                    model.train_on_batch(x, x[:, :1, :1])
                    if step >= 5:
                        found[side].append(1000 * (time.perf_counter() - started))
            ours, theirs = (statistics.median(found[side]) for side in ("lstmzoo", "keras"))
            rows.append([title, name, f"{theirs:.1f}", f"{ours:.1f}", f"{ours / theirs:.2f}"])
            progress(" ".join(rows[-1]))
    print(table(["shape", "layer", "keras, ms a step", "lstmzoo, ms a step", "lstmzoo over keras"], rows) + "\n")
    print(setting(seeds=[0], smoke=args.smoke))


def trainable(layer: keras.layers.Layer, x: np.ndarray) -> keras.Model:
    keras.utils.set_random_seed(0)
    inputs = keras.Input(x.shape[1:])
    model = keras.Model(inputs, keras.ops.mean(layer(inputs), axis=(1, 2), keepdims=True))
    model.compile(optimizer="adam", loss="mse", jit_compile=jit_compile())
    return model


if __name__ == "__main__":
    main()
