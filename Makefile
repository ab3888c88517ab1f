# setup demo test check bench docs: each calls what CI calls.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUST_SOURCES := $(shell find rust -name '*.rs' -o -name 'Cargo.toml') Cargo.toml Cargo.lock
INPUT ?=
PROTOCOL ?=
SECONDS ?= 60
RUN_SECONDS ?= 60
DECODER ?=
READINGS ?= 100000
KILLS ?= 500
SEEDS ?= 10000
METERS ?= 200
SOAK_SECONDS ?= 1800

.PHONY: setup peers demo lab test test-all fuzz fuzz-python fuzz-core soak timing check format bench instructions docs clean

setup: $(VENV)/.built

$(VENV)/.installed: requirements-dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --requirement requirements-dev.txt
	touch $@

$(VENV)/.built: $(VENV)/.installed pyproject.toml $(RUST_SOURCES)
	VIRTUAL_ENV=$(abspath $(VENV)) $(BIN)/maturin develop --release --locked --quiet
	touch $@

test: setup  ## the fast tests: Rust without Python, then Python on every back-end
	cargo test --quiet --locked --profile memcheck -p meterseal-core
	$(BIN)/pytest -n auto -m "not slow"

test-all: setup  ## the long tests too, and examples that no run had before
	cargo test --quiet --locked --profile memcheck -p meterseal-core
	$(BIN)/pytest -n auto --hypothesis-profile=searching

fuzz: fuzz-python fuzz-core  ## long runs of every decoder: make fuzz SECONDS=600

fuzz-python: setup  ## decoders under atheris, altered handshakes: make fuzz-python SECONDS=60 DECODER=certificate
	$(BIN)/pip install --quiet atheris==3.0.0
	$(BIN)/python tests/fuzz/run.py $(SECONDS) $(if $(DECODER),"$(DECODER)")
	$(if $(DECODER),,$(BIN)/python tests/fuzz/handshakes.py $(SECONDS))

fuzz-core:  ## under libFuzzer: make fuzz-core SECONDS=60 DECODER=ciphertext
	rust/fuzz/run.sh $(SECONDS) $(DECODER)

timing: setup  ## do times tell secrets? make timing SECONDS=60 for each operation on each back-end, on a quiet machine
	$(BIN)/meterseal lab attack timing --seconds $(SECONDS)

lab: setup  ## the design's experiment with its page in lab-out/, and the tests of randomness
	$(BIN)/meterseal lab experiment --out lab-out
	$(BIN)/meterseal lab random

soak: setup  ## kills, seeds and endurance in their long forms: make soak READINGS=0 SEEDS=50000
	$(BIN)/python tests/soak/run.py $(READINGS) $(KILLS) $(SEEDS) $(METERS) $(SOAK_SECONDS)

check: setup docs  ## formatting, lint, types, stubs, import contracts, docs
	cargo fmt --all --check
	cargo clippy --quiet --locked --all-targets -- --deny warnings
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/stubtest meterseal._core --allowlist tests/stubtest-allowlist.txt
	$(BIN)/lint-imports
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --offline check bans licenses sources; \
	else echo "cargo-deny is not installed: licences and sources of crates not checked"; fi

demo: setup  ## a sealed session, then the whole system: make demo INPUT=readings.csv PROTOCOL=tlcp
	$(BIN)/meterseal demo $(if $(INPUT),--input $(INPUT)) $(if $(PROTOCOL),--protocol $(PROTOCOL))
	rm -rf demo-out/system
	$(BIN)/meterseal up --dir demo-out/system --seconds $(RUN_SECONDS) \
		$(if $(INPUT),--input $(INPUT)) $(if $(PROTOCOL),--protocol $(PROTOCOL))

peers: setup  ## what tests and benchmarks compare us with, from Debian (as root) and PyPI
	tests/peers/install.sh

bench: peers  ## our speed beside that of others, in one run
	$(BIN)/python benchmarks/primitives.py --json build/primitives.json \
		--page build/primitives.md --chart build/primitives.svg
	$(MAKE) instructions
	$(BIN)/python benchmarks/connections.py --sockets 10000 --loopback 256 --json build/bench.json
	$(BIN)/python benchmarks/python_share.py
	$(BIN)/python benchmarks/station.py
	$(BIN)/python benchmarks/metering.py
	$(BIN)/python benchmarks/pipeline.py --json build/pipeline.json
	$(BIN)/python benchmarks/page.py build/bench.json build/pipeline.json \
		--page build/connections.md --chart build/connections.svg

instructions: setup  ## of the core, by callgrind: fails if they are more than those kept
	$(BIN)/python benchmarks/instructions.py

docs: setup  ## guides and reference as a site, in build/docs: open build/docs/index.html
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	RUSTDOCFLAGS="--deny warnings" cargo doc --quiet --locked --no-deps

format:
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) target
