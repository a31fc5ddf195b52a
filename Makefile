# `make` alone prints what there is. On Windows without make: the README has the same commands for
# PowerShell.

# The first Python from 3.11 on that can make environments; `make PYTHON=/path/to/python …`
# overrides it.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3.14 python3 python3.10; do \
	$$p -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' >/dev/null 2>&1 \
	&& echo $$p && break; done)
# Passed to pip, e.g. an index with CPU-only builds of torch (see "Get started" on the PyTorch
# site).
PIP_ARGS ?=
# What `make lab` opens: before and after, in Japanese where the terminal speaks it, else in English.
# Another one: `make lab NOTEBOOK=notebooks/en/04_lora_training.ipynb`.
NOTEBOOK ?= $(if $(filter ja%,$(LANG)),notebooks,notebooks/en)/05_before_after.ipynb
# Passed to the verb, e.g. `make demo ARGS="--language ja"`.
ARGS ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := train,gguf,data,ollama,notebooks,site,dev
ADVANCED := $(VENV)/.advanced

.DEFAULT_GOAL := help
.PHONY: help setup advanced demo rehearse live lab test test-fast seeded-faults lint format mame mame-eval \
	notebooks bench readme site slides diagrams recording

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## make .venv and install the tested set of packages (quick when it is there)

$(STAMP): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "No Python 3.10 or newer with venv was found. Install one" \
		"(Debian/Ubuntu: apt install python3-venv; Mac: brew install python@3.11)," \
		"or name it: make setup PYTHON=/path/to/python3" >&2; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing the tested packages into $(VENV). torch and its like are large: this takes minutes."
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e ".[$(EXTRAS)]"
	@touch $@

advanced: $(ADVANCED)  ## what the guide beyond the talk needs besides (notebooks/advanced)

$(ADVANCED): $(STAMP)
	$(BIN)/python -m pip install $(PIP_ARGS) -c constraints.txt -e ".[advanced]"
	@touch $@

demo: setup  ## the main job: train, compare, merge, convert, quantize; writes runs/demo/report.html
	$(BIN)/workshop demo $(ARGS)

rehearse: setup  ## run all that the talk shows on this machine, and keep the results
	$(BIN)/workshop stage rehearse $(ARGS)

live: setup  ## give the talk: the scenes, the clock, and the rehearsed result at one key
	$(BIN)/workshop stage live $(ARGS)

lab: setup  ## open a notebook in JupyterLab: before and after, or NOTEBOOK=…
	$(BIN)/jupyter lab $(NOTEBOOK) $(ARGS)

test: setup advanced  ## the whole test suite
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: setup  ## the units that train and convert no model (tests/fast.txt), in about a minute
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadfile @tests/fast.txt $(ARGS)

seeded-faults: setup  ## ten faults, put into a copy of the code: does the suite notice each?
	$(BIN)/python scripts/seeded_faults.py $(ARGS)

lint: setup  ## check: ruff, formatting, mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup  ## mend what ruff can mend, and format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

mame: setup  ## pretrain the bundled base model again (hours on two cores; goes on where it stopped)
	$(BIN)/python -m pretraining.train $(ARGS)

mame-eval: setup  ## measure mame on held-out shops and phrasings; writes results/mame.json
	$(BIN)/python -m pretraining.evaluate --out results/mame.json $(ARGS)

notebooks: setup advanced  ## build the notebooks from notebooks/src and execute them
	$(BIN)/python notebooks/build.py $(ARGS)

bench: setup  ## what tuning teaches, quantization costs, and how fast it all is; writes results/
	$(BIN)/python -m benchmarks $(ARGS)

readme: setup  ## fill the READMEs, results/README and the pictures from results/
	$(BIN)/python scripts/readme_figures.py $(ARGS)

site: setup  ## the notebooks, guides, slides and results as one static page; writes runs/site
	$(BIN)/python site/build.py $(ARGS)

slides: setup slides/node_modules/.installed  ## build the talk's decks into slides/built: HTML, PDF, notes (Node 18+)
	$(BIN)/python -m slides.build $(ARGS)
	$(BIN)/python -m slides.pictures

diagrams: setup slides/node_modules/mermaid  ## draw the diagrams of the decks that were changed
	$(BIN)/python -m slides.diagrams $(ARGS)

slides/node_modules/.installed: slides/package.json
	@command -v npm >/dev/null || { echo "Building the slides needs Node 18 or newer with npm" \
		"(Debian/Ubuntu: apt install nodejs npm). Showing them needs neither: slides/built/" >&2; exit 2; }
	cd slides && npm install
	@touch $@

slides/node_modules/mermaid: slides/package.json
	cd slides && npm install --include=dev
	@touch $@

recording: setup  ## record the animated pictures of the stage for the README (rehearses it first)
	$(BIN)/python scripts/record_stage.py $(ARGS)
