# Everything a newcomer needs; `make help` lists it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-all lint format bench sample clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test,dev]'
	touch $@

demo: $(BIN)/installed ## install, then map the cracks of sample_data
	$(BIN)/crackpipe run sample_data/survey || test $$? -eq 3
	@echo
	@echo "Look at sample_data/survey-cracks/: cracks.parquet (lines), images.parquet, masks.zarr"
	$(BIN)/python -m crackpipe overlay sample_data/survey sample_data/survey-cracks

test: $(BIN)/installed ## install, then run the tests
	$(BIN)/python -m pytest -q

lint: $(BIN)/installed ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(BIN)/installed ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(BIN)/installed ## the benchmarks behind the numbers in README and docs (slow)
	$(BIN)/python benchmarks/seconds_per_tile.py
	$(BIN)/python benchmarks/sample_score.py

sample: $(BIN)/installed ## make sample_data again
	$(BIN)/crackpipe sample sample_data --kind demo --seed 7

clean: ## remove what make made
	rm -rf $(VENV) sample_data/survey-cracks .pytest_cache .mypy_cache .ruff_cache .hypothesis
