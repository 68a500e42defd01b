"""Conformance checks for any zoo entry and any estimator, your own included.

    from lstmzoo import checks
    checks.check_entry("forecasting/lstm")
    checks.check_estimator(Forecaster("lstm", horizon=4, random_state=0, verbose=0), (series,))

Each check raises an AssertionError that says what does not hold. lstmzoo's own tests run all checks on all entries. The entries
of a task need small data to train on, which the task registers in :data:`TOYS`.
"""

from lstmzoo.checks._base import TOYS, Toy, Toys, make_toy, small, toys_of
from lstmzoo.checks.entries import (
    ENTRY_CHECKS,
    check_batch_company_changes_nothing,
    check_dropout_is_of_training,
    check_entry,
    check_keys_match_builder,
    check_layers_are_named,
    check_overfits_one_batch,
    check_search_space_builds,
    check_stepping_equals_whole,
    check_training,
)
from lstmzoo.checks.estimators import (
    ESTIMATOR_CHECKS,
    check_estimator,
    check_fit_is_reproducible,
    check_params_are_stored,
    check_predictions_survive_storage,
    check_search_hooks,
    check_serves,
    check_unfitted_refuses,
)

__all__ = [
    "ENTRY_CHECKS", "ESTIMATOR_CHECKS", "TOYS", "Toy", "Toys", "check_batch_company_changes_nothing",
    "check_dropout_is_of_training", "check_entry", "check_estimator", "check_fit_is_reproducible",
    "check_keys_match_builder", "check_layers_are_named", "check_overfits_one_batch", "check_params_are_stored",
    "check_predictions_survive_storage", "check_search_hooks", "check_search_space_builds", "check_serves",
    "check_stepping_equals_whole", "check_training", "check_unfitted_refuses", "make_toy", "small", "toys_of",
]  # fmt: skip
