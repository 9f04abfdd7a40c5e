# The commands of this project. Each does its own set-up, once: a fresh machine needs git, make and Python 3.11.
#
#   make serve    install, and serve the shipped checkpoint on 127.0.0.1:8080 (settings: MCSE_*)
#   make test     install, check the code, run the tests
#   make check    lint, types and import directions alone
#   make test-clients   install the clients of others beside, and run their tests against a service of ours
#   make fuzz     send a service what nobody would write: schemathesis over the description of its interface
#   make faults   the long forms of the tests of faults (hours); each figure below can be given: TEST_STOPS=10, TEST_SEED=2
#   make openapi  write that description, docs/openapi.json
#   make lock     resolve the versions again
#   make kernels  compile the kernels of encoder and search (done by serve and test where they help)
#   make image    build the container image
#   make sbom     write the software bill of materials to dist/sbom.json
#   make audit    look for known vulnerabilities of the locked versions (needs the network)
#   make offline  serve with no network at all, and count what tries to leave
#   make dev      install what training and tests need
#   make tiny     train on drawn shapes for a minute, to see that it learns
#
# TORCH_INDEX names another package index for torch alone, for instance one with CPU builds:
#   make serve TORCH_INDEX=URL

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
IMAGE ?= mcse
SERVE_ARGS ?=
TEST_ARGS ?=
FUZZ_ARGS ?=

BIN := $(VENV)/bin
CLIENTS := $(VENV)-clients
# The kernels are for one platform; elsewhere torch computes and FAISS searches.
KERNELS := $(if $(filter Linux-x86_64,$(shell uname -sm | tr ' ' -)),$(VENV)/.kernels,)
PIP := $(BIN)/python -m pip --disable-pip-version-check
TORCH_FROM := $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX),)

.PHONY: help serve test test-clients fuzz faults check openapi lock kernels image sbom audit offline dev tiny clean

help:
	@sed -n 's/^#   \(make [a-z-]*  .*\)/\1/p' Makefile

serve: $(VENV)/.serve $(KERNELS)
	exec $(BIN)/mcse serve $(SERVE_ARGS)

test: check $(KERNELS)
	$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder $(TEST_ARGS)

# The clients are in an environment of their own, because they want other versions of what mcse stands on.
test-clients: $(VENV)/.dev $(KERNELS) $(CLIENTS)/.installed
	MCSE_TEST_PYTHON=$(abspath $(BIN)/python) $(CLIENTS)/bin/python -m pytest -n auto --dist loadfile \
		-W ignore::ResourceWarning --confcutdir tests/clients tests/clients $(TEST_ARGS)

fuzz: $(VENV)/.dev $(KERNELS) $(CLIENTS)/.installed
	MCSE_TEST_PYTHON=$(abspath $(BIN)/python) $(CLIENTS)/bin/python -m tests.clients.fuzz $(FUZZ_ARGS)

faults: $(VENV)/.dev $(KERNELS)
	$(foreach each,$(LONG),$(firstword $(subst =, ,$(each)))=$${$(firstword $(subst =, ,$(each))):-$(lastword $(subst =, ,$(each)))}) \
		$(BIN)/python -m pytest -s tests/faults $(TEST_ARGS)

LONG := TEST_HOSTILE=100000 TEST_SLOW=500 TEST_STOPS=100 TEST_KILLS=1000 TEST_OPERATIONS=200000 TEST_EVIL=1

openapi: $(VENV)/.serve
	$(BIN)/python -m service.document > docs/openapi.json.new
	mv docs/openapi.json.new docs/openapi.json

check: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

lock: $(VENV)/.dev
	$(BIN)/uv pip compile $(LOCK_OPTIONS) --extra qdrant -o requirements.lock
	echo ziglang==0.17.1 | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate - -o requirements-kernels.lock
	echo pip-audit==2.10.1 | $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate - -o requirements-audit.lock
	$(BIN)/uv pip compile $(LOCK_OPTIONS) --extra dev --no-emit-package mcse -o requirements-dev.lock
	$(BIN)/python -c 'import tomllib; extras = tomllib.load(open("pyproject.toml", "rb"))["project"]; \
		print(*extras["optional-dependencies"]["clients"], sep="\n")' | $(BIN)/uv pip compile -q --universal \
		--python-version 3.11 --generate-hashes --no-header --no-annotate - -o requirements-clients.lock

LOCK_OPTIONS := -q pyproject.toml --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-package torch

kernels: $(KERNELS)

dev: $(VENV)/.dev

tiny: $(VENV)/.dev
	rm -rf runs/tiny
	$(BIN)/mcse prepare shapes --output runs/shapes
	$(BIN)/mcse train configs/tiny_cpu.toml --data runs/shapes --output runs/tiny

image:
	docker build --build-arg TORCH_INDEX="$(TORCH_INDEX)" -t $(IMAGE) .

sbom:
	$(PYTHON) .ci/sbom.py dist/sbom.json

audit: $(VENV)/.audit
	$(PYTHON) .ci/audit.py $(VENV)/audit/bin/pip-audit

offline: $(VENV)/.dev $(KERNELS)
	$(BIN)/python -m pytest -s tests/faults/test_offline.py

clean:
	rm -rf dist $(VENV) $(CLIENTS) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info

# One environment serves both: the development lock holds everything the other holds, at the same versions.
$(VENV)/.serve: requirements.lock requirements-torch.txt pyproject.toml | $(VENV)/.made
	$(call install,requirements.lock)
	@touch $@

$(VENV)/.dev: requirements-dev.lock requirements-torch.txt pyproject.toml | $(VENV)/.made
	$(call install,requirements-dev.lock)
	@touch $@ $(VENV)/.serve

$(CLIENTS)/.installed: requirements-clients.lock
	@$(PYTHON) -m venv $(CLIENTS)
	$(CLIENTS)/bin/python -m pip --disable-pip-version-check install -q --no-deps --require-hashes -r requirements-clients.lock
	@touch $@

# An environment of its own: nothing of it is in what we serve or test with.
$(VENV)/.audit: requirements-audit.lock | $(VENV)/.made
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip --disable-pip-version-check install -q --no-deps \
		--require-hashes --only-binary :all: -r requirements-audit.lock
	@touch $@

# The compiler comes as a package: it stays where tests need it, and is used once and taken away again elsewhere.
$(VENV)/.kernels: requirements-kernels.lock models/compiler.py models/runtime/native/sources.py \
		$(wildcard models/runtime/native/kernel/*) service/search/graph/build.py $(wildcard service/search/graph/kernel/*) \
		| $(VENV)/.serve
	$(BIN)/python -c 'import ziglang' 2>/dev/null || $(PIP) install -q --no-deps --require-hashes --only-binary :all: \
		--target $(VENV)/compiler -r requirements-kernels.lock
	PYTHONPATH=$(VENV)/compiler $(BIN)/python -m models.runtime.native.build
	PYTHONPATH=$(VENV)/compiler $(BIN)/python -m service.search.graph.build
	rm -rf $(VENV)/compiler
	@touch $@

# What is locked comes first and with its hashes; then torch, which brings what its build for this platform needs.
define install
	$(PIP) install -q --no-deps --require-hashes --only-binary :all: -r $(1)
	$(PIP) install -q $(TORCH_FROM) -r requirements-torch.txt
	$(PIP) install -q --no-deps --no-build-isolation -e .
endef

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "mcse needs Python 3.11 or later; name one with PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || \
		{ echo "$(PYTHON) cannot make an environment; on Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@touch $@
