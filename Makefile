# make book      run every chapter and build the pages in _build/html
# make test      make book, then all tests: package, notebooks, pages in a browser
# make lab       JupyterLab on the chapters
# make refresh   run the chapters and store their outputs; fill in solutions, numbers, install cells
# make bench     measure speed against others (25 minutes on two quiet cores), draw it
# make mutate    break the package in small ways and see whether the tests notice (an hour or two; MODULES=losses for one)
# make shake     chapters, snippets and tests with every product a few last digits off, as on ten other machines (hours)
# make results   make the tables of the book anew (hours; what is fresh is kept)
# make check     lint and types, tidy notebooks, JavaScript by eslint and prettier where there is npm (seconds)
#
# Each makes .venv when it is missing or requirements.txt has changed. Another Python: make book PYTHON=python3.12 (.venv is made
# anew where it has another version).
# Written for GNU make 3.81 too, which macOS ships.

PYTHON ?=
PY := .venv/bin/python
SHELL := /bin/sh
.DEFAULT_GOAL := help
# Another Python, said on the command line of a target that needs one, gets a .venv of its own kind.
ifeq ($(origin PYTHON)$(filter help,$(or $(MAKECMDGOALS),help)),command line)
  FOUND := $(shell tools/find_python.sh "$(PYTHON)")
  ifeq ($(FOUND),)
    $(error PYTHON=$(PYTHON) does not run)
  endif
  $(shell [ "$$("$(FOUND)" -V)" = "$$($(PY) -V 2>&1)" ] || rm -rf .venv)
endif
.PHONY: help book test lab refresh bench mutate shake results check

help:
	@sed -n 's/^# \(make .*\)/\1/p' Makefile

# -W --keep-going: a failing cell fails the build, after all of them were seen. --all: run chapters again although only the package changed.
book: .venv/ready
	@$(PY) .venv/bin/jupyter-book build book -q -W --keep-going --all
	@$(PY) tools/chapter_times.py

test: book
	@$(PY) tools/run_tests.py

lab: .venv/ready
	@$(PY) -m jupyterlab book

# The weights of the widgets Network and Session are trained anew only where their recipe has changed (a minute).
refresh: .venv/ready
	@$(PY) tools/tiny_model.py
	@$(PY) tools/refresh_notebooks.py

# What extra [bench] asks for, at versions that requirements.txt allows.
bench: .venv/ready
	@$(PY) -W ignore -c "import cornac" 2>/dev/null || \
	  $(PY) -m pip install --quiet --disable-pip-version-check --no-build-isolation -c requirements.txt -e '.[bench]'
	@for name in training scoring costs evaluation plan clicks; do \
	  echo "== $$name"; $(PY) tests/benchmarks/$$name.py || exit 1; \
	done
	@$(PY) tests/benchmarks/figure.py

# What extra [mutate] asks for. Each module of MODULES (all, if none is named) is held against its own test file.
mutate: .venv/ready
	@$(PY) -W ignore -c "import mutmut" 2>/dev/null || \
	  $(PY) -m pip install --quiet --disable-pip-version-check --no-build-isolation -c requirements.txt -e '.[mutate]'
	@$(PY) tools/mutate.py $(MODULES)

shake: .venv/ready
	@$(PY) tools/shaken.py

results: .venv/ready
	@for name in tune training batching table1 losses cells embeddings samples parameters alphas logq negatives \
	  catalogue museum layers table3 units; do \
	  $(PY) -m gru4rec_lite.experiments $$name --out data/results || exit 1; \
	done

check: .venv/ready
	@$(PY) -m ruff check .
	@$(PY) -m mypy
	@$(PY) tools/refresh_notebooks.py --check
	@if ! command -v npm >/dev/null; then echo "No npm here: the JavaScript of widgets and pages is not checked"; else \
	  { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --silent --no-audit --no-fund; } && \
	  npm run --silent check; fi

.venv/ready: requirements.txt pyproject.toml
	@tools/find_python.sh $(PY) >/dev/null 2>&1 || { \
	  python=$$(tools/find_python.sh "$(PYTHON)") && echo "Making .venv with $$python" && rm -rf .venv && \
	  { "$$python" -m venv .venv || { rm -rf .venv; exit 1; }; }; }
	@echo "Installing what requirements.txt names (some minutes the first time)"
	@$(PY) -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
