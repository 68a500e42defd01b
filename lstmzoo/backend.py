"""What differs between Keras' backends."""

import keras


def jit_compile() -> bool | str:
    """XLA on CPUs, where Keras leaves TensorFlow without it; elsewhere what Keras chooses, such as cuDNN on GPUs."""
    on_cpu = keras.backend.backend() == "tensorflow" and not keras.distribution.list_devices("gpu")
    return True if on_cpu else "auto"
