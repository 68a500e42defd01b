"""The tasks on the command line, one file or folder per task. Each registers a :class:`lstmzoo.cli._base.Task`."""
