"""Fitted, invertible preprocessing."""

from lstmzoo.preprocessing._base import Panel
from lstmzoo.preprocessing.panel import Columns, Form, forecast_frame, panel_frame, read_panel, user_times
from lstmzoo.preprocessing.seasonality import find_season, usual_seasons
from lstmzoo.preprocessing.windows import Scale, WindowPreprocessor, Windows, calendar_features

__all__ = [
    "Columns", "Form", "Panel", "Scale", "WindowPreprocessor", "Windows",
    "calendar_features", "find_season", "forecast_frame", "panel_frame", "read_panel", "user_times", "usual_seasons",
]  # fmt: skip
