# What a developer or a CI runs here. `make` alone lists it all.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory --warn-undefined-variables

GO ?= go
BIN := $(CURDIR)/.bin
GOLANGCI_VERSION := v2.15.0
GOLANGCI := $(BIN)/golangci-lint-$(GOLANGCI_VERSION)

PKG ?= ./...
COUNT ?= 10
FUZZ ?= .
FUZZTIME ?= 10s
BENCHFLAGS ?=
FAULTFLAGS ?=
CI ?=

# The unit tests: all packages but integration/.
UNIT = $$($(GO) list $(PKG) | grep -v '/integration\(/\|$$\)')

# Shell code that sets $race to -race where the race detector works. It needs a
# C compiler; nothing else here does, so without one the tests run unguarded and
# say so, except in CI.
RACE = race=-race; \
	if ! $(GO) build -race runtime/cgo 2>/dev/null; then \
		if [ -n "$(CI)" ]; then echo "make: no race detector: install gcc and the C headers" >&2; exit 1; fi; \
		echo "*** NO RACE DETECTOR: it needs gcc and the C headers. Data races will go unnoticed in this run. ***" >&2; \
		race=; export CGO_ENABLED=0; \
	fi

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.PHONY: demo
demo: ## Run the demo: an agent, six receivers, and what becomes of the messages
	@$(GO) run ./cmd/outrider demo

.PHONY: test
test: ## Run the unit tests, with the race detector where there is a C compiler (PKG=./...)
	@$(RACE); $(GO) test $$race $(UNIT)

.PHONY: race
race: ## Run the unit tests COUNT times, shuffled, with the race detector (COUNT=10 PKG=./...)
	@$(GO) test -race -count=$(COUNT) -shuffle=on $(UNIT)

.PHONY: fuzz
fuzz: ## Fuzz each target for FUZZTIME (FUZZTIME=10s FUZZ=regexp PKG=./...)
	@targets=$$($(GO) test -list '^Fuzz' $(UNIT) | awk '/^Fuzz/ { names[++n] = $$1 } /^ok/ { for (i = 1; i <= n; i++) print $$2, names[i]; n = 0 }' | grep -E '$(FUZZ)') || { echo "make: no fuzz target matches" >&2; exit 1; }; \
	while read -r package name; do \
		echo "fuzz $${package#*/*/*/} $$name $(FUZZTIME)"; \
		out=$$($(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$package" 2>&1) || { echo "$$out" >&2; exit 1; }; \
	done <<<"$$targets"

.PHONY: bench
bench: ## Run the benchmark program (BENCHFLAGS="...")
	@$(GO) run ./bench $(BENCHFLAGS)

# What the tests need beside Debian's packages; see .ci/run for those.
.PHONY: peers
peers: ## Make the AMQP peers that the integration tests talk to, in .peers
	@CI=$(CI) integration/brokers/peers/install .peers

.PHONY: integration
integration: peers ## Run the integration tests
	@$(RACE); $(GO) test $$race ./integration/...

# Without the race detector: what is tried is a child process.
.PHONY: fault
fault: ## Kill, break and starve daemons (FAULTFLAGS="-long -seed 42"); strace and root let it try all
	@$(GO) test -count=1 -timeout 3h ./integration/fault -full $(FAULTFLAGS)

.PHONY: lint
lint: $(GOLANGCI) ## Run every static check
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt would change, run make fmt:" >&2; echo "$$unformatted" >&2; exit 1; }
	@$(GO) vet ./...
	@$(GO) mod tidy -diff || { echo "make: go.mod or go.sum is not tidy: run go mod tidy" >&2; exit 1; }
	@$(MAKE) lint-paths
	@$(GOLANGCI) run ./...

# Windows stands for itself and for systems with 32 bits.
.PHONY: cross-vet
cross-vet: ## Compile and vet for macOS, Windows and systems with 32 bits
	@for system in darwin/arm64 windows/386; do \
		echo "vet for $$system"; \
		CGO_ENABLED=0 GOOS=$${system%/*} GOARCH=$${system#*/} $(GO) vet ./...; \
	done

# Files must mean the same on every machine: no path of somebody's disk, no
# package registry by name. git says which files count; without it, none do.
.PHONY: lint-paths
lint-paths:
	@! git grep --no-index --exclude-standard -nIE \
		'(^|[^[:alnum:]_./:-])/(home|root|work|Users)/[[:alnum:]_.]|(proxy|sum)\.golang\.org|registry\.npmjs\.org|pypi\.org|deb\.debian\.org' -- . \
		|| { echo "make: the lines above name a path or a registry of one machine" >&2; exit 1; }

.PHONY: fmt
fmt: $(GOLANGCI) ## Format the code
	@$(GOLANGCI) fmt ./...

.PHONY: cover
cover: ## Run the unit tests with coverage; the profile stays in coverage.out
	@$(GO) test -coverprofile=coverage.out $(UNIT)
	@$(GO) tool cover -func=coverage.out | tail -n 1

.PHONY: ci
ci: ## Run all that a change must pass
	@for step in lint cross-vet test integration fault demo "fuzz FUZZTIME=20000x"; do \
		echo "== make $$step"; started=$$SECONDS; \
		$(MAKE) $$step || { echo "== make $$step: FAILED after $$((SECONDS - started)) s" >&2; exit 1; }; \
		echo "== make $$step: ok, $$((SECONDS - started)) s"; \
	done

# The version is in the file's name, so that a new one is a new file.
$(GOLANGCI):
	@echo "installing golangci-lint $(GOLANGCI_VERSION) into .bin, about a minute"
	@mkdir -p $(BIN)
	@GOBIN=$(BIN) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)
	@mv $(BIN)/golangci-lint $@
