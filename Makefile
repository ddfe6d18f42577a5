# Every target makes what it needs, on a fresh clone too: a virtual environment in .venv/ with
# the package and, for the developers' targets, their tools. PYTHON=... names the Python.

.DEFAULT_GOAL := help
.PHONY: help demo examples test test-all check docs pictures benchmark calibration choosing convergence \
        forecasts futures scaling own-curves own-curves-data reproduction \
        pooling clean

py := .venv/bin/python
pip := $(py) -m pip --disable-pip-version-check --quiet
pytest := $(py) -m pytest

# Chains run side by side already: threads inside linear algebra only get in their way.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= 1
export MKL_NUM_THREADS ?= 1

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: .venv/.ready ## fit and extrapolate a bundled curve; writes its pictures to demo/
	MPLBACKEND=Agg $(py) examples/four_digit_addition.py demo

test: check ## every check and the fast tests
	$(pytest)

test-all: check ## every check and every test, also the slow statistical ones
	$(pytest) -m "slow or not slow"

check: .venv/.ready-dev ## style, types, the direction of imports
	$(py) -m ruff check
	$(py) -m ruff format --check
	$(py) -m mypy
	.venv/bin/lint-imports --no-logo

docs: .venv/.ready-dev ## the documentation in docs/_build/; ONLINE=1 links to other projects' pages
	rm -rf docs/_build docs/generated docs/examples
	ONLINE=$(ONLINE) $(py) -m sphinx -W --keep-going -q -b html docs docs/_build/html
	@echo "Open docs/_build/html/index.html"

choosing: .venv/.ready ## how well laws are chosen; DATA=folder of the public benchmark, WORKERS=1
	$(py) docs/measure_choosing.py breaks --workers $(or $(WORKERS),1)
	@if [ -n "$(DATA)" ]; then \
	    $(py) docs/measure_choosing.py curves --data "$(DATA)" --workers $(or $(WORKERS),1); fi

examples: .venv/.ready-dev ## run the notebooks in examples/ again; NOTEBOOKS="examples/one.ipynb ..."
	$(py) examples/run_notebooks.py $(NOTEBOOKS)

pictures: .venv/.ready ## the pictures of the documentation, in docs/pictures/
	$(py) docs/make_pictures.py

benchmark: .venv/.ready-dev ## the timings in tests/benchmarks/
	$(pytest) tests/benchmarks --override-ini addopts=--import-mode=importlib --benchmark-only -s

# LAWS="BNSL(0) M4" and WORKERS=2 go to both; rows are kept in measured/, and not measured again.
measuring = $(if $(LAWS),--laws $(patsubst %,'%',$(LAWS))) --workers $(or $(WORKERS),1) \
    --every $(or $(EVERY),1)

calibration: .venv/.ready ## simulation-based calibration; LAWS= COUNT= WORKERS=
	$(py) docs/measure_calibration.py --count $(or $(COUNT),300) $(measuring)

convergence: .venv/.ready ## share of converged fits of public curves; DATA=folder LAWS= WORKERS=
	$(py) docs/measure_convergence.py $(DATA) $(measuring)

forecasts: .venv/.ready ## how well public curves are forecast; DATA=folder WORKERS=
	$(py) docs/measure_forecasts.py $(DATA) --workers $(or $(WORKERS),1) --every $(or $(EVERY),1)

futures: .venv/.ready ## how often bands hold on simulated futures; COUNT= WORKERS=
	$(py) docs/measure_futures.py --count $(or $(COUNT),200) --workers $(or $(WORKERS),1)

scaling: .venv/.ready ## what more points, breaks, curves and processes cost; PARTS="points curves"
	$(py) docs/measure_scaling.py $(PARTS)

own-curves: .venv/.ready ## how well the bundled curves are forecast, and their exponents; WORKERS=
	$(py) docs/measure_own_curves.py --workers $(or $(WORKERS),1)

own-curves-data: .venv/.ready-dev ## measure the bundled curves again, for a quarter of an hour
	for script in random_features digits modular_addition online_student; do \
	    $(py) examples/measured/$$script.py || exit 1; done

reproduction: .venv/.ready ## the figures and tables of the BNSL paper again; DATA=folder WORKERS=
	$(py) docs/measure_reproduction.py $(DATA) --workers $(or $(WORKERS),1)

pooling: .venv/.ready ## what fitting families together gains; COUNT= WORKERS=
	$(py) docs/measure_pooling.py --count $(or $(COUNT),12) --workers $(or $(WORKERS),1)

clean: ## remove all that the commands made
	rm -rf .venv demo dist docs/_build docs/generated docs/examples docs/api_names.rst
	rm -rf .benchmarks .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find bayes_bnsl docs examples tests -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment whose Python is gone is made anew. The version is read from the package when
# it is installed, hence __init__.py; dependency groups need pip 25.1.
.venv/.ready: pyproject.toml bayes_bnsl/__init__.py
	@$(py) -m pip --version >/dev/null 2>&1 || { \
	    python=$$(.ci/find-python) && echo "Making .venv with $$python" && \
	    "$$python" -m venv --clear .venv; }
	@echo "Installing bayes_bnsl into .venv (a minute or two the first time)"
	@$(pip) install --upgrade "pip>=25.1"
	@$(pip) install --editable .
	@touch $@

.venv/.ready-dev: .venv/.ready
	@echo "Installing the developers' tools into .venv"
	@$(pip) install --group dev
	@touch $@
