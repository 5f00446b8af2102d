# make help lists the targets. Each runs from a fresh clone; the tools they use
# are pinned in tools/go.mod and test/tooling/package-lock.json.

.DEFAULT_GOAL := help
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory

# Not stamped with the commit: git refuses to tell it of a checkout that
# belongs to another user, as in many containers, and the build would fail.
export GOFLAGS := $(strip $(GOFLAGS) -buildvcs=false)

NODE_DONE = test/tooling/node_modules/.package-lock.json
LOGS      = .cache/logs
RACE      = go test -race -shuffle=on

# What a test that needs a component asks for: with it, one that cannot start
# is a failure. Without it, such a test is skipped and says how to run it.
E2E = SUMU_E2E=1 SUMU_CHROMIUM="$$(tools/chromium.sh)"

.PHONY: help
help: ## Print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' Makefile

.PHONY: test
test: check-machine components lint ## Everything: lint, all tests with real components, a smoke run of the benchmarks
	@rm -rf $(LOGS) && mkdir -p $(LOGS)
	SUMU_TEST_LOGS=$(CURDIR)/$(LOGS) $(E2E) $(RACE) -timeout 15m ./...
	@tools/secrets.sh $(LOGS)
	$(RACE) -timeout 5m ./gateway -unpolled # As on systems without epoll.
	go test -count=1 -run Model ./presence ./pusher ./connstore/dynamostore # Many more walks than the race detector has time for.
	cd test/interop && SUMU_E2E=1 go test -p 1 -race -shuffle=on -timeout 10m ./...
	$(E2E) go test -C test/deploy -shuffle=on -timeout 20m ./...
	$(E2E) go test -C test/iot -race -shuffle=on -timeout 10m ./...
	go test -run '^$$' -bench . -benchtime 2x -count 2 ./pusher # Twice: a benchmark is run more than once to be compared.
	cd bench && go test ./...

.PHONY: test-slow
test-slow: check-machine components ## The tests that take minutes as well (SUMU_SLOW=1)
	$(E2E) SUMU_SLOW=1 $(RACE) -timeout 60m ./...
	SUMU_SLOW=1 go test -count=1 -timeout 60m -run '^TestModel(MissesEveryConsistentRead)?$$' ./presence ./pusher ./connstore/dynamostore # A million walks each, and the reads that they take long to miss.
	for i in 1 2 3 4 5 6 7 8 9 10; do $(E2E) SUMU_SLOW=1 go test -count=1 -run '^TestModelOnDynoxide$$' ./presence || exit 1; done # Ten thousand.

.PHONY: lint
lint: ## gofumpt, go vet, staticcheck, go mod tidy: every module
	@tools/lint.sh

.PHONY: fmt
fmt: ## Format the code
	@tools/lint.sh fmt

.PHONY: fuzz
fuzz: ## Every Fuzz target for FUZZTIME each (default 20s)
	@tools/fuzz.sh

.PHONY: bench
bench: ## Measure beside the peers, in one run
	cd bench && go run .

.PHONY: lambdas
lambdas: ## The Lambda functions as zip files, in examples/serverless/dist
	@go run ./examples/serverless/build

.PHONY: check-machine
check-machine:
	@tools/prerequisites.sh

.PHONY: components
components: $(NODE_DONE)
	@tools/chromium.sh >/dev/null
	@go tool -modfile=tools/toxiproxy/go.mod -n server >/dev/null # Built here, so that no test waits for it.

# Nothing of the packages is run on the way: they have no install scripts.
$(NODE_DONE): test/tooling/package.json test/tooling/package-lock.json test/tooling/.npmrc
	cd test/tooling && npm ci --ignore-scripts --no-progress --loglevel=error
	@touch $@
