# Every word sets up what it needs: .venv holds the locked set for this machine (cpu, or gpu where a GPU answers).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

# a PYTHONPATH from outside would put other packages before the locked ones
unexport PYTHONPATH PYTHONHOME
# where no bytecode is kept each process compiles torch, transformers and vLLM anew: 57 s of imports instead of 22
unexport PYTHONDONTWRITEBYTECODE

SET ?= $(shell nvidia-smi -L 2>/dev/null | grep -q '^GPU' && echo gpu || echo cpu)
override SET := $(SET)
READY := .venv/.ready-$(SET)
BIN := .venv/bin
# two processes of tests, one of them with an engine, and what they start take 13 GiB; files in their own order, since
# those with the fewest tests, which would come last, are the longest
SHARED_OUT := --numprocesses 2 --dist loadfile --no-loadscope-reorder
IN_TWO = $(shell awk '/^MemAvailable/ && $$2 > 14 * 2^20 { print "$(SHARED_OUT)" }' /proc/meminfo)
QUESTION ?= How long is the warranty on Corvus pumps?
ARGS ?=

.PHONY: help
help: ## this list
	@echo "make WORD, where WORD is one of"
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-11s %s\n", $$1, $$2 }' Makefile
	@echo "SET=cpu or SET=gpu chooses the locked set by hand; here it is $(SET)."

.PHONY: run
run: $(READY) ## ingest the example documents into .data and answer a question about them
	@RAGAPP_DATA=.data configs/setup/first-run "$(QUESTION)"

.PHONY: up
up: $(READY) ## start the service and its web page with the example documents; Ctrl-C stops both (ARGS="--port 8500")
	@RAGAPP_DATA=.data $(BIN)/ragapp up $(ARGS)

.PHONY: secrets
secrets: ## write what docker compose needs and git must not have: secrets/ and .env (SET=gpu or SET=cpu)
	@configs/compose/prepare $(SET)

.PHONY: test
test: $(READY) ## run the tests (ARGS="tests/ragapp -x" is handed to pytest)
	@configs/setup/browser
	@$(BIN)/pytest $(or $(ARGS),$(IN_TWO))

.PHONY: check
check: $(READY) ## ruff, mypy and the import floors
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports

.PHONY: screenshots
screenshots: $(READY) ## take a picture of every page, wide and narrow, light and dark, to be looked at
	@configs/setup/browser
	@$(BIN)/python docs/make_screenshots.py

.PHONY: torture
torture: $(READY) ## kill a sync at fifty random moments (ARGS=--power-cut), or try everybody's rights at every door (ARGS=rights)
	@$(BIN)/python -m benchmarks.torture $(ARGS)

.PHONY: bench
bench: $(READY) ## measure what is promised about speed; figures go to docs/performance.md
	@configs/setup/bench
	@$(BIN)/python -m benchmarks $(ARGS)

.PHONY: setup
setup: $(READY) ## only install
	@echo "Ready: the $(SET) set in .venv"

.PHONY: lock
lock: ## bring the locks up to pyproject.toml (UPGRADE=1 takes the newest releases)
	@[[ -x $(BIN)/uv ]] || configs/setup/install $(SET) # a lock that can't be installed any more can still be renewed
	@configs/setup/lock $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## remove .venv, caches and builds; .data with your documents stays
	@rm -rf .venv dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@echo "Removed .venv, caches and builds; .data stays (remove it by hand to start anew)."

# A clone that was moved, or a set-up that was interrupted, is set up again.
ifneq ($(shell cat $(READY) 2>/dev/null),$(CURDIR))
.PHONY: $(READY)
endif

$(READY): pyproject.toml configs/locks/$(SET).txt configs/setup/install configs/setup/sources
	@configs/setup/install $(SET)
