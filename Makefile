# What people and CI run. `make setup TORCH=cuda` takes the GPU build of torch (several GB) instead of the CPU build.
# Arguments are passed on: `make demo ARGS="--seed 3"`, `make test ARGS="tests/agent -x"`.
SHELL := /bin/bash
PACKAGES := action_space environments vlm agent evals
BIN := .venv/bin
ARGS ?=
export TORCH PYTHON

.PHONY: help setup demo demo-android demo-desktop test check format clean

help:
	@echo "make demo          the main job: the bundled model fills a form in a real browser"
	@echo "make demo-android  the same on a simulated phone, behind a real adb server"
	@echo "make demo-desktop  the same on a virtual desktop with real programs (Linux)"
	@echo "make test     the whole test suite"
	@echo "make check    formatting, lint and types"
	@echo "make setup    only set up (.venv, packages, Chromium); the others do it too"
	@echo "make format   format and fix what can be fixed"
	@echo "make clean    remove caches and recorded runs; .venv stays"

setup:
	@scripts/setup

demo: setup
	@$(BIN)/python -m evals.online.demo $(ARGS)

demo-android: setup
	@$(BIN)/python -m evals.online.demo_android $(ARGS)

demo-desktop: setup
	@$(BIN)/python -m evals.online.demo_desktop $(ARGS)

# Two files at a time: most tests wait for browsers and devices. ARGS="-n 0" for one at a time.
test: setup
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(ARGS)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy --strict $(PACKAGES)

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf runs build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
	find $(PACKAGES) tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +
