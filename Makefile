# Everything a fresh clone needs. `make demo` and `make test` set up what they use.

PYTHON ?= python3
VENV := .venv
TRITON := .venv-triton
EXPORT := .venv-export
BIN := $(VENV)/bin
# As the worker sets it for itself: tests and benchmarks load numpy before it.
export OPENBLAS_NUM_THREADS := 1

# nvidia-pytriton carries a real tritonserver; it needs numpy < 2, hence an environment of its own.
TRITON_PACKAGES := nvidia-pytriton==0.7.0 "numpy<2" "opencv-python-headless<4.12" "onnxruntime>=1.20"
# --no-deps: its requirement opencv-python and our opencv-python-headless both own `cv2`.
RAPIDOCR := rapidocr-onnxruntime==1.4.4
EXPORT_TEST := "mypy>=1.18" "pytest>=8.4" "pytest-asyncio>=1.2" "pytest-timeout>=2.4" "hypothesis>=6.140"
# --no-compile: Python compiles what is imported, a small part of what is installed.
PIP := -m pip install --quiet --disable-pip-version-check --no-compile
# numpy < 2 has no wheel for Python 3.13: the server then takes an older Python, where there is one.
TRITON_PYTHON ?= $(shell for python in $(PYTHON) python3.12 python3.11; do \
	$$python -c 'import sys; sys.exit(sys.version_info >= (3, 13))' 2>/dev/null && echo $$python && break; done)

.PHONY: help demo test test-all test-export lint format setup clean bench-transport bench-quality bench-pages bench-legibility bench-typeset bench-queue bench-translation bench-model load load-model constraints chaos audit

help:
	@echo "                       what it does                                                   on two cores"
	@echo "make demo              the samples through the real pipeline; see demo-output/        30 s, first run 2 min"
	@echo "  IMAGES='a.jpg b.png' the same for your own pictures"
	@echo "make test              linters, types and all tests but the slow ones                 10 min"
	@echo "make test-all          the slow ones too                                              30 min"
	@echo "make test-export       tests of the model export, in an environment with torch        3 min"
	@echo "make lint              ruff, mypy, import contracts                                   1 min"
	@echo "make format            ruff, over everything                                          1 s"
	@echo "make setup             the environments for worker, tests and Triton                  2 min"
	@echo
	@echo "make load              the whole service to saturation (LOAD='--help')                2 min"
	@echo "make load-model        Triton alone, by perf_analyzer (LOAD='--help')                 10 min"
	@echo "make bench-quality     erased pages against the truth                                 5 min"
	@echo "make bench-pages       pages erased in tiles, whole and in crops: what it costs       7 min"
	@echo "make bench-legibility  whether OCR reads what was typeset                             5 min"
	@echo "make bench-typeset     typesetting: milliseconds a page                               15 s"
	@echo "make bench-translation calls, tokens and time of the translator                       1 min"
	@echo "make bench-queue       jobs a second through Redis                                    5 min"
	@echo "make bench-transport   tiles to Triton: gRPC against shared memory                    2 min"
	@echo "make bench-model       LaMa of big-lama's size in several runtimes                          5 min"
	@echo "make chaos             every fault on real servers, then a soak (JOBS=3000 SEED=1)    30 min"
	@echo "make audit             known weaknesses of what the image installs                    1 min"
	@echo "make constraints       pins anew what the image installs                              1 min"
	@echo "make clean             removes the environments and demo-output                       1 s"

demo:
	@$(MAKE) -s -j2 $(VENV)/.demo $(TRITON)/.ready
	@$(BIN)/operate-worker demo $(IMAGES)

test: setup lint .cache/prometheus/.ready
	$(BIN)/pytest -m "not slow"

test-all: setup lint .cache/prometheus/.ready
	$(BIN)/pytest

# torch stays out of the worker's environments.
test-export: setup $(EXPORT)/.ready
	$(EXPORT)/bin/mypy --config-file export/mypy.ini
	$(EXPORT)/bin/python -m pytest tests/export --confcutdir=tests/export -m "not slow"

# Measurements: nothing else should run beside them.
bench-transport bench-legibility bench-typeset bench-queue bench-translation: setup
	$(BIN)/python -m benchmarks.$(subst -,_,$@)

# The network takes pages of any size in torch only.
bench-pages bench-quality: setup $(EXPORT)/.ready
	$(BIN)/python -m benchmarks.$(subst -,_,$@)

bench-model: setup $(EXPORT)/.ready
	@$(EXPORT)/bin/python $(PIP) "openvino>=2025"
	$(EXPORT)/bin/python -m benchmarks.bench_model

load: setup
	$(BIN)/python -m benchmarks.load $(LOAD)

load-model: setup .cache/perf/.ready
	$(BIN)/python -m benchmarks.load_model $(LOAD)

JOBS ?= 3000
SEED ?= 1
chaos: setup
	nice -n 10 $(BIN)/python -m tests.faults --jobs $(JOBS) --seed $(SEED) $(CHAOS)

# --strict: a package nobody could say anything about is no good news.
audit: .cache/audit/.ready
	.cache/audit/bin/pip-audit --strict --disable-pip --no-deps --progress-spinner off -r deploy/constraints.txt

.cache/audit/.ready: Makefile
	@$(PYTHON) -m venv .cache/audit
	@.cache/audit/bin/python $(PIP) pip-audit
	@touch $@

# perf_analyzer: the newest wheel that runs on Debian 12.
.cache/perf/.ready: Makefile
	@$(BIN)/python $(PIP) --no-deps --upgrade --target .cache/perf tritonclient==2.44.0
	@chmod +x .cache/perf/bin/perf_analyzer
	@touch $@

# promtool tries the alerts; where apt does not have it, those tests are skipped.
.cache/prometheus/.ready:
	@mkdir -p .cache/prometheus
	@cd .cache/prometheus && { command -v promtool >/dev/null || { apt-get download prometheus >/dev/null 2>&1 \
		&& dpkg --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool && rm prometheus_*.deb; }; } \
		&& touch .ready || echo "no promtool: the alerts are parsed, not tried"

# What the worker's image installs.
constraints:
	@rm -rf .cache/constraints && $(PYTHON) -m venv .cache/constraints
	@.cache/constraints/bin/python $(PIP) ".[fonts,otel]"
	@( echo "# What the worker's image installs, with the extras fonts and otel; renew with \`make constraints\`."; \
		.cache/constraints/bin/pip freeze --exclude operate-worker --exclude pip --exclude setuptools ) > deploy/constraints.txt
	@rm -rf .cache/constraints

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

# Both environments side by side: the time goes into unpacking.
setup:
	@$(MAKE) -s -j2 $(VENV)/.ready $(TRITON)/.ready

# What the demo needs is a third of what the tests need.
$(VENV)/.demo: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
		|| { echo "$(PYTHON) is $$($(PYTHON) --version); Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.12"; exit 1; }
	@echo "setting up $(VENV) …"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python $(PIP) -e ".[fonts,demo,ocr]"
	@$(BIN)/python $(PIP) --no-deps --ignore-requires-python $(RAPIDOCR)
	@touch $@

$(VENV)/.ready: $(VENV)/.demo
	@echo "setting up $(VENV) for tests …"
	@$(BIN)/python $(PIP) -e ".[fonts,demo,ocr,otel,test]"
	@touch $@

$(TRITON)/.ready: Makefile
ifeq ($(TRITON_PYTHON),)
	@echo "no Python 3.11 or 3.12 for the Triton server: the demo inpaints in process, tests that need Triton are skipped"
	@mkdir -p $(TRITON)
else
	@echo "setting up $(TRITON) …"
	@$(TRITON_PYTHON) -m venv $(TRITON)
	@$(TRITON)/bin/python $(PIP) $(TRITON_PACKAGES)
endif
	@touch $@

$(EXPORT)/.ready: export/requirements.txt
	@echo "setting up $(EXPORT) …"
	@$(PYTHON) -m venv $(EXPORT)
	@$(EXPORT)/bin/python $(PIP) -r export/requirements.txt $(EXPORT_TEST)
	@touch $@

clean:
	rm -rf $(VENV) $(TRITON) $(EXPORT) demo-output
