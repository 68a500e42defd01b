"""Defaults of tracking and serving, and the status of a run, to read without importing MLflow."""

from typing import Literal

EXPERIMENT = "lstmzoo"
ALIAS = "champion"
HOST = "127.0.0.1"
PORT = 5000
Status = Literal["RUNNING", "FINISHED", "FAILED", "KILLED"]
