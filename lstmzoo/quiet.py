"""Importing Keras without the start-up lines that TensorFlow writes to standard error."""

import contextlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterator

from lstmzoo.environ import environment

_importing = threading.Lock()
_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
_START_UP = re.compile(
    rb"(WARNING: All log messages before absl::InitializeLog|[IW]\d{4} |\d{4}-\d\d-\d\d [\d:.]+: [IW] )[^\n]*\n?"
)


def import_keras() -> None:
    """Import Keras and its backend, without TensorFlow's start-up lines unless ``TF_CPP_MIN_LOG_LEVEL`` is below 3."""
    with _importing:  # otherwise one thread could restore the other's standard error
        if "keras" in sys.modules:
            return
        if os.environ.get(_LEVEL) not in (None, "3"):
            import keras
        else:
            with environment(**{_LEVEL: "3"}), _without_start_up_lines():
                import keras
        del keras


@contextlib.contextmanager
def _without_start_up_lines() -> Iterator[None]:
    """Capture file descriptor 2, and write all but start-up lines afterwards; write everything if there is an exception."""
    try:
        saved = os.dup(2)
    except OSError:  # a process without standard error, such as a daemon
        yield
        return
    if sys.stderr is not None:
        sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        left_out = _START_UP
        try:
            yield
        except BaseException:
            left_out = re.compile(rb"(?!)")  # nothing
            raise
        finally:
            os.dup2(saved, 2)
            file.seek(0)
            os.write(saved, left_out.sub(b"", file.read()))
            os.close(saved)
