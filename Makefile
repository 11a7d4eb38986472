# make demo and make test set up everything they need on a fresh machine.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
STAMP := $(VENV)/segbench-$(shell sha256sum pyproject.toml | cut -c1-16)

.PHONY: demo test tests test-long bench gpu audit results tables docs install lint clean

# Lint beside the tests: mypy takes a minute of one core.
test:
	$(MAKE) --jobs 2 lint tests

# Two processes of one thread each: small networks gain little from a second thread.
tests: install
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist worksteal

test-long: install
	$(BIN)/python -m pytest -m long tests/long

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

demo: install
	rm -rf demo
	$(BIN)/segbench suite suites/demo.toml
	$(BIN)/segbench leaderboard --results demo/results
	@printf '%s\n' "" \
	  "A MobileNet FCN8s was trained on drawn streets, scored and timed. Look at:" \
	  "  demo/run/overlays/             what it sees of the test frames" \
	  "  demo/run/best.safetensors      the network; demo/run/train.log how it learned" \
	  "  demo/results/                  the records of its score and its latency" \
	  "  demo/leaderboard.html          the leaderboard, to open in a browser" \
	  "Next:" \
	  "  $(BIN)/segbench plugins" \
	  "  $(BIN)/segbench predict --checkpoint demo/run/best.safetensors --as overlay --output demo/mine PICTURES" \
	  "  $(BIN)/segbench latency --checkpoint demo/run/best.safetensors --runtime eager --runtime onnx --results demo/results" \
	  "  $(BIN)/segbench run --help"

bench: install
	$(BIN)/python -m pytest tests/benchmarks --benchmark-only --timeout 1200

DEVICE ?= cuda
WEIGHTS ?= none
gpu: install
	$(BIN)/python -m tools.gpu --device $(DEVICE) --weights $(WEIGHTS) $(if $(QUICK),--quick)

audit: install
	$(BIN)/pip install --quiet pip-audit
	$(BIN)/python -m tools.audit

# Days on two cores: what suites/results.toml names and has no record. It needs SEGBENCH_DATA and SEGBENCH_WEIGHTS, and
# in runs/ the checkpoints of trainings that have a record; without them, remove the records to repeat all.
results: install
	$(BIN)/segbench suite suites/results.toml
	$(BIN)/segbench suite suites/results-further.toml
	$(BIN)/python -m tools.make_results

tables: install
	$(BIN)/python -m tools.make_results

docs: install
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict

install: $(STAMP)
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .

$(STAMP):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet "setuptools>=77"
	$(BIN)/pip install --quiet --editable ".[test]"
	rm -f $(VENV)/segbench-*
	touch $@

clean:
	rm -rf $(VENV) demo site
