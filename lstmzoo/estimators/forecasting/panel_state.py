"""The series of a saved forecaster, as JSON and arrays."""

from dataclasses import fields
from typing import Any

import numpy as np

from lstmzoo.dtypes import is_dtype
from lstmzoo.errors import SavedModelError
from lstmzoo.estimators._base import PREPROCESSOR, STATE, Learned, Parts
from lstmzoo.preprocessing import Columns, Form, Panel


class LearnedPanel(Learned):
    """The attributes ``tail_`` and ``form_``: the series that forecasts begin from, and what the user passed."""

    def save(self, estimator: Any, parts: Parts) -> None:
        """Put the series into the parts."""
        document, arrays = panel_state(estimator.tail_, estimator.form_)
        parts[PREPROCESSOR]["panel"] = document
        parts[STATE] |= arrays

    def restore(self, estimator: Any, parts: Parts) -> None:
        """Give the estimator the series, checked by the names of its columns."""
        columns = estimator.params_.columns
        estimator.tail_, estimator.form_ = restored_panel(parts[PREPROCESSOR]["panel"], parts[STATE], columns)


def panel_state(panel: Panel, form: Form) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return a filled panel and the form of the user's series as JSON and arrays."""
    document = {
        "ids": [i.item() if isinstance(i, np.generic) else i for i in panel.ids],
        "freq": panel.freq, "tz": panel.tz, "form": vars(form), "irregular": panel.irregular,
        "static": panel.static.tolist(), "labels": panel.labels,
    }  # fmt: skip
    times = panel.times if panel.times.dtype == np.int64 else panel.times.astype("datetime64[us]").astype(np.int64)
    arrays = {"values": panel.values, "times": times, "offsets": panel.offsets.astype(np.int64)}
    arrays |= {"past": panel.past, "known": panel.known}
    if panel.observed is not None:
        arrays["observed"] = panel.observed
    if panel.own is not None:
        arrays["own_times"] = np.stack(panel.own).astype("datetime64[us]").astype(np.int64)
    return document, arrays


def restored_panel(document: dict[str, Any], arrays: dict[str, np.ndarray], columns: Columns) -> tuple[Panel, Form]:
    """Return the panel and the form that :func:`panel_state` was given.

    Raises:
        SavedModelError: If an array has a wrong type or shape, or a series is incomplete.
    """
    values, times, offsets = arrays["values"], arrays["times"], arrays["offsets"]
    kinds = (values.dtype, times.dtype, offsets.dtype) == (np.float64, np.int64, np.int64)
    if not kinds or not values.ndim == times.ndim == offsets.ndim == 1 or values.shape != times.shape:
        raise SavedModelError("state.safetensors: the series have wrong types or shapes")
    whole = len(offsets) == len(document["ids"]) + 1 and offsets[0] == 0 and offsets[-1] == len(values)
    if not whole or (np.diff(offsets) < 1).any() or not np.isfinite(values).all():
        raise SavedModelError("state.safetensors: the series are incomplete")
    past, known, observed = arrays["past"], arrays["known"], arrays.get("observed")
    for name, covariates, names in (("past", past, columns.past), ("known", known, columns.known)):
        if covariates.shape != (len(values), len(names)) or covariates.dtype != np.float64:
            raise SavedModelError(f"state.safetensors: the {name} covariates have a wrong type or shape")
        _check_codes(covariates, names, document["labels"])
    if observed is not None and (observed.shape != values.shape or observed.dtype != np.bool_):
        raise SavedModelError("state.safetensors: 'observed' has a wrong type or shape")
    own = arrays.get("own_times")
    if own is not None and (own.ndim != 2 or len(own) != 2 or own.dtype != np.int64):
        raise SavedModelError("state.safetensors: 'own_times' has a wrong type or shape")
    freq = document["freq"]
    ids = np.array([None, *document["ids"]], dtype=object)[1:]
    static = np.empty((len(ids), len(columns.static)), dtype=object)
    for i, row in enumerate(document["static"]):
        static[i] = row
    times = times if isinstance(freq, int) else times.astype("datetime64[us]")
    stamps = None if own is None else own.astype("datetime64[us]")
    panel = Panel(
        ids, offsets, values, times, freq, document["tz"], observed, past, known, static, document["irregular"],
        labels=document["labels"],
        own=None if stamps is None else (stamps[0], stamps[1]),
    )  # fmt: skip
    return panel, _restored_form(document["form"])


def _check_codes(covariates: np.ndarray, names: tuple[str, ...], labels: dict[str, list[str]]) -> None:
    for i, name in enumerate(names):
        if name in labels and not np.isin(covariates[:, i], np.arange(len(labels[name]))).all():
            raise SavedModelError(f"state.safetensors: the categories of {name!r} are not those of its labels")


def _restored_form(document: dict[str, Any]) -> Form:
    form = Form(**{field.name: document[field.name] for field in fields(Form)})
    for dtype in (form.id, form.time):
        if dtype is not None and not is_dtype(dtype, form.backend):
            raise SavedModelError(f"preprocessor.json: {dtype} is not a data type of {form.backend}")
    return form
