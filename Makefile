# `make demo` and `make test` do everything on a machine with Python 3.11 to 3.13 and make; each makes the environment it needs.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: help demo test pytest test-backends lint docs notebooks golden clean

help:
	@echo "make demo   search, track and serve a forecaster on real series, in a few minutes"
	@echo "make test   format, lint, types and all tests, and a short training of every task on JAX"
	@echo "make test-backends  the core of the tests on Keras' backends jax and torch"
	@echo "make lint   format, lint and types alone"
	@echo "make docs   build the site in site/"
	@echo "make notebooks  execute the docs' notebooks anew, and write their pictures"
	@echo "make golden write the golden files anew, after a change of architecture that is meant"
	@echo "make clean  remove the environment and what tests and demos leave"

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	  || { echo "lstmzoo needs Python 3.11 to 3.13; name one: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

$(VENV)/.installed-dev: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	@touch $@ $(VENV)/.installed

demo: $(VENV)/.installed
	$(BIN)/lstmzoo demo forecasting

test: $(VENV)/.installed-dev
	$(MAKE) --jobs 2 lint pytest

pytest: $(VENV)/.installed-dev
	$(BIN)/python -m pytest --numprocesses 2 --dist worksteal
	KERAS_BACKEND=jax $(BIN)/python -m pytest tests/test_every_backend.py --numprocesses 2 --dist worksteal

BACKEND_TESTS := $(addprefix tests/test_,$(addsuffix .py,zoo recurrent_layers distributions training forecaster covariates \
  probabilistic saving recurrence tokens language_layers language_model translation_layers beam translator every_backend threads)) $(wildcard tests/test_layers*.py)

$(VENV)/.installed-backends: pyproject.toml | $(BIN)/python
	$(BIN)/python -m pip install --quiet --editable '.[dev,backends]'
	@touch $@ $(VENV)/.installed-dev $(VENV)/.installed

test-backends: $(VENV)/.installed-backends
	KERAS_BACKEND=jax $(BIN)/python -m pytest $(BACKEND_TESTS) --numprocesses 2 --dist worksteal
	KERAS_BACKEND=torch $(BIN)/python -m pytest $(BACKEND_TESTS) --numprocesses 2 --dist worksteal

lint: $(VENV)/.installed-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

docs: $(VENV)/.installed-dev
	$(BIN)/python docs/zoo_table.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build

notebooks: $(VENV)/.installed-dev
	$(BIN)/python docs/execute_notebooks.py

golden: $(VENV)/.installed-dev
	$(BIN)/python -m pytest tests/test_zoo.py -k golden_shapes --update-golden

clean:
	rm -rf $(VENV) lstmzoo-demo site build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
