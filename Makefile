# What a person or CI does with Martlet. `make help` lists it; README.md says when to use what.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# Where the toolchain lies on machines that have it unpacked but not on the PATH.
export PATH := $(PATH):/opt/swift/usr/bin

# Arguments for the program that a target starts: make run ARGS="-p 1884 -v", make bench ARGS="--scenarios pairs_q0".
ARGS ?=

# A target whose script is not in this checkout says so and fails: silence would look like success.
define script
@test -x scripts/$(1) || { echo "make $@: scripts/$(1) does not exist yet, so there is nothing to run." >&2; exit 1; }
scripts/$(1) $(2)
endef

# Where `make install` puts it.
PREFIX ?= /usr/local

.PHONY: help run build install test test-unit interoperability conformance conformance-loops simulate login-storm crash reload fuzz fuzz-smoke mutants mutants-smoke \
	chat-picture examples docs relay-cuts bench bench-tls bench-tools bench-library format lint clean setup setup-test

help: ## This list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

run: setup ## Install what running needs, build in release mode, start the broker (ARGS="-p 1884 -v")
	@scripts/build -c release --product martlet
	@exec .build/release/martlet broker $(ARGS)

build: setup ## Build the program in release mode
	@scripts/build -c release --product martlet
	@echo "Built .build/release/martlet"

install: setup ## A release that needs no Swift, and mosquitto's names for its parts (PREFIX=$$HOME/.local)
	@scripts/install $(PREFIX)

test: setup-test ## Install what testing needs, build, and run every test
	@scripts/build --build-tests
	@scripts/test-stages

chat-picture: setup-test ## Draw the chat's screenshots for its guide, from a real terminal
	@scripts/build --product martlet
	PYTHONDONTWRITEBYTECODE=1 .venv/bin/python scripts/chat-picture

examples: setup-test ## Build Examples/ against a tagged clone of this checkout, as a package that depends on it would, and run them
	@scripts/build --product martlet
	scripts/examples

docs: setup ## The client library's pages, by DocC: .build/docs/MQTTClient.doccarchive
	@scripts/build --target MQTTClient
	scripts/docs

test-unit: setup ## Swift's tests alone (ARGS="--filter TidyTests")
	swift test $(ARGS)

interoperability: setup-test ## Real clients against the built broker (ARGS are pytest's)
	@scripts/build --product martlet
	@scripts/build --product martlet-tools
	scripts/interoperability $(ARGS)

conformance: setup-test ## The standard's rules, against Martlet and against mosquitto 2.0.11
	$(call script,conformance,$(ARGS))

conformance-loops: setup-test ## The same against Martlet on three event loops
	$(call script,conformance,--loops 3 martlet)

simulate: setup ## Many shards and clients from a seed (ARGS="--seed 7 --steps 100000")
	$(call script,simulate,$(ARGS))

login-storm: setup-test ## 10,000 logins with passwords at once: all are let in, and others hardly feel it (ARGS="--clients 5000")
	@scripts/build -c release --product martlet
	Benchmarks/login_storm.py --check $(ARGS)
	Benchmarks/login_storm.py --check --overload

crash: setup-test ## Kill the broker under load, hundreds of times; nothing kept may be missing (ARGS="--rounds 50 --seed 7")
	$(call script,crash,$(ARGS))

reload: setup-test ## Reloads while 1,000 clients exchange 5,000 messages a second (ARGS="--seconds 300 --seed 7")
	@scripts/build -c release --product martlet
	$(call script,reload,$(ARGS))

relay-cuts: setup-test ## The client behind a network that is cut 1,000 times, in each version, to each broker (MARTLET_RELAY_SEED=7)
	@scripts/build --build-tests
	MARTLET_RELAY_CUTS=$${MARTLET_RELAY_CUTS:-1000} swift test --skip-build --filter RelayTests

fuzz: setup-test ## Fuzz every target for long (ARGS="--seconds 600")
	$(call script,fuzz,$(ARGS))

fuzz-smoke: setup-test
	$(call script,fuzz-smoke,$(ARGS))

mutants: setup-test ## Break the broker's rules one at a time; every break must be caught
	$(call script,mutants,$(ARGS))

mutants-smoke: setup-test
	$(call script,mutants-smoke,$(ARGS))

bench: setup-test ## The same load against Martlet and mosquitto (ARGS="--scenarios pairs_q0 --rounds 1")
	@scripts/build -c release --product martlet
	scripts/bench $(ARGS)

bench-tls: ## What TLS costs, beside mosquitto: messages, handshakes, memory (ARGS="--rounds 1")
	@scripts/setup bench
	@scripts/build -c release --product martlet
	scripts/bench --help > /dev/null  # builds the load generator
	Benchmarks/tls.py $(ARGS)

bench-tools: setup-test ## martlet pub and sub beside mosquitto's (ARGS="--lines 100000 --rounds 1")
	@scripts/install .build/installed
	Benchmarks/tools.py --tools .build/installed/libexec/martlet --broker '.build/installed/bin/martlet broker -c {conf}' $(ARGS)

bench-library: ## The client library beside Paho's C library (ARGS="--rounds 1 --inflight 100")
	@scripts/setup bench
	@scripts/build -c release --product martlet
	@scripts/build -c release --product library-benchmark
	Benchmarks/library.py $(ARGS)

format: ## Rewrite the Swift sources as .swift-format says
	swift format format --in-place --parallel --recursive Package.swift Sources Apps Tests

lint: ## Fail where the sources differ from .swift-format
	swift format lint --strict --parallel --recursive Package.swift Sources Apps Tests

clean: ## Remove what was built (.venv stays)
	rm -rf .build

setup: ## Install what running needs
	@scripts/setup run

setup-test: ## Install what testing needs
	@scripts/setup test
