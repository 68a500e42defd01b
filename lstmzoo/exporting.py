"""One-way export of a network to a file that other runtimes read; a file appears only after its numbers were compared.

==============  ===========  ==============================  ============
format          name         read by                         batch
==============  ===========  ==============================  ============
``litert``      ``.tflite``  LiteRT's own operations alone   1
``onnx``        ``.onnx``    ONNX Runtime                    any
``saved_model`` a folder     TensorFlow, TensorFlow Serving  any
``keras``       ``.keras``   Keras, with lstmzoo beside it   any
==============  ===========  ==============================  ============

Beside the file, ``<file>.json`` says what its inputs and outputs are, and holds what the caller wants to go with it.
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
    """What an export gave.

    Attributes:
        path: The file, or the folder.
        format: One of :data:`FORMATS`.
        num_bytes: Its size.
        difference: Largest absolute difference of its outputs from the network's.
        seconds: Taken.
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
    """Write a network for another runtime, run what was written by that runtime, and compare its outputs.

    Args:
        model: A functional model whose inputs are a dict.
        path: What to write; nothing may be there. See the table of this module for the ending of its name.
        format: ``litert``, ``onnx``, ``saved_model`` or ``keras``.
        inputs: Arrays ``(B, ...)`` by name to compare the outputs on; names that the model does not have are ignored.
        metadata: JSON that goes into ``<path>.json``, beside the names, shapes and dtypes of inputs and outputs.

    Raises:
        UnknownNameError: If there is no such format.
        ConfigError: If the name's ending is not the format's, nothing can be written there, a package is missing, the backend
            cannot write the format, or the network is made of what the format does not have.
        DataError: If an input is missing.
        SavedModelError: If the path exists, or the outputs differ by more than :data:`RTOL` of each, plus :data:`ATOL` of the
            largest; then nothing is written.

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
        ending = f"ends in {_SUFFIXES[format]}" if _SUFFIXES[format] else "is that of a folder, without an ending"
        raise ConfigError(f"the name of a {format} export {ending}: got {path}")
    check_place(path, "path")
    for taken in (path, side):
        if os.path.lexists(taken):
            raise SavedModelError(f"{taken} exists: choose another path, or remove it")


def _check_environment(format: str) -> None:
    backend = keras.backend.backend()
    if format != "keras" and backend != "tensorflow":
        raise ConfigError(
            f"an export to {format} needs Keras' backend tensorflow, and this is {backend}: save the estimator, and export it "
            "in a process with KERAS_BACKEND=tensorflow; the format keras is written by any backend"
        )
    for name in _PACKAGES.get(format, ()):
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            raise ConfigError(
                f"an export to {format} needs the package {error.name}: pip install 'lstmzoo[export]'"
            ) from None


def _named_inputs(model: keras.Model, inputs: Inputs) -> Inputs:
    """The arrays that the model takes, of its dtypes."""
    if not isinstance(model.input, dict):
        raise ConfigError(f"a model is exported by the names of its inputs, but those of {model.name} are no dict")
    missing = sorted(set(model.input) - set(inputs))
    if missing:
        raise DataError(f"the model {model.name} takes an input {missing[0]!r}, which was not given")
    return {name: np.asarray(inputs[name], dtype=tensor.dtype) for name, tensor in model.input.items()}


def _convert(model: keras.Model, path: Path, format: str, inputs: Inputs) -> tuple[Inputs, Inputs]:
    """Write, read again and run: the inputs that were taken, and the outputs."""
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
    """The largest absolute difference; outputs are in the same order, whatever the format calls them."""
    largest = 0.0
    for found, right in zip(outputs.values(), expected.values(), strict=True):
        if found.shape != right.shape:
            raise SavedModelError(
                f"{path} was not written: the {format} export gives {found.shape}, and the model {right.shape}"
            )
        difference, size = np.abs(found - right), np.abs(right).max(initial=0.0)
        if not (difference <= RTOL * np.abs(right) + ATOL * size).all():  # nor is NaN
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
    """Rename each, the last one being what the export is known by; none, if one fails."""
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
    """Batches of one: only with a known size do the loops become LiteRT's own operations."""
    model = _single_item(model)
    signature = [{name: keras.InputSpec(shape=x.shape, dtype=x.dtype, name=name) for name, x in model.input.items()}]
    model.export(path, format="litert", verbose=False, input_signature=signature)


def _single_item(model: keras.Model) -> keras.Model:
    """The same layers for batches of exactly one item.

    Keras on TensorFlow takes the addend (1, H, 1) for a bias over channels, which it is only if the batch is 1, and which
    LiteRT's converter refuses or, if there are H channels, adds along the wrong axis: so ``a + b`` is made ``a - (-b)``.
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
        uncompiled, input_tensors=single, clone_function=lambda layer: layer, call_function=call
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
    """By name, in the order of the names."""
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
    """Without the warnings of the converters about their own code."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "In the future `np.object`", FutureWarning)
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy keyword", DeprecationWarning)
        yield
