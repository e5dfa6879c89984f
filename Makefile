# Everything runs in .venv, which the first target that needs it makes. `make` alone lists the targets.

# Asked, not looked up: a pyenv shim named python3.11 may exist and still refuse to run.
PYTHON ?= $(shell python3.11 -c '' 2>/dev/null && echo python3.11 || echo python3)
JOBS   ?= 2
BIN    := .venv/bin
# -qq: only errors; a configured index that lacks a package is a warning, and no news.
PIP    := $(BIN)/python -m pip -qq --disable-pip-version-check
CODE   := src tests tools $(wildcard benchmarks docs examples)
# Tests start the command hundreds of times: with its modules compiled once, each start takes a third of the time.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test lint format slow frameworks corpus corpus-code train katex answer docs check-all bench bench-all clean

help:  ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))

demo: .venv/.stamp-demo  ## derive backpropagation for one layer, in a bare environment
	@$(BIN)/pullback derive examples/layer.eqn

test: .venv/.stamp-test  ## the tests and the doctests
	$(BIN)/python -m pytest -q -n $(JOBS) --doctest-modules tests src/pullback

lint: .venv/.stamp-lint  ## formatting, ruff, mypy --strict
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy

format: .venv/.stamp-lint  ## format the code and mend what ruff can
	$(BIN)/ruff check --fix $(CODE)
	$(BIN)/ruff format $(CODE)

slow: .venv/.stamp-test  ## only the tests marked slow
	PULLBACK_SLOW=1 $(BIN)/python -m pytest -q -n $(JOBS) -m slow tests

frameworks: .venv-frameworks/.stamp  ## the same layers in PyTorch and TensorFlow (an environment of their own: large)
	.venv-frameworks/bin/python -m pytest -q -m slow tests/test_frameworks.py tests/test_training.py
	.venv-frameworks/bin/python -m pytest -q -m "slow or not slow" tests/code -k "torch or tensorflow"

corpus: .venv/.stamp-test  ## derive every problem of ../shared/corpora (or PULLBACK_CORPORA), compare with JAX
	$(BIN)/python tools/run_corpus.py --jobs $(JOBS)

corpus-code: .venv/.stamp-test .venv-frameworks/.stamp  ## the same through the generated code of every target
	$(BIN)/python tools/run_corpus.py --jobs $(JOBS) --points 1 --target numpy
	NUMBA_DISABLE_JIT=1 $(BIN)/python tools/run_corpus.py --jobs $(JOBS) --points 1 --target numba  # compiled ones: tests/code/test_numba.py
	JAX_ENABLE_X64=1 $(BIN)/python tools/run_corpus.py --jobs $(JOBS) --points 1 --target jax
	.venv-frameworks/bin/python tools/run_corpus.py --jobs $(JOBS) --points 1 --target torch
	.venv-frameworks/bin/python tools/run_corpus.py --jobs $(JOBS) --points 1 --target tensorflow

train: .venv-frameworks/.stamp  ## two networks trained by the derived backward pass: digits (beside PyTorch), and a text by BPTT
	OPENBLAS_NUM_THREADS=1 .venv-frameworks/bin/python examples/training/digits.py
	OPENBLAS_NUM_THREADS=1 .venv-frameworks/bin/python examples/training/characters.py

katex: .venv/.stamp-test  ## typeset every golden .tex (KaTeX; and LaTeX where there is one)
	$(BIN)/python tools/katex_check.py
	$(BIN)/python tools/latex_compile.py

answer: .venv/.stamp-docs  ## docs/answer.md, the reply to the question, and build/answer.html
	$(BIN)/python tools/answer.py --html build/answer.html

docs: .venv/.stamp-docs  ## the documentation, in build/docs
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -b html docs build/docs
	@echo "documentation: build/docs/index.html"

check-all: lint test slow frameworks corpus-code katex docs  ## everything above

bench: .venv/.stamp-test  ## the benchmarks (with .venv-frameworks and .venv-bench, where they are, beside other systems)
	$(BIN)/python benchmarks/run.py

.venv-bench/.stamp: pyproject.toml
	@echo "installing the systems that are measured beside ours ..."
	@$(PYTHON) -m venv .venv-bench
	@.venv-bench/bin/python -m pip -qq --disable-pip-version-check install torch==2.13.0 sympy tensorgrad pytensor casadi
	@touch $@

bench-all: .venv-frameworks/.stamp .venv-bench/.stamp bench  ## the benchmarks, beside all other systems

clean:  ## back to a fresh clone
	rm -rf .venv .venv-frameworks .venv-bench build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find src tests tools docs benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(BIN)/python:
	@echo "setting up .venv ($$($(PYTHON) --version)) ..."
	@$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }  # half an environment would pass for a whole one

# TensorFlow and JAX ask for different versions of the packages that they share.
.venv-frameworks/.stamp: pyproject.toml
	@echo "installing pullback[frameworks] (the first time, this takes some minutes) ..."
	@$(PYTHON) -m venv .venv-frameworks
	@.venv-frameworks/bin/python -m pip -qq --disable-pip-version-check install -e ".[frameworks]"
	@touch $@

# `demo` is the package alone, with no dependency; any other stamp is the extra of that name.
.venv/.stamp-demo: pyproject.toml | $(BIN)/python
	@echo "installing pullback ..."
	@$(PIP) install -e .
	@touch $@

.venv/.stamp-%: pyproject.toml | $(BIN)/python
	@echo "installing pullback[$*] (the first time, this takes a minute) ..."
	@$(PIP) install -e ".[$*]"
	@touch $@
