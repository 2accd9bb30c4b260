# What CI runs, people run, by the same name. `make` alone lists the targets. What takes more than a line or two is in
# scripts/, which says what it does.
#
# Everything that is built or installed stays in this folder: .venv, target, build, dist and the extension module in
# python/hangang. The folder's name may hold spaces, so every path here is relative, or quoted where it cannot be.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

PYTHON ?= python3
export PY := .venv/$(if $(filter Windows_NT,$(OS)),Scripts/python.exe,bin/python)
SETUP := @$(PYTHON) scripts/setup.py

# Another environment, activated or inherited, must not be installed into, imported from or built into.
unexport PYTHONPATH PYTHONHOME CONDA_PREFIX
export VIRTUAL_ENV := $(CURDIR)/.venv
export CARGO_TARGET_DIR := $(CURDIR)/target

CARGO := $(shell command -v cargo)

# Every target is a command: its set-up and scripts find out what there is to do.
.PHONY: help setup format lint stubs test test-long asan coverage bench bench-streams bench-instructions msrv package-test fuzz docs wheel wheel-pure wheels check-wheels check-release audit demo clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-18s %s\n", $$1, $$2}' Makefile

setup: ## the environment and the native module, in this folder
	$(SETUP) dev tests

# Only the demo may do without Rust by itself, and says so.
ifeq ($(CARGO)$(HANGANG_BACKEND),)
demo: export HANGANG_BACKEND := pure
endif
demo: ## live streams of all services, without a key
	@$(if $(CARGO)$(HANGANG_BACKEND),,echo "cargo was not found: running on the pure Python twin (same events, slower)")
	$(SETUP) run demo
	@$(PY) -m hangang demo

format: ## ruff and rustfmt, in place
	$(SETUP) dev
	$(PY) -m ruff format
	$(PY) -m ruff check --fix
	cargo fmt --all

lint: ## formats, lints, types, spelling, workflows, and the stub of the native module
	$(SETUP) dev native
	@scripts/lint

stubs: ## the stub of the native module, from its source
	$(SETUP) run
	@scripts/stubs rust/hangang-python/stubs

# One process a core. `PYTEST_ARGS=-n0` runs the tests in one, for a debugger or a clock.
test: ## the Rust tests and the Python tests
	$(SETUP) dev tests
	@scripts/test $(PYTEST_ARGS)

test-long: ## the tests, with those that take minutes
	$(SETUP) dev tests
	@scripts/test --long $(PYTEST_ARGS)

asan: ## the Python tests on a module built with AddressSanitizer (Linux, with gcc)
	$(SETUP) dev
	@scripts/asan $(PYTEST_ARGS)

# In one process: what pytest-xdist's workers run is not counted, and `-n` in PYTEST_ARGS would report next to nothing.
coverage: ## lines and branches of python/ that the tests reach
	$(SETUP) dev tests
	$(PY) -m coverage run -m pytest $(PYTEST_ARGS)
	$(PY) -m coverage report

bench: ## figures of this machine, beside other libraries (BENCHMARKS.md)
	$(SETUP) dev bench native
	cargo bench --locked -p hangang --bench decode --bench memcmp
	$(PY) -m pytest benches -m '' --timeout 3600 --benchmark-columns=rounds -q $(PYTEST_ARGS)

bench-streams: ## many live streams beside other clients, and the chart of the README (an hour; openssl for TLS)
	$(SETUP) dev bench native
	$(PY) -m benches.streams --out build/streams.json --chart docs/streams.svg $(STREAMS)

bench-instructions: ## instruction counts of the crate against the baseline; ACCEPT=1 writes it (needs valgrind)
	@$(PYTHON) benches/instructions.py $(if $(ACCEPT),--accept)

msrv: ## the crate with the oldest Rust that Cargo.toml promises
	@scripts/msrv

package-test: ## the crate's tests from its packed form
	@scripts/package-test

fuzz: ## every fuzz target for FUZZ_SECONDS each (needs cargo-fuzz), then native against pure
	$(SETUP) dev native
	@scripts/fuzz $(or $(FUZZ_SECONDS),600)

docs: ## the site, in build/site, and the crate's pages, in target/doc
	$(SETUP) dev tests
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --no-deps -p hangang
	$(PY) scripts/site.py

wheel: ## the native wheel of this platform, in dist/ (on Linux: manylinux2014)
	$(SETUP) run zig
	@$(PY) scripts/wheels.py build --kind abi3 --here

wheel-pure: ## the py3-none-any wheel, in dist/
	$(SETUP) dev
	@$(PY) scripts/wheels.py build --kind pure

wheels: ## every wheel that can be built here, and the sdist; says why the others cannot
	$(SETUP) run zig
	@$(PY) scripts/wheels.py build

check-wheels: ## dist/: tags, contents, installed and run on every CPython here; QUICK=1 on one
	$(SETUP) run wheel-checks
	@$(PY) scripts/check_wheels.py $(if $(QUICK),--quick)

check-release: ## fails if dist/ lacks a file of a release
	$(SETUP) run
	@$(PY) scripts/wheels.py missing

audit: ## what is known against the dependencies (needs cargo-deny; OFFLINE=1 reads no advisories)
	$(SETUP) dev audit
	@scripts/audit $(if $(OFFLINE),--offline)

clean: ## everything that was built or installed here
	rm -rf .venv build dist target rust/fuzz/target python/hangang/_native*.so
	rm -rf .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage htmlcov
	find python tests -name __pycache__ -type d -prune -exec rm -rf {} +
