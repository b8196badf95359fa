# Every target sets itself up: a virtual environment in .venv, with the versions of
# constraints.txt, made once and again when those or pyproject.toml change.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2
BIN = $(VENV)/bin
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# the library's own work is many small steps, which more threads do not make faster
export OMP_NUM_THREADS ?= 1
# what is compiled of the tests and for their processes is kept, whatever the user's shell says
export PYTHONDONTWRITEBYTECODE =

.PHONY: demo test test-gpu lint types fuzz bench clean
.DEFAULT_GOAL = test

demo: $(VENV)/installed        ## fit two real tables, write demo-output/report.html: seconds
	$(BIN)/python -m pushforward.demo

test: $(VENV)/installed        ## all tests and doctests: minutes
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# on a pretend GPU, which needs g++; tests of several processes are skipped there
test-gpu: $(VENV)/installed    ## all tests with a GPU, a pretend one, to compute on: minutes
	PYTHONPATH=tests/device $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -p whole_suite --ignore tests/device

lint: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(VENV)/installed
	$(BIN)/pyright --pythonpath $(BIN)/python

# tests run a small share of it
fuzz: $(VENV)/installed        ## hostile folders and files, kills, growth of memory: an hour
	PUSHFORWARD_FUZZ=2000 $(BIN)/python -m pytest -n $(WORKERS) tests/attacks/test_fuzz.py
	$(BIN)/python tests/attacks/mutated_folders.py --count 20000
	$(BIN)/python tests/attacks/mutated_files.py --count 5000
	$(BIN)/python tests/attacks/killed_fits.py --kills 200
	$(BIN)/python tests/attacks/malformed_requests.py --count 10000
	$(BIN)/python tests/attacks/memory_growth.py --steps 1000 --calls 10000

# about thirty hours of one core; needs the folder shared beside the project
bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks.density --seeds 0 1 2 --models pushforward pushforward_dequantised
	$(BIN)/python -m benchmarks.anomaly --seeds 0 1 2 --detectors pushforward
	$(BIN)/python -m benchmarks.density --seeds 0 1 2 --models gaussian gmm kde zuko_nsf zuko_maf sinflow otcfm
	$(BIN)/python -m benchmarks.density --seeds 0 1 2 --models rbig --sets breast_cancer --timeout 150
	$(BIN)/python -m benchmarks.anomaly --seeds 0 1 2 --detectors gmm knn lof iforest ecod copod
	$(BIN)/python -m benchmarks.fid
	$(BIN)/python -m benchmarks.floors
	$(BIN)/python -m benchmarks.glow_peers
	$(BIN)/python -m benchmarks.glow_cifar time
	$(BIN)/python -m benchmarks.glow_cifar steps --steps 300
	$(BIN)/python -m benchmarks.glow_cifar parts
	$(BIN)/python -m benchmarks.glow_exact
	$(BIN)/python -m benchmarks.adversarial_fashion
	$(BIN)/python -m benchmarks.adversarial_fashion --steps 2000 --models dcgan alpha_gan
	$(BIN)/python -m benchmarks.adversarial_paper --cpu-minutes 5 --runs 10
	$(BIN)/python -m benchmarks.adversarial_speed
	$(BIN)/python -m benchmarks.sig_fashion
	$(BIN)/python -m benchmarks.sig_fashion --cpu-minutes 10
	$(BIN)/python -m benchmarks.sig_ood --models sig glow
	$(BIN)/python -m benchmarks.sig_ood --own mnist --models sig --cpu-minutes 5
	$(BIN)/python -m benchmarks.sig_bits
	$(BIN)/python -m benchmarks.sig_speed
	$(BIN)/python -m benchmarks.gpu_counts
	$(BIN)/python -m benchmarks.toy_gans
	$(BIN)/python -m benchmarks.refinement_toys
	$(BIN)/python -m benchmarks.render

clean:
	rm -rf $(VENV) demo-output build dist .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.git/*' -prune -exec rm -rf {} +

$(VENV)/installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) -e ".[test,lint]"
	touch $@

# without dependencies: those of torchcfm would bring torchvision
$(VENV)/installed-bench: $(VENV)/installed
	$(INSTALL) -e ".[bench]"
	$(INSTALL) --no-deps torchcfm torchdiffeq pot nflows
	touch $@
