"""Export of networks for other runtimes; a file is kept only if that runtime computes the same outputs from it.

==============  ===========  ==============================  ============
format          name         read by                         batch
==============  ===========  ==============================  ============
``litert``      ``.tflite``  LiteRT's own operations alone   1
``onnx``        ``.onnx``    ONNX Runtime                    any
``saved_model`` a folder     TensorFlow, TensorFlow Serving  any
``keras``       ``.keras``   Keras, with lstmzoo installed   any
==============  ===========  ==============================  ============

``<file>.json`` beside the file has the names, shapes and dtypes of inputs and outputs, and the caller's metadata.
"""

import contextlib
import importlib
import json
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import keras
import numpy as np

from lstmzoo._version import __version__
from lstmzoo.errors import ConfigError, DataError, SavedModelError, UnknownNameError
from lstmzoo.folders import sync_folder
from lstmzoo.outputs import check_place

ExportFormat = Literal["litert", "onnx", "saved_model", "keras"]
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)

RTOL = 1e-4
ATOL = 1e-5  # of the largest output

_SUFFIXES = {"litert": ".tflite", "onnx": ".onnx", "saved_model": "", "keras": ".keras"}
_PACKAGES = {"litert": ("ai_edge_litert.interpreter",), "onnx": ("onnx", "tf2onnx", "onnxruntime")}

Inputs = dict[str, np.ndarray]


@dataclass(frozen=True)
class ExportReport:
    """The result of an export.

    Attributes:
        path: File or folder of the export.
        format: One of :data:`FORMATS`.
        num_bytes: Size of the export.
        difference: Largest absolute difference of its outputs from the network's.
        seconds: Seconds that the export took.
    """

    path: Path
    format: str
    num_bytes: int
    difference: float
    seconds: float


def export_model(
    model: keras.Model,
    path: str | Path,
    format: ExportFormat,
    inputs: Inputs,
    metadata: dict[str, Any] | None = None,
) -> ExportReport:
    """Write a network for another runtime, run it there, and compare its outputs.

    Args:
        model: A functional model whose inputs are a dict.
        path: File or folder to write, which must not exist. The table of this module has the suffixes.
        format: ``litert``, ``onnx``, ``saved_model`` or ``keras``.
        inputs: Arrays ``(B, ...)`` by name, on which outputs are compared; inputs that the model lacks are ignored.
        metadata: JSON for ``<path>.json``.

    Raises:
        UnknownNameError: If there is no such format.
        ConfigError: If the suffix is not the format's, the path cannot be written, a package is missing, or the backend or the
            network does not support the format.
        DataError: If an input is missing.
        SavedModelError: If the path exists, or an output differs by more than :data:`RTOL` of itself plus :data:`ATOL` of the
            largest; nothing is written then.

    Examples:
        >>> import tempfile
        >>> window = keras.Input((8, 1), name="window")
        >>> model = keras.Model({"window": window}, keras.layers.GRU(2, name="rnn")(window))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     report = export_model(model, f"{folder}/gru.keras", "keras", {"window": np.ones((3, 8, 1))})
        ...     sorted(file.name for file in Path(folder).iterdir()), report.difference < 1e-5
        (['gru.keras', 'gru.keras.json'], True)
    """
    started = time.perf_counter()
    if format not in FORMATS:
        raise UnknownNameError("export format", format, FORMATS)
    path = Path(path)
    side = path.with_name(f"{path.name}.json")
    _check_path(path, side, format)
    _check_environment(format)
    inputs = _named_inputs(model, inputs)
    expected = _outputs(model.predict_on_batch(inputs))
    path.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        artefact = staging / path.name
        taken, outputs = _convert(model, artefact, format, inputs)
        difference = _compare(outputs, expected, path, format)
        (staging / side.name).write_text(_document(format, taken, outputs, metadata), encoding="utf-8")
        num_bytes = sum(file.stat().st_size for file in _files(artefact))
        _move((staging / side.name, side), (artefact, path))
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return ExportReport(path, format, num_bytes, difference, time.perf_counter() - started)


def _check_path(path: Path, side: Path, format: str) -> None:
    if path.suffix != _SUFFIXES[format]:
        ending = f"end in {_SUFFIXES[format]}" if _SUFFIXES[format] else "be that of a folder, without a suffix"
        raise ConfigError(f"the path of a {format} export must {ending}, got {path}")
    check_place(path, "path")
    for taken in (path, side):
        if os.path.lexists(taken):
            raise SavedModelError(f"{taken} exists: choose another path, or remove it")


def _check_environment(format: str) -> None:
    backend = keras.backend.backend()
    if format != "keras" and backend != "tensorflow":
        raise ConfigError(
            f"an export to {format} needs the Keras backend tensorflow, not {backend}: save the estimator, and export it in a "
            "process with KERAS_BACKEND=tensorflow; any backend can write the format keras"
        )
    for name in _PACKAGES.get(format, ()):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"an export to {format} needs the package {error.name}: pip install 'lstmzoo[export]'"
            ) from None


def _named_inputs(model: keras.Model, inputs: Inputs) -> Inputs:
    """The arrays for the model's inputs, in its dtypes."""
    if not isinstance(model.input, dict):
        raise ConfigError(f"the inputs of an exported model must be a dict, but those of {model.name} are not")
    missing = sorted(set(model.input) - set(inputs))
    if missing:
        raise DataError(f"the model {model.name} needs an input {missing[0]!r}: pass it in inputs")
    return {name: np.asarray(inputs[name], dtype=tensor.dtype) for name, tensor in model.input.items()}


def _convert(model: keras.Model, path: Path, format: str, inputs: Inputs) -> tuple[Inputs, Inputs]:
    """Write, read again and run a model; return the inputs that it took and the outputs."""
    try:
        with _quiet():
            _WRITERS[format](model, path)
            return _RUNNERS[format](path, inputs)
    except Exception as error:
        reason = str(error).strip().splitlines()
        raise ConfigError(
            f"{model.name} cannot be exported to {format}: {type(error).__name__}: {reason[0] if reason else ''}"
        ) from error


def _compare(outputs: Inputs, expected: Inputs, path: Path, format: str) -> float:
    """Return the largest absolute difference. Outputs are compared in order, since formats rename them."""
    largest = 0.0
    for found, right in zip(outputs.values(), expected.values(), strict=True):
        if found.shape != right.shape:
            raise SavedModelError(
                f"{path} was not written: the {format} export returns {found.shape}, but the model {right.shape}"
            )
        difference, size = np.abs(found - right), np.abs(right).max(initial=0.0)
        if not (difference <= RTOL * np.abs(right) + ATOL * size).all():  # refuses NaN too
            raise SavedModelError(
                f"{path} was not written: the outputs of the {format} export differ from the model's by up to "
                f"{difference.max():.3g}, where the largest is {size:.3g}"
            )
        largest = max(largest, float(difference.max(initial=0.0)))
    return largest


def _document(format: str, inputs: Inputs, outputs: Inputs, metadata: dict[str, Any] | None) -> str:
    batch = 1 if format == "litert" else None

    def described(arrays: Inputs) -> dict[str, Any]:
        return {name: {"shape": [batch, *a.shape[1:]], "dtype": a.dtype.name} for name, a in arrays.items()}

    document = {
        "lstmzoo": __version__,
        "format": format,
        "inputs": described(inputs),
        "outputs": described(outputs),
        "metadata": metadata or {},
    }
    return json.dumps(document, indent=1, allow_nan=False)


def _move(*moves: tuple[Path, Path]) -> None:
    """Rename all, the export itself last, or none if one fails."""
    for source, _ in moves:
        for file in _files(source):
            with open(file, "rb+") as handle:
                os.fsync(handle.fileno())
    moved: list[Path] = []
    try:
        for source, target in moves:
            if os.path.lexists(target):
                raise SavedModelError(f"{target} exists: choose another path, or remove it")
            source.rename(target)
            moved.append(target)
    except BaseException:
        for target in moved:
            target.unlink()
        raise
    sync_folder(moves[-1][1].parent)


def _files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]


def _write_litert(model: keras.Model, path: Path) -> None:
    """Write batches of one; loops become LiteRT's own operations only if the batch size is known."""
    model = _single_item(model)
    signature = [{name: keras.InputSpec(shape=x.shape, dtype=x.dtype, name=name) for name, x in model.input.items()}]
    model.export(path, format="litert", verbose=False, input_signature=signature)


def _single_item(model: keras.Model) -> keras.Model:
    """Return the same layers for batches of exactly one item.

    Keras on TensorFlow mistakes an addend (1, H, 1) for a bias over channels. LiteRT's converter refuses it or, with H
    channels, adds it along the wrong axis. ``a + b`` is therefore written as ``a - (-b)``.
    """

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        if type(operation) is addition:
            return args[0] - (-args[1])
        return operation(*args, **kwargs)

    x = keras.Input((1,))
    addition = type(keras.Model(x, x + x).operations[-1])
    single = {
        name: keras.Input(batch_shape=(1, *x.shape[1:]), dtype=x.dtype, name=name) for name, x in model.input.items()
    }
    uncompiled = keras.Model(model.input, model.output, name=model.name)
    return keras.models.clone_model(
        uncompiled, input_tensors=single, clone_function=lambda layer: layer, call_function=call, recursive=True
    )


def _run_litert(path: Path, inputs: Inputs) -> tuple[Inputs, Inputs]:
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(model_content=path.read_bytes()).get_signature_runner()
    taken = {name: inputs[name] for name in run.get_input_details()}
    items = range(len(next(iter(taken.values()))))
    answers = [run(**{name: array[i : i + 1] for name, array in taken.items()}) for i in items]
    return taken, {name: np.concatenate([answer[name] for answer in answers]) for name in sorted(answers[0])}


def _write_onnx(model: keras.Model, path: Path) -> None:
    model.export(path, format="onnx", verbose=False)


def _run_onnx(path: Path, inputs: Inputs) -> tuple[Inputs, Inputs]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    taken = {tensor.name: inputs[tensor.name] for tensor in session.get_inputs()}
    names = [tensor.name for tensor in session.get_outputs()]
    return taken, dict(zip(names, session.run(names, taken), strict=True))


def _write_saved_model(model: keras.Model, path: Path) -> None:
    model.export(path, format="tf_saved_model", verbose=False)


def _run_saved_model(path: Path, inputs: Inputs) -> tuple[Inputs, Inputs]:
    layer = keras.layers.TFSMLayer(path, call_endpoint="serve", trainable=False, name="exported")
    return inputs, _outputs(layer(inputs))


def _write_keras(model: keras.Model, path: Path) -> None:
    keras.Model(model.input, model.output, name=model.name).save(path)


def _run_keras(path: Path, inputs: Inputs) -> tuple[Inputs, Inputs]:
    return inputs, _outputs(keras.models.load_model(path, safe_mode=True).predict_on_batch(inputs))


def _outputs(answer: Any) -> Inputs:
    """The outputs by name, sorted by name."""
    named = answer if isinstance(answer, dict) else {"output_0": answer}
    return {name: keras.ops.convert_to_numpy(named[name]) for name in sorted(named)}


_WRITERS: dict[str, Callable[[keras.Model, Path], None]] = {
    "litert": _write_litert,
    "onnx": _write_onnx,
    "saved_model": _write_saved_model,
    "keras": _write_keras,
}
_RUNNERS: dict[str, Callable[[Path, Inputs], tuple[Inputs, Inputs]]] = {
    "litert": _run_litert,
    "onnx": _run_onnx,
    "saved_model": _run_saved_model,
    "keras": _run_keras,
}


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hide the converters' warnings about their own code."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy keyword", DeprecationWarning)
        yield
