# One list of commands for people, hooks and CI. `make` prints it.
# Needs Python 3.11 or newer with venv, and a package registry; everything else is installed into .venv.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
ROOMS := finops ledger sql doors collector query_api standalone examples benchmarks grafana
# Test processes; each starts a PostgreSQL of its own.
JOBS ?= 2
# Further words for pytest, as in: make test TESTS="tests/unit -k pricing"
TESTS ?=
# The first interpreter that runs and is new enough; name another with PYTHON=...
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python3.14; do \
	"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo "$$python"; break; }; done)

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup demo run test storm soak check fmt bench corpus-report lock audit sbom hooks clean test-timescale \
	collector-build collector-config compiled test-compiled test-kafka node-agent client-tools peers \
	examples helm-tools image image-base dashboards

help:  ## Print this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s  %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP)  ## Make .venv with everything pinned by hash (nothing to do when it is up to date)

$(STAMP): requirements/development.txt pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer was not found; name it with PYTHON=/path/to/python" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || { \
		echo "Making $(VENV) with $$($(PYTHON) --version)"; $(PYTHON) -m venv --clear $(VENV); }
	@echo "Installing $$(grep -c == requirements/development.txt) pinned packages (a minute or so on a first run)"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/development.txt
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

demo: setup  ## Start everything, run the example agents, print what they spent; stays up (ONCE=1: check the figures and exit)
	@$(BIN)/agent-finops demo $(if $(filter 1 yes true,$(ONCE)),--once)

run: setup  ## An empty ledger, ready for your own agents: database, collector, query API, page
	@$(BIN)/agent-finops up

test: setup  ## The whole suite, on the embedded PostgreSQL; says what was skipped and why
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup $(TESTS)

storm: setup  ## Half an hour of kills, crashes, outages and bad networks, and every broken build found out
	@STORM=long $(BIN)/python -m pytest -q -s -n 0 tests/storm $(TESTS)

soak: setup  ## A steady load for MINUTES (60): memory and answers stay as they are
	@PYTHONPATH=.:tests $(BIN)/python tests/storm/storm_soak.py --minutes $(or $(MINUTES),60)

test-timescale: setup  ## The contract suite on a TimescaleDB Community of yours: URL=postgresql://superuser@host/postgres
	@test -n "$(URL)" || { echo "name the server: make test-timescale URL=postgresql://superuser@host/postgres" >&2; exit 2; }
	@FINOPS_TEST_TIMESCALE_URL="$(URL)" $(BIN)/python -m pytest -q -n $(JOBS) --dist loadgroup -m timescale tests/contract

check: setup  ## Format, lint, types and import walls; changes nothing
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

fmt: setup  ## Format, and mend what the linter can mend
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: setup  ## Measure what is claimed: speeds, memory, reports, storage (minutes; URL=... also on a TimescaleDB of yours)
	@$(BIN)/python -m benchmarks.counting --profile
	@if command -v cc >/dev/null; then $(MAKE) compiled && $(BIN)/python -m benchmarks.counting --compiled --memory-spans 200000; \
		else echo "the compiled modules are not measured: there is no C compiler"; fi
	@$(BIN)/python -m benchmarks.repricing
	@$(BIN)/python -m benchmarks.authentication
	@$(BIN)/python -m benchmarks.storage
	@$(if $(URL),$(BIN)/python -m benchmarks.storage --server "$(URL)",true)
	@$(BIN)/python -m benchmarks.panels
	@$(BIN)/python -m benchmarks.page
	@$(BIN)/python -m benchmarks.exports
	@$(BIN)/python -m benchmarks.ingest --shape bare
	@$(BIN)/python -m benchmarks.ingest --shape attr
	@$(BIN)/python -m benchmarks.ingest --spans 10 --rate 1500 --senders 20
	@$(BIN)/python -m benchmarks.runaways
	@$(BIN)/python -m benchmarks.burning
	@$(BIN)/python -m benchmarks.decisions
	@$(BIN)/python -m benchmarks.noticing

peers: setup  ## Other tools that take OTLP beside us on the same bytes, and on the recordings (an hour; kept in ~/.cache)
	@$(BIN)/python -m benchmarks.peers --runs 3
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.peers.corpus --into build/peers
	@PYTHONPATH=tests $(BIN)/python -m benchmarks.peers.verdicts build/peers

client-tools: setup  ## Client libraries of other tools, for the tests of docs/coming-from-*.md (kept in ~/.cache)
	@tests/client-tools.sh "$(CURDIR)/$(BIN)"

compiled: build/compiled/.made  ## The hot modules compiled by mypyc into build/compiled (takes a C compiler and a minute)

build/compiled/.made: $(STAMP) hatch_build.py pyproject.toml $(wildcard finops/*.py collector/*.py ledger/*.py)
	@rm -rf build/compiled && mkdir -p build/compiled
	@FINOPS_COMPILE=1 $(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir build/compiled .
	@$(BIN)/python -m zipfile -e build/compiled/*.whl build/compiled && rm build/compiled/*.whl && touch $@

test-compiled: compiled  ## The tests of the rules and the dialects, on the compiled modules
	@$(BIN)/pytest -q -n $(JOBS) -o pythonpath="build/compiled tests" tests/unit $(TESTS)

corpus-report: setup  ## Every recording of a real library: expected, got, verdict
	@PYTHONPATH=tests $(BIN)/python -m corpus_report

collector-build:  ## The real OpenTelemetry Collector for the tests, by its builder (Go; minutes; kept in ~/.cache)
	@examples/opentelemetry-collector/build.sh

test-kafka: setup collector-build  ## Agent, Collector, a real Kafka, Collector, us (Java 17 and Maven; fetches Kafka to ~/.cache)
	@mvn -q -B -f tests/kafka-pom.xml dependency:copy-dependencies \
		-DoutputDirectory="$${XDG_CACHE_HOME:-$$HOME/.cache}/agent-finops/kafka"
	@FINOPS_TEST_KAFKA=1 $(BIN)/python -m pytest -q -n 0 -k kafka tests/integration/test_collector_outage.py

node-agent:  ## What the Node example needs, for its test (Node 20 or newer with npm; kept in ~/.cache)
	@cache="$${XDG_CACHE_HOME:-$$HOME/.cache}/agent-finops/node-agent"; mkdir -p "$$cache"; \
	cp examples/node/package.json "$$cache"; \
	npm install --prefix "$$cache" --no-package-lock --no-audit --no-fund --loglevel=error

examples: setup  ## Agents of seven frameworks under auto-instrumentation, each compared with its bill (installs them in ~/.cache)
	@$(BIN)/python examples/frameworks/install.py
	@FINOPS_TEST_EXAMPLES=all $(BIN)/python -m pytest -q -n 0 tests/integration/test_framework_agents.py

helm-tools: setup  ## Helm, kubeconform and schemas to check the chart with (Go; minutes; kept in ~/.cache)
	@PYTHON="$(CURDIR)/$(BIN)/python" helm/fetch-tools.sh

image:  ## The container image agent-finops, by docker, podman or buildah (BASE=another Debian 12, BUILD_WORDS=further options)
	@for builder in docker podman buildah; do \
		$$builder info >/dev/null 2>&1 && exec $$builder build $(if $(BASE),--build-arg BASE=$(BASE)) $(BUILD_WORDS) \
			--tag agent-finops:0.1.0 .; \
	done; echo "docker, podman or buildah is needed, and none that runs was found" >&2; exit 1

image-base:  ## A base for the image out of Debian's packages, where no registry of images can be reached (root, debootstrap, buildah)
	@helm/base-image.sh

dashboards: setup  ## Write the Grafana dashboards from grafana/boards to where the chart ships them
	@$(BIN)/python -m grafana

collector-config: setup  ## Bring otel-config.yaml up to date with the dialect tables
	@$(BIN)/python -m collector.in_front otel-config.yaml

lock: setup  ## Choose dependencies anew within pyproject.toml's ranges; writes requirements/
	@for lock in "runtime" "development --extra apprise --extra demo --extra dev --extra oidc --extra parquet"; do \
		set -- $$lock; name=$$1; shift; echo "requirements/$$name.txt"; \
		$(BIN)/uv pip compile pyproject.toml "$$@" --quiet --upgrade --universal --python-version 3.11 \
			--generate-hashes --no-header --no-annotate \
			--output-file "requirements/$$name.txt"; \
	done

audit: setup  ## Known weaknesses of what is pinned (pip-audit); says so where no advisories can be had
	@$(BIN)/python requirements/audit.py requirements/runtime.txt requirements/development.txt

sbom: setup  ## What is pinned, as CycloneDX: sbom.json; says so where the tool cannot be had
	@$(BIN)/uv tool run --quiet --from cyclonedx-bom==7.5.0 cyclonedx-py requirements requirements/runtime.txt \
		--pyproject pyproject.toml --output-reproducible --output-file sbom.json 2>sbom.log \
		&& rm -f sbom.log && echo "sbom.json: $$(grep -c '"purl"' sbom.json) packages" \
		|| { tail -n 3 sbom.log; echo "no SBOM was made: cyclonedx-bom could not be had or did not run (sbom.log)"; }

hooks: setup  ## Let git run `make check` before each commit
	@$(BIN)/pre-commit install

clean:  ## Remove .venv and caches; never a ledger
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find $(wildcard $(ROOMS)) tests -name __pycache__ -type d -prune -exec rm -rf {} +
