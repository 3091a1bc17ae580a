# Segnode. `make demo` shows the whole job; `make test` proves it; `make run` serves with conf/.
# Choose torch:   make demo TORCH='torch==2.9.1'            another version
#                 make demo PIP_ARGS='--extra-index-url URL' one index more (a CUDA or CPU build)

PYTHON ?= python3
VENV ?= .venv
TORCH ?=
PIP_ARGS ?=
CONF ?= conf
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
SOURCES := dicom_node inference storage

.DEFAULT_GOAL := help
.PHONY: help demo run test viewers chaos cluster fuzz bench lint lint-deploy tools train score real clean

help: ## Say what there is.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-13s %s\n", $$1, $$2}'

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Segnode needs Python 3.11 or newer; $(PYTHON) is older. Name another: make PYTHON=python3.12 …"; exit 1; }
	$(PYTHON) -m venv $(VENV)

# Constraints without the lines of torch and what is built for it where the user names his own.
$(VENV)/.run: setup.cfg pyproject.toml conf/constraints.txt | $(BIN)/python
	@if [ -n "$(TORCH)" ]; then grep -vE '^torch(vision)?==' conf/constraints.txt; else cat conf/constraints.txt; fi \
	  > $(VENV)/constraints.txt
	$(PIP) install --quiet $(PIP_ARGS) -c $(VENV)/constraints.txt "$(or $(TORCH),torch)" -e .
	@touch $@

$(VENV)/.test: $(VENV)/.run
	$(PIP) install --quiet $(PIP_ARGS) -c $(VENV)/constraints.txt -e '.[test,dev,postgres]'
	@touch $@

demo: $(VENV)/.run ## Three phantom studies go in, SEG and SR come back; pictures are written.
	$(BIN)/segnode demo $(ARGS)

run: $(VENV)/.run ## Serve with the configuration in conf/ (CONF=folder for another).
	$(BIN)/segnode serve --conf $(CONF)

tools: ## Install the real peers that the tests need, from Debian's packages.
	@deploy/install-test-tools.sh

lint: $(VENV)/.test ## Style, types, import contracts.
	$(BIN)/ruff check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/lint-imports

lint-deploy: ## What checks deploy/ by programs that are too large for `make test`: promtool, nginx, helm.
	@deploy/lint.sh

# Two processes more than there are cores: walks wait for nodes and peers much of their time, and come first, so that no
# long one is left to the end. Each computes in one thread: the threads of several processes on the same cores would spin
# while they wait for each other. Bytecode is kept: a few hundred processes are started, which else compile all anew.
test: $(VENV)/.test tools lint ## Everything that must hold, file by file in up to four processes.
	OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n $$(($$(getconf _NPROCESSORS_ONLN) + 2)) --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(ARGS)

viewers: $(VENV)/.test ## In Chromium: OHIF shows results, the console is used (SCREENSHOTS=folder keeps what was shown).
	@deploy/install-test-tools.sh $(VENV)/ohif
	$(PIP) install --quiet $(PIP_ARGS) -c $(VENV)/constraints.txt -e '.[viewers]'
	SCREENSHOTS=$(SCREENSHOTS) $(BIN)/python -m pytest -m viewer tests/viewers tests/dicom_node/web $(ARGS)

chaos: $(VENV)/.test ## 200 deaths while 64 studies are sent to a moody archive; then once more over a failing disk.
	CHAOS=long $(BIN)/python -m pytest -q -s tests/walks/test_chaos.py

cluster: $(VENV)/.test tools ## Three receivers, two pipelines, Ray, PostgreSQL and HAProxy; 60 studies while parts of it die.
	CLUSTER=long $(BIN)/python -m pytest -q -s tests/walks/test_cluster.py

fuzz: $(VENV)/.test ## The API by its description; mutated PDUs and data sets, ten minutes each (MINUTES=, INPUTS=).
	$(PIP) install --quiet $(PIP_ARGS) atheris
	$(BIN)/python tests/fuzz/run.py pdu --minutes $(or $(MINUTES),10) --inputs $(or $(INPUTS),50000)
	$(BIN)/python tests/fuzz/run.py dataset --minutes $(or $(MINUTES),10) --inputs $(or $(INPUTS),50000)
	FUZZ=long $(BIN)/python -m pytest -q -o timeout=3600 tests/dicom_node/web/test_api_fuzzed.py

# Compared with what a user would otherwise pick; the figures are kept in RECORD. One alone: make bench-NAME, with its
# options in ARGS. By themselves, as they take long: bench-growth (a million instances), bench-memory, bench-nnunet, and
# bench-scaling, which simulates ten thousand scanners (ARGS=--write puts its tables into deploy/SCALING.md).
RECORD ?= bench-record
BENCHES := ingest sending reading seg study network load starting many_studies crowd claiming workers
bench: $(addprefix bench-,$(BENCHES)) ## How fast it is, beside Orthanc, DCMTK, pydicom, SimpleITK, dcmqi and MONAI (RECORD=folder).
	$(BIN)/python tests/benchmarks/table.py $(RECORD)

bench-%: $(VENV)/.test tools
	$(BIN)/python tests/benchmarks/$*.py --record $(RECORD) $(ARGS)

train: $(VENV)/.run ## Train a shipped bundle anew: make train TASK=brain_tumour
	$(BIN)/segnode train conf/training/$(TASK).yaml

score: $(VENV)/.run ## Score the shipped bundles on phantoms that training never saw.
	$(BIN)/segnode phantom score
	$(BIN)/segnode phantom froc

real: $(VENV)/.test ## Measure the shipped bundles on real images (SEGNODE_SAMPLES=folder, FIGURES=file.json).
	$(BIN)/python -m pytest -q -s -m measure tests/real $(ARGS)

clean: ## Remove what was built (not your data).
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache
