# Every target sets up .venv by itself. `make demo` and `make test` are all a newcomer needs.
.PHONY: setup demo test quick nightly check lint types docs bench clean

PYTHON ?= python3
WORKERS ?= 2
# On Linux the default wheel of torch brings CUDA. TORCH_INDEX=https://download.pytorch.org/whl/cpu installs it without.
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "unmirage needs Python 3.11 or newer"'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX) --no-deps) torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

demo: $(STAMP)
	$(BIN)/unmirage demo

# Tests of one file stay in one process, since they share what is slow to make; torch has one thread in each. Files with
# slow tests come first: see tests/conftest.py.
test: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

# Without the tests that run models, trainings, a browser or processes of their own: for use while you work.
quick: $(STAMP)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m "not slow" --numprocesses $(WORKERS) --dist loadfile

# Regression on pretrained weights and published data: about an hour on two cores. See tests/nightly/conftest.py for
# what it needs.
nightly: $(STAMP)
	$(BIN)/python -m pytest -m nightly

check: lint types

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(STAMP)
	$(BIN)/mypy

# The documentation site, in build/site; `mkdocs serve` shows changes as you write.
docs: $(STAMP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

bench: $(STAMP)
	$(BIN)/python benchmarks/demo_study.py --json
	$(BIN)/python benchmarks/audit_scale.py --json
	$(BIN)/python benchmarks/attack_throughput.py --json
	$(BIN)/python benchmarks/align_step.py --json
	$(BIN)/python benchmarks/interval_coverage.py --json

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis
