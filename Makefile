# The workspace drives the build: modules come from go.work, fuzz targets and
# generators from the source. A new module or target needs no edit here.

.DEFAULT_GOAL := help
SHELL := /bin/sh

# Static everywhere; only race needs cgo and a C compiler. Tests count days in
# Europe/Rome from the tables that are compiled in, whatever the machine has.
export CGO_ENABLED = 0
export GOFLAGS := $(filter-out -buildvcs=%,$(GOFLAGS)) -buildvcs=false

MODULES  = $(shell go list -m)
FOLDERS  = $(shell go list -m -f '{{.Dir}}')
PACKAGES = $(addsuffix /...,$(MODULES))
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unversioned)

FUZZTIME   ?= 10s
CYCLES     ?= 50
SEED       ?= 1
BENCHFLAGS ?=
DEMOFLAGS  ?=
TESTFLAGS  ?= -count=1

.PHONY: help build demo test postgres pbx apart race lint staticcheck errcheck ineffassign unparam vulnerabilities fuzz bench chaos verify boundaries format vet tidy modules generated cover clean

help: ## Show what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 18

build: ## Build the static program bin/assenso
	go build -trimpath -ldflags '-s -w -X github.com/assenso/assenso/services/house.release=$(VERSION)' -o bin/assenso ./services/cmd/assenso

demo: ## Play a call centre's day from files to a campaign's violation report, in .data
	@begin=$$(date +%s); $(MAKE) --no-print-directory build && echo "built in $$(( $$(date +%s) - begin )) s"
	./bin/assenso demo $(DEMOFLAGS)

test: ## Run every test; needs Go and nothing else
	go run ./scripts/tally $(TESTFLAGS) $(PACKAGES)

postgres: ## Run the suites of the SQL backends on PostgreSQL; needs Debian's postgresql-15
	go run ./scripts/tally -tags postgres $(TESTFLAGS) $(sort $(dir $(shell grep -rl --include='*_test.go' '^//go:build postgres' services | sed 's|^|./|')))

pbx: ## Let SIPp and Kamailio call through the switches' doors; needs Debian's sip-tester and kamailio
	go run ./scripts/tally -tags sipp $(TESTFLAGS) $(sort $(dir $(shell grep -rl --include='*_test.go' '^//go:build sipp' services | sed 's|^|./|')))

apart: ## Run the tests of modules that stand outside the workspace
	@for folder in $$(find . -name go.mod -not -path '*/node_modules/*' -exec dirname {} \;); do \
	case " $(FOLDERS) " in *" $$(cd $$folder && pwd) "*) continue;; esac; \
	if ls $$folder/*_test.go >/dev/null 2>&1; then echo "$$folder"; (cd $$folder && GOWORK=off go test -count=1 ./...) || exit 1; fi; done

race: ## Run every test under the race detector; needs a C compiler
	CGO_ENABLED=1 go run ./scripts/tally -race $(TESTFLAGS) $(PACKAGES)

lint: vet staticcheck errcheck ineffassign unparam ## Run the linters pinned in scripts/go.mod; with -k all of them

# S1005 forbids "_ = <-c", which is how errcheck wants to hear that an error is
# thrown away on purpose.
staticcheck:
	go tool staticcheck -tags postgres,sipp -checks inherit,-S1005 $(PACKAGES)

errcheck:
	go tool errcheck -tags postgres,sipp -exclude scripts/lint/errcheck.txt $(PACKAGES)

ineffassign:
	go tool ineffassign $(PACKAGES)

unparam:
	go tool unparam $(PACKAGES)

vulnerabilities: ## Look the dependencies up in Go's vulnerability database; needs vuln.go.dev
	go tool govulncheck $(PACKAGES)

fuzz: ## Run every fuzz target for FUZZTIME (10s) each
	go run ./scripts/fuzz -time $(FUZZTIME) $(PACKAGES)

bench: ## Measure durable recording and projection as shares of the raw engine
	go run ./scripts/bench $(BENCHFLAGS)

chaos: build ## Kill the program CYCLES (50) times under load, then compare ledger, state, report, dialers and answers
	go run ./scripts/chaos -cycles $(CYCLES) -seed $(SEED) -program bin/assenso

verify: format vet tidy generated boundaries ## Check formatting, go.mod files, generated files and boundaries

boundaries: ## Check who imports whom, and the house numbers
	go test -count=1 ./scripts/boundaries ./scripts/style

format: ## Check that gofmt would change nothing
	@wrong=$$(gofmt -l $(FOLDERS)); test -z "$$wrong" || { echo "gofmt would change:"; echo "$$wrong"; exit 1; }

vet: ## Run go vet
	go vet -tags postgres,sipp $(PACKAGES)

tidy: ## Check that go mod tidy would change nothing
	@for folder in $(FOLDERS); do echo "go mod tidy -diff in $${folder##*/}"; (cd "$$folder" && GOWORK=off go mod tidy -diff) || exit 1; done

modules: ## Run go mod tidy in every module
	@for folder in $(FOLDERS); do echo "go mod tidy in $${folder##*/}"; (cd "$$folder" && GOWORK=off go mod tidy) || exit 1; done

generated: ## Generate again in a copy and compare
	@copy=$$(mktemp -d) && trap 'rm -rf "$$copy"' EXIT && \
	tar -cf - --exclude=./.git --exclude=./.data --exclude=./bin --exclude=node_modules . | tar -xf - -C "$$copy" && \
	(cd "$$copy" && go generate $(PACKAGES)) && \
	diff -r -u --exclude=.git --exclude=.data --exclude=bin --exclude=node_modules . "$$copy" || { echo "generated files are out of date: run go generate in the folders named above"; exit 1; }

cover: ## Measure the tests' coverage into bin/cover.html
	@mkdir -p bin
	go run ./scripts/tally -count=1 -coverprofile=bin/cover.out -coverpkg=$(subst $() ,$(comma),$(PACKAGES)) $(PACKAGES)
	go tool cover -html=bin/cover.out -o bin/cover.html
	go tool cover -func=bin/cover.out | tail -n 1

comma := ,

clean: ## Remove what was built and the demonstration's data
	rm -rf bin .data
