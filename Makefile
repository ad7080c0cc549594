# Every target makes its virtual environment by itself; a second run installs nothing.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
.DEFAULT_GOAL := help
.PHONY: help run test lint fuzz bench bench-quick docs wheels clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(INSTALLED): setup.py pyproject.toml requirements-dev.txt $(shell find aioweb -name '_*.c')
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip setuptools
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt -e .
	@touch $@

run: $(INSTALLED)  ## serve examples/board on http://127.0.0.1:8080
	$(BIN)/python -m examples.board

lint: $(INSTALLED)  ## ruff and mypy --strict
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint  ## lint, type-check, run every test with branch coverage, and the functional ones on other Pythons
	.ci/tests
	.ci/pythons

fuzz: $(INSTALLED)  ## search for an hour for octets that break a promise
	$(BIN)/python -m fuzz
	$(BIN)/python -m fuzz.sanitizers

bench: $(INSTALLED)  ## compare with other servers on this machine, ten minutes (needs wrk)
	$(PYTHON) -m benchmarks

bench-quick: $(INSTALLED)  ## the most important of it in two minutes
	$(PYTHON) -m benchmarks --quick

docs: $(INSTALLED)  ## build the documentation into docs/_build/html, warnings are errors
	$(BIN)/python -m sphinx -W --keep-going -b html docs docs/_build/html

wheels: $(INSTALLED)  ## build the sdist, and a wheel for every Python at hand, into dist
	.ci/wheels

clean:  ## remove everything that make has made
	rm -rf $(VENV) build dist *.egg-info docs/_build .coverage* .pytest_cache .mypy_cache .ruff_cache .hypothesis .fuzz
	find aioweb -name '*.so' -delete
