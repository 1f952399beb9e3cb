# make app    set everything up and start the app on 127.0.0.1:8501
# make test   set everything up and run the tests
# make check  format check, lint, types, tests
# make slow   the tests that take minutes (a fresh install, every fault at every call, kill -9)
# make browser  the tests in a real Chromium (Debian: apt-get install chromium)
# make bench  figures of reading, clustering, rules, proposals, exports, workspace; -k goes on after a miss
PYTHON ?= python3
PORT ?= 8501
BIN := .venv/bin
BENCHES := reading clustering rules proposals exports workspace

.PHONY: app test check lint types slow browser bench clean

app: .venv/app.installed
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: .venv/dev.installed
	$(BIN)/python -m pytest

check: lint types test

lint: .venv/dev.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/dev.installed
	$(BIN)/mypy

slow: .venv/dev.installed
	$(BIN)/python -m pytest -m slow

browser: .venv/dev.installed
	@command -v chromium >/dev/null || { echo "Chromium is missing: apt-get install chromium"; exit 1; }
	$(BIN)/python -m pytest -m browser

bench: $(BENCHES:%=bench-%)

bench-%: .venv/dev.installed
	$(BIN)/python -m benchmarks.$*

.venv/app.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable .
	touch $@

.venv/dev.installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --editable ".[dev]"
	touch $@ .venv/app.installed

clean:
	rm -rf .venv build *.egg-info .mypy_cache .pytest_cache .ruff_cache
