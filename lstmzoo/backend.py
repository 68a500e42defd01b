"""What differs between Keras' backends."""

import math

import keras

_STEPS_THAT_PAY = 200  # compiling by XLA takes as long as so many steps of a small network


def jit_compile(steps: float = math.inf) -> bool | str:
    """Whether to compile what runs for so many steps.

    XLA on CPUs, where Keras leaves TensorFlow without it; on GPUs what Keras chooses, such as cuDNN. On JAX, where what is not
    compiled runs one operation at a time, always; on torch never: ``torch.compile`` unrolls the steps of a sequence.
    """
    if keras.backend.backend() != "tensorflow":
        return "auto"
    if steps < _STEPS_THAT_PAY:
        return False
    return "auto" if keras.distribution.list_devices("gpu") else True
