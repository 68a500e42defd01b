"""Plugins: modules of your own, whose builders, estimators and tasks the package knows wherever it runs.

They are named by the environment variable ``LSTMZOO_MODULES`` (module names, or paths of ``.py`` files, separated as ``PATH``
is), or by an installed package's entry points of the group ``lstmzoo.models``. Child processes inherit the variable,
so that the command line, workers and ``mlflow models serve`` know the plugins too.
"""

import hashlib
import importlib
import importlib.util
import os
import pkgutil
import sys
import threading
from collections.abc import Container
from importlib.metadata import entry_points
from pathlib import Path

from lstmzoo.errors import ConfigError

MODULES, GROUP = "LSTMZOO_MODULES", "lstmzoo.models"
WAY_OUT = (
    f"import the module that defines it, name the module in {MODULES}, or install a package that has it as an entry point of "
    f"the group {GROUP}"
)

_importing = (
    threading.RLock()
)  # a module is in sys.modules before it has run; one that is imported may itself ask for others


def look_for(name: str, known: Container[str], package: str) -> None:
    """Import the modules that may register a name: those of a package, then those of plugins, while the name is unknown.

    Raises:
        ConfigError: If a plugin cannot be imported.
    """
    if name not in known:
        import_modules(package)
    if name not in known:
        import_plugins()


def import_modules(package: str) -> None:
    """Import all modules of a package, so that what they define is registered."""
    for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
        importlib.import_module(f"{package}.{module.name}")


def import_plugins() -> None:
    """Import all plugins, each once.

    Raises:
        ConfigError: If a plugin cannot be imported; the message says where it is named, and why.
    """
    for name in os.environ.get(MODULES, "").split(os.pathsep):
        if name:
            _import(name, f"{MODULES} names {name!r}")
    for point in sorted(entry_points(group=GROUP), key=lambda point: point.value):
        _import(point.module, f"the entry point {point.name!r} of the group {GROUP} names {point.module!r}")


def _import(name: str, where: str) -> None:
    try:
        if name.endswith(".py"):
            with _importing:
                _import_file(Path(name).absolute())
        else:
            importlib.import_module(name)
    except Exception as error:  # a plugin may raise anything
        raise ConfigError(f"{where}, which cannot be imported: {type(error).__name__}: {error}") from error


def _import_file(path: Path) -> None:
    """Import a file under a unique module name, so that files of the same name do not clash."""
    name = f"_lstmzoo_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
