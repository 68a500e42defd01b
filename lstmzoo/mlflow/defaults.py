"""Defaults of tracking and serving, which the command line reads without importing MLflow."""

EXPERIMENT = "lstmzoo"
ALIAS = "champion"
HOST = "127.0.0.1"
PORT = 5000
