# make report   sets up .venv and runs the default experiment to results/report.html
# make pdf      prints the report to results/report.pdf through headless Chromium
# make test     sets up .venv and runs everything that CI runs
# make bench    compares with other ways to train the same networks (see benchmarks/README.md)
PYTHON ?= python3
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: report pdf test test-inside test-outside checks readme screenshots reference bench scaling setup clean
.DEFAULT_GOAL := report

report: setup
	snakemake

# Chromium is named by TRAINABILITY_CHROMIUM or found on the PATH.
pdf: report
	trainability pdf

# In two halves beside each other: one computes, the other starts Snakemakes and waits for them. Where make can, the
# output of each comes in one piece.
test: checks
	$(MAKE) --no-print-directory --jobs 2 $(if $(filter output-sync,$(.FEATURES)),--output-sync=target) test-inside test-outside

test-inside: setup
	python -m pytest tests/unit tests/browser

test-outside: setup
	python -m pytest --ignore tests/unit --ignore tests/browser

# What pre-commit mirrors: format, lint, types.
checks: setup
	ruff check .
	ruff format --check .
	snakefmt --check Snakefile workflow
	mypy
	snakemake --lint

# Copies the results of a finished default experiment into README.md.
readme: setup
	python docs/results_table.py

# Pictures of results/report.html in docs/images, which README.md shows; needs Chromium.
screenshots: setup
	python docs/screenshots.py

# Writes docs/reference.md and docs/reference.html, the reference of all names.
reference: setup
	trainability reference --out docs

# Options in BENCH, e.g. make bench BENCH='--quick' or BENCH='--readme --fashion FOLDER'.
bench: $(BIN)/.bench
	python -m benchmarks $(BENCH)

scaling: setup
	python -m benchmarks.scaling

setup: $(BIN)/.installed

$(BIN)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "trainability needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12" >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

$(BIN)/.bench: $(BIN)/.installed
	$(BIN)/python -m pip install --quiet --constraint requirements.lock --editable '.[bench]'
	touch $@

clean:
	rm -rf .venv results .snakemake
