# Everything these commands make stays in this checkout: .cache/ (uv and downloads), .venv/ (the
# program) and .dask-cluster/ (environments, states, running clusters and rehearsals).

STACK ?= local
# There is nothing to rehearse of the stack that is local anyway.
REHEARSED := $(if $(filter file,$(origin STACK)),dev,$(STACK))
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null \
	&& { command -v $$p; break; }; done)

export UV := $(CURDIR)/.cache/uv-tool/bin/uv
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export UV_PYTHON_DOWNLOADS := never
# Without compiled files every command imports Pulumi's SDK for a second longer.
unexport PYTHONDONTWRITEBYTECODE
export UV_PYTHON := $(PYTHON)
export UV_PROJECT_ENVIRONMENT := $(CURDIR)/.venv
SYNC := $(UV) sync --locked --quiet
LOCKED := uv.lock pyproject.toml images/environment/pyproject.toml
BIN := .venv/bin

.PHONY: help setup up demo destroy status rehearse rehearse-destroy test test-local test-sandbox test-hosts test-kubernetes check format schema pictures clean
.DEFAULT_GOAL := help

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 26

setup: .venv/.program ## the program alone (.venv), for Pulumi's own commands

up: .venv/.program ## make the cluster of stack $(STACK) what its stack file says
	@$(BIN)/dask-cluster up $(STACK) --yes

status: .venv/.program ## show the running cluster
	@$(BIN)/dask-cluster status $(STACK)

destroy: .venv/.program ## take the cluster down; nothing of it is left
	@$(BIN)/dask-cluster destroy $(STACK) --yes

demo: .venv/.program ## real work on the running cluster: 336,776 flights
	@examples/demo.sh $(STACK)

rehearse: .venv/.rehearsal ## a stack for AWS or Kubernetes on this machine, without either: STACK=dev
	@$(BIN)/dask-cluster rehearse $(REHEARSED) up --yes

rehearse-destroy: .venv/.rehearsal ## end a rehearsal; nothing of it is left
	@$(BIN)/dask-cluster rehearse $(REHEARSED) destroy --yes

test: check ## linters, and all tests but of whole clusters: ten minutes on two cores
	@$(BIN)/pytest -n 3 --dist worksteal --ignore=tests/local --ignore=tests/sandbox \
		--ignore=tests/hosts --ignore=tests/kubernetes

test-local: .venv/.dev ## clusters of real processes: whole lives, kills, faults, each setting
	@$(BIN)/pytest -n 3 --dist worksteal tests/local

test-sandbox: .venv/.dev ## rehearsals: whole lives of stacks, kills, faults, each resource type
	@$(BIN)/pytest -n 3 --dist worksteal tests/sandbox

# Alone is what compares the machine with before.
HOSTS_ALONE := $(patsubst %,tests/hosts/test_%.py,ten ground)
test-hosts: .venv/.dev ## clusters on real hosts; root and Docker; INSTALL=1 installs what is missing
	@$(BIN)/python -m sandbox.hosts $(if $(INSTALL),--install)
	@$(BIN)/pytest $(HOSTS_ALONE)
	@$(BIN)/pytest -n 2 --dist loadfile tests/hosts $(addprefix --ignore=,$(HOSTS_ALONE))

# Alone is what compares the machine with before, and what closes nodes to all pods.
KUBERNETES_ALONE := $(patsubst %,tests/kubernetes/test_%.py,cluster drain thousand)
test-kubernetes: .venv/.dev ## clusters of real pods; root, Docker and Go; INSTALL=1 as above
	@$(BIN)/python -m sandbox.kubernetes $(if $(INSTALL),--install)
	@$(BIN)/python -m tests.kubernetes.browser $(if $(INSTALL),--install)
	@$(BIN)/pytest $(KUBERNETES_ALONE)
	@$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder tests/kubernetes \
		$(addprefix --ignore=,$(KUBERNETES_ALONE))

check: .venv/.dev ## linters, types and the arrows of the design
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@git ls-files -z '*.sh' .ci/run sandbox/*/plugins ':!tests/boot/golden' | xargs -0 $(BIN)/shellcheck
	@$(BIN)/pytest -q tests/test_arrows.py

format: .venv/.dev ## mend what the linters can mend
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

schema: .venv/.program ## write what is generated from the settings' models
	@$(BIN)/python -m components.settings --write

pictures: .venv/.dev ## draw the pictures of docs/
	@$(BIN)/python docs/pictures/rehearsal.py

clean: ## remove what was built; destroy the clusters first
	@! ls .dask-cluster/state/* .dask-cluster/clusters/* 2>/dev/null | grep -q . || \
		{ echo "a stack is up: run 'make destroy' first" >&2; exit 1; }
	@! ls .dask-cluster/rehearsals/* 2>/dev/null | grep -q . || \
		{ echo "a rehearsal is up: run 'make rehearse-destroy STACK=...' first" >&2; exit 1; }
	rm -rf .cache .venv .dask-cluster

# The program alone: what `make up` needs. What `make test` added stays (--inexact).
.venv/.program: $(UV) $(LOCKED)
	@echo "setting up the program (.venv) ..."
	@$(SYNC) --no-default-groups --inexact
	@touch $@

# And the AWS of a rehearsal. Its Kubernetes needs no package more: `python -m sandbox.kubernetes`.
.venv/.rehearsal: $(UV) $(LOCKED)
	@echo "setting up the program and the AWS of a rehearsal (.venv) ..."
	@$(SYNC) --no-default-groups --group rehearsal --inexact
	@touch $@ .venv/.program

.venv/.dev: $(UV) $(LOCKED)
	@echo "setting up the program and its tests (.venv) ..."
	@$(SYNC)
	@touch $@ .venv/.program .venv/.rehearsal

$(UV): images/environment/uv.txt
	@test -n "$(PYTHON)" || \
		{ echo "Python 3.11, 3.12 or 3.13 is needed, and none is on PATH. Set PYTHON=..." >&2; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null 2>&1 || \
		{ echo "$(PYTHON) has no pip: leave its environment (deactivate), or set PYTHON=..." >&2; exit 1; }
	@echo "fetching uv from PyPI (.cache) ..."
	@rm -rf .cache/uv-tool
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action=ignore \
		--no-cache-dir --require-hashes --target .cache/uv-tool --requirement $<
	@touch $@
