# make app    set everything up and start the app on 127.0.0.1:8501
# make test   set everything up and run the tests
# make check  format check, lint, types, tests
# make slow   the tests that take minutes (a fresh install, every fault at every call, kill -9)
# make browser  the tests in a real Chromium (Debian: apt-get install chromium)
# make anywhere  the tests under other clocks, zones, languages, orders and rights (SHORT=1: all at once)
# make bench  figures of reading, clustering, rules, proposals, exports, workspace; -k goes on after a miss
# make lock   choose the versions of constraints.txt anew
# make latest  the tests with the newest release of everything, in an environment of its own
PYTHON ?= python3
PORT ?= 8501
WORKERS ?= 2
BIN := .venv/bin
BENCHES := reading clustering rules proposals exports workspace
PYTEST := $(BIN)/python -m pytest
# What compiles UMAP stays in one worker, so that only that one pays for it.
SPREAD := -n $(WORKERS) --dist loadgroup

.PHONY: app test check lint types slow browser anywhere bench lock latest clean

app: .venv/installed
	$(BIN)/streamlit run app.py --server.port $(PORT)

test: .venv/installed
	$(PYTEST) $(SPREAD)

check: lint types test

lint: .venv/installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .

types: .venv/installed
	$(BIN)/mypy

slow: .venv/installed
	$(PYTEST) $(SPREAD) -m slow

browser: .venv/installed
	@command -v chromium >/dev/null || { echo "Chromium is missing: apt-get install chromium"; exit 1; }
	$(PYTEST) $(SPREAD) -m browser tests/browser

anywhere: .venv/installed
	BIN=$(BIN) .ci/anywhere

bench: $(BENCHES:%=bench-%)

bench-%: .venv/installed
	$(BIN)/python -m benchmarks.$*

# Every file is the same on every machine and checked by its hash, but for torch: one machine takes the wheel
# for the CPU, another that for its GPU with libraries of its own. It comes with the project, by its exact version.
.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement constraints.txt
	$(BIN)/pip install --quiet --no-build-isolation --editable .
	touch $@

lock: .venv/installed
	$(BIN)/uv pip compile pyproject.toml --quiet --upgrade --universal --python-version 3.11 --all-extras \
		--no-emit-package torch --generate-hashes --no-annotate --custom-compile-command "make lock" \
		--output-file constraints.txt

latest:
	$(PYTHON) -m venv .venv-latest
	.venv-latest/bin/pip install --quiet --upgrade --editable ".[dev]"
	.venv-latest/bin/python -m pytest $(SPREAD)

clean:
	rm -rf .venv .venv-latest build *.egg-info .mypy_cache .pytest_cache .ruff_cache
