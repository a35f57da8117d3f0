# Everything works from a bare Python 3.11+ and make: each target makes its own .venv when there is none.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: setup demo test lint bench crash chaos readme wheel clean

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -c 'import engine; engine.warm()'
	@touch $@

demo: setup
	$(BIN)/dispatcher demo

# Many tests wait for clocks, sockets and other processes: four at a time take a third of the time, on two cores too.
test: setup
	$(BIN)/python -m pytest --numprocesses 4 --dist worksteal

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

readme: setup
	$(BIN)/python -m dispatcher.settings.table README.md

bench: setup
	$(PIP) install --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m benchmarks

crash: setup
	$(BIN)/python -m pytest tests/crash --kills 1000

chaos: setup
	$(BIN)/python -m pytest tests/chaos --storm 120

wheel: setup
	rm -rf dist
	$(BIN)/python -m build --quiet

clean:
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
