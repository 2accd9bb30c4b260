# What CI runs, people run, by the same name. `make` alone lists the targets.
#
# Everything that is built or installed stays in this folder: .venv, target, build, dist and the extension module in
# python/hangang. The folder's name may hold spaces, so every path here is relative, or quoted where it cannot be.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.DELETE_ON_ERROR:

PYTHON ?= python3
PY := .venv/bin/python
PIP := $(PY) -m pip install --quiet --disable-pip-version-check

# Another environment, activated or inherited, must not be installed into, imported from or built into.
unexport PYTHONPATH PYTHONHOME CONDA_PREFIX
export VIRTUAL_ENV := $(CURDIR)/.venv
export CARGO_TARGET_DIR := $(CURDIR)/target

CARGO := $(shell command -v cargo)
RUST := Cargo.toml $(wildcard Cargo.lock) $(shell find rust -name target -prune -o \( -name '*.rs' -o -name Cargo.toml \) -print)

# --- set-up: stamps in .venv, each made again when what it stands for has changed

# A copied or moved checkout carries an environment and a module that belong to another folder: start again.
ifneq ($(shell test "$$(cat .venv/.checkout 2>/dev/null)" = "$$(pwd -P)" && echo here),here)
.PHONY: .venv/.checkout
endif
.venv/.checkout:
	@$(PYTHON) -c 'import sys; sys.exit("hangang needs Python 3.11 or newer, and $(PYTHON) is " + sys.version.split()[0] + "; try make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	rm -rf .venv python/hangang/_native*.so
	$(PYTHON) -m venv .venv
	@pwd -P > $@

# Prints the requirements of the extras that are named, and those of the build.
REQUIREMENTS := import sys, tomllib; p = tomllib.load(open("pyproject.toml", "rb")); \
	print(*p["build-system"]["requires"], *(r for extra in sys.argv[1:] for r in p["project"]["optional-dependencies"][extra]), sep="\n")

.venv/.run: .venv/.checkout pyproject.toml
	@echo "installing what the command line and the clients need"
	@$(PY) -c '$(REQUIREMENTS)' cli client emulator > .venv/run.txt
	@$(PIP) -r .venv/run.txt
	@touch $@

.venv/.dev: .venv/.run
	@echo "installing what the tests and the checks need"
	@$(PY) -c '$(REQUIREMENTS)' cli client emulator dev > .venv/dev.txt
	@$(PIP) -r .venv/dev.txt
	@touch $@

.venv/.bench: .venv/.dev
	@echo "installing what the benchmarks compare with"
	@$(PY) -c '$(REQUIREMENTS)' cli client bench > .venv/bench.txt
	@$(PIP) -r .venv/bench.txt
	@touch $@

# The native package, from this folder. A build is native or it fails: it never falls back.
ifeq ($(wildcard python/hangang/_native*.so),)
.PHONY: .venv/.native
endif
.venv/.native: .venv/.run pyproject.toml $(RUST)
ifeq ($(CARGO),)
	@echo "cargo was not found: the native module needs Rust; HANGANG_BACKEND=pure does without" >&2; exit 1
endif
	@echo "building the native module"
	@mkdir -p build
	@$(PY) -m maturin develop --release --locked --quiet > build/native.log 2>&1 || { cat build/native.log >&2; exit 1; }
	@HANGANG_BACKEND=native $(PY) -c 'import hangang, pathlib; assert hangang.BACKEND == "native"; assert pathlib.Path(hangang.__file__).is_relative_to(pathlib.Path.cwd())'
	@touch $@

# The pure package, from this folder, editable: no compiler, no network beyond pip's.
.venv/.pure: .venv/.run pyproject.toml Cargo.toml
	@$(PIP) 'hatchling>=1.33'
	@rm -rf build/pure && mkdir -p build
	@$(PY) -m hatchling build -t wheel:editable -d build/pure > build/pure.log 2>&1 || { cat build/pure.log >&2; exit 1; }
	@$(PIP) --force-reinstall --no-deps build/pure/*.whl
	@HANGANG_BACKEND=pure $(PY) -c 'import hangang, pathlib; assert hangang.BACKEND == "pure"; assert pathlib.Path(hangang.__file__).is_relative_to(pathlib.Path.cwd())'
	@touch $@

# Which package a target runs on. The demo may do without Rust, and says so; the tests only when told to.
WITH_RUST := .venv/.native
ifeq ($(HANGANG_BACKEND),pure)
DEMO := .venv/.pure
ifeq ($(CARGO),)
WITH_RUST := .venv/.pure
endif
else ifeq ($(CARGO)$(HANGANG_BACKEND),)
DEMO := .venv/.pure
demo: export HANGANG_BACKEND := pure
else
DEMO := .venv/.native
endif

# --- targets

# The stub is that of a package, for the module has a submodule a dialect. It stands beside the crate: in python/hangang its
# folder would count as a namespace package wherever the module itself is missing. Inspection needs a build of its own.
STUBS = rm -rf build/stubs && $(PY) -m maturin generate-stubs --quiet --locked --features pyo3/experimental-inspect
# stubtest imports the submodules by name, which only a package has.
STUBTEST := import sys, types, hangang._native as native; \
	sys.modules.update({f"hangang._native.{name}": m for name, m in vars(native).items() if isinstance(m, types.ModuleType)}); \
	from mypy.stubtest import main; sys.exit(main())

.PHONY: help setup format lint stubs test test-long asan coverage bench bench-instructions msrv package-test fuzz docs wheel wheel-pure demo clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-18s %s\n", $$1, $$2}' Makefile

setup: .venv/.dev $(WITH_RUST) ## the environment and the native module, in this folder

demo: $(DEMO) ## live streams of all four services, without a key
ifeq ($(CARGO)$(HANGANG_BACKEND),)
	@echo "cargo was not found: running on the pure Python twin (same events, slower)"
endif
	@$(PY) -m hangang demo

format: .venv/.dev ## ruff and rustfmt, in place
	$(PY) -m ruff format
	$(PY) -m ruff check --fix
	cargo fmt --all

lint: .venv/.dev .venv/.native ## formats, lints, types, and the stub of the native module
	$(PY) -m ruff format --check
	$(PY) -m ruff check
	$(PY) -m mypy
	$(PY) -m pyright
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(STUBS) --out build/stubs
	diff -ru rust/hangang-python/stubs build/stubs || { echo "the stub is not the module's: make stubs" >&2; exit 1; }
	MYPYPATH=rust/hangang-python/stubs HANGANG_BACKEND=native $(PY) -c '$(STUBTEST)' hangang._native

stubs: .venv/.run ## the stub of the native module, from its source
	rm -rf rust/hangang-python/stubs
	$(STUBS) --out rust/hangang-python/stubs

# One process a core. `PYTEST_ARGS=-n0` runs the tests in one, for a debugger or a clock.
PYTEST := $(PY) -m pytest -n auto --dist worksteal

# Both halves run, also when the first one fails.
test: .venv/.dev $(WITH_RUST) ## the Rust tests and the Python tests
	@status=0; \
	$(if $(CARGO),cargo test --locked --no-fail-fast -p hangang || status=1;) \
	$(if $(CARGO),cargo test --locked --quiet --manifest-path rust/fuzz/Cargo.toml || status=1;) \
	$(PYTEST) $(PYTEST_ARGS) || status=1; \
	exit $$status

test-long: .venv/.dev $(WITH_RUST) ## the tests, with those that take minutes
	@status=0; \
	$(if $(CARGO),cargo test --locked --no-fail-fast --release -p hangang || status=1;) \
	$(if $(CARGO),cargo test --locked --quiet --manifest-path rust/fuzz/Cargo.toml || status=1;) \
	$(PYTEST) -m '' --timeout 3600 $(PYTEST_ARGS) || status=1; \
	exit $$status

# Not for CI: it takes long, and wants gcc's runtime.
asan: .venv/.dev ## the Python tests on a module built with AddressSanitizer (Linux, with gcc)
	tests/support/asan.sh $(PY) $(PYTEST_ARGS)

coverage: .venv/.dev $(WITH_RUST) ## lines and branches of python/ that the tests reach
	$(PY) -m coverage run -m pytest $(PYTEST_ARGS)
	$(PY) -m coverage report

bench: .venv/.bench .venv/.native ## figures of this machine, beside other libraries (BENCHMARKS.md)
	cargo bench --locked -p hangang --bench decode --bench memcmp
	$(PY) -m pytest benches -m '' --timeout 3600 --benchmark-columns=rounds -q $(PYTEST_ARGS)

bench-instructions: ## instruction counts of the crate against the baseline; ACCEPT=1 writes it (needs valgrind)
	@$(PYTHON) benches/instructions.py $(if $(ACCEPT),--accept)

msrv: ## the crate with the oldest Rust that Cargo.toml promises
	@rust/msrv.sh

package-test: ## the crate's tests from its packed form
	@rust/package-test.sh

# The targets need an unstable compiler flag, and cargo-fuzz; what they find is replayed by `make test` without either.
FUZZ_SECONDS ?= 600
FUZZ_TARGETS = $(notdir $(basename $(wildcard rust/fuzz/fuzz_targets/*.rs)))
fuzz: .venv/.dev .venv/.native ## every fuzz target for FUZZ_SECONDS each (needs cargo-fuzz), then native against pure
	$(PY) rust/fuzz/seeds.py
	cd rust/fuzz && for target in $(FUZZ_TARGETS); do \
		mkdir -p "work/$$target"; \
		RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . --features fuzzing "$$target" \
			"work/$$target" "corpus/$$target" "seeds/$$target" -- \
			-max_total_time=$(FUZZ_SECONDS) -max_len=4096 -timeout=10 "-dict=dict/$$target.dict"; done
	$(PY) rust/fuzz/compare.py --seconds $(FUZZ_SECONDS)

docs: .venv/.dev $(WITH_RUST) ## API pages: target/doc (Rust) and build/docs (Python)
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps -p hangang
	$(PY) -m pdoc -o build/docs hangang $(patsubst %,hangang.%._client,clova exaone gov)

wheel: .venv/.run ## the native wheel of this platform, in dist/
	$(PY) -m maturin build --release --strip --locked --out dist

wheel-pure: .venv/.dev ## the py3-none-any wheel, in dist/
	$(PY) -m hatchling build -t wheel -d dist

clean: ## everything that was built or installed here
	rm -rf .venv build dist target rust/fuzz/target python/hangang/_native*.so
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
	find python tests -name __pycache__ -type d -prune -exec rm -rf {} +

