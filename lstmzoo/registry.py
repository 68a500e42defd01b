"""The registry of builders.

A *builder* is a function ``(spec, *, hyperparameters) -> keras.Model`` that returns an uncompiled model. The
decorator :func:`register_model` makes it available to zoo entries. The modules of :mod:`lstmzoo.models`, and then plugins, are
imported when a builder is not known yet.
"""

import inspect
import os
from collections.abc import Callable
from typing import Any, get_type_hints

from pydantic import TypeAdapter, ValidationError

from lstmzoo.errors import ConfigError, UnknownNameError
from lstmzoo.plugins import WAY_OUT, look_for

Builder = Callable[..., Any]

_BUILDERS: dict[str, Builder] = {}


def register_model(fn: Builder) -> Builder:
    """Make a builder available to zoo entries under its function name.

    A function of the same file and qualified name replaces the registered one, so that a module can be imported again.

    Raises:
        ValueError: If the name is taken by another function; :func:`unregister_model` frees it.
        TypeError: If a hyperparameter is positional or has a default; defaults live in the zoo configs.

    Examples:
        >>> @register_model
        ... def my_topology(spec, *, units):
        ...     ...
        >>> hyperparameter_names("my_topology")
        ('units',)
        >>> _ = unregister_model("my_topology")
    """
    known = _BUILDERS.get(fn.__name__)
    if known is not None and (known is fn or _place(known) is None or _place(known) != _place(fn)):
        raise ValueError(
            f"{fn.__name__!r} is already registered by {known.__module__}: choose another name, or call unregister_model first"
        )
    for parameter in list(inspect.signature(fn).parameters.values())[1:]:
        if parameter.kind is not parameter.KEYWORD_ONLY or parameter.default is not parameter.empty:
            raise TypeError(f"{fn.__name__}: {parameter.name!r} must be keyword-only and have no default")
    _BUILDERS[fn.__name__] = fn
    return fn


def unregister_model(name: str) -> Builder:
    """Remove a builder from the registry, and return it."""
    return _BUILDERS.pop(name)


def get_builder(name: str) -> Builder:
    """Return the builder of a name.

    Raises:
        UnknownNameError: If there is no such builder; the message lists the names.
        ConfigError: If a plugin that may define it cannot be imported.
    """
    look_for(name, _BUILDERS, "lstmzoo.models")
    if name not in _BUILDERS:
        raise UnknownNameError("builder", name, _BUILDERS, hint=f"for one of your own, {WAY_OUT}")
    return _BUILDERS[name]


def build_model(name: str, spec: Any, hyperparameters: dict[str, Any]) -> Any:
    """Build an uncompiled model, after checking the hyperparameters against the builder's annotations.

    Raises:
        UnknownNameError: If there is no such builder.
        ConfigError: If a hyperparameter is missing, unknown, or not of the annotated type or range.
    """
    builder = get_builder(name)
    hints = get_type_hints(builder, include_extras=True)
    expected = hyperparameter_names(name)
    odd = sorted(set(expected) ^ set(hyperparameters))
    if odd:
        raise ConfigError(
            f"{name} takes the hyperparameters {', '.join(expected)}; missing or unknown: {', '.join(odd)}"
        )
    for key, value in hyperparameters.items():
        try:
            TypeAdapter(hints.get(key, Any)).validate_python(value, strict=True)
        except ValidationError as error:
            raise ConfigError(f"{key}: {error.errors()[0]['msg']}, got {value!r}") from None
    return builder(spec, **hyperparameters)


def hyperparameter_names(name: str) -> tuple[str, ...]:
    """Return the keyword-only parameters of a builder, in order."""
    return tuple(inspect.signature(get_builder(name)).parameters)[1:]


def _place(fn: Builder) -> tuple[str, str] | None:
    """Return the file and the qualified name of a function; None for another callable."""
    fn = inspect.unwrap(fn)
    code = getattr(fn, "__code__", None)
    return code and (os.path.realpath(code.co_filename), fn.__qualname__)
