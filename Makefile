# What a contributor types. Every target works as an ordinary user; only installing PostgreSQL needs root.

GO      ?= go
LINT    := $(GO) tool -modfile=tools/lint.mod
TIMEOUT ?= 20m

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: holders ## bin/belay, bin/belay-hold, and the holders for other hosts
	$(GO) build -trimpath -ldflags="-s -w" -o bin/ ./cmd/...

# belay finds these beside itself when a fault is on another host (where: ssh://...).
HOLDERS ?= linux-amd64 linux-arm64 darwin-arm64
.PHONY: holders
holders: ## bin/belay-hold-SYSTEM-ARCHITECTURE for each of HOLDERS
	@for h in $(HOLDERS); do \
		echo "bin/belay-hold-$$h"; \
		CGO_ENABLED=0 GOOS=$${h%-*} GOARCH=$${h#*-} $(GO) build -trimpath -ldflags="-s -w" -o bin/belay-hold-$$h ./cmd/belay-hold || exit 1; \
	done

# These measure how much of a processor somebody gets, and how late a packet is: they run by themselves.
ALONE = fault/resource$$|fault/network/shape$$
# These take minutes: they begin first, so that none of them is left at the end.
LONG = ./test/e2e ./fault/remote ./fault/kubernetes ./fault/docker ./fault/aws

.PHONY: test
test: parts ## the whole test suite; installs or starts the real parts that it needs, and says so
	$(GO) test -timeout $(TIMEOUT) $(TESTFLAGS) $$($(GO) list $(LONG) ./... | grep -v -E '$(ALONE)')
	$(GO) test -timeout $(TIMEOUT) $(TESTFLAGS) -p 1 $$($(GO) list ./... | grep -E '$(ALONE)')

.PHONY: parts
parts: ## look for the real parts that the tests use; as root, install what is missing
	@bash tools/parts

.PHONY: torture
torture: parts ## the long runs: 50 truths, 40 random kills a fault and two at every point, the long properties (about two hours)
	BELAY_TORTURE=1 $(GO) test -count=1 -timeout 180m ./...

.PHONY: kills
kills: parts ## KILLS (default 40) random kills of each fault of this host: how long until it is gone, by mechanism (on an idle machine, as root)
	@bash tools/kills

.PHONY: race
race: parts ## the test suite under the race detector (needs a C compiler)
	CGO_ENABLED=1 $(GO) test -race -timeout 40m ./...

.PHONY: fuzz
fuzz: ## each fuzzer for FUZZTIME (default 20s)
	@bash tools/fuzz

.PHONY: bench
bench: ## start-up beside a bare cobra program, halt beside bare reverts, then the Go benchmarks
	$(GO) run ./internal/bench
	$(GO) run ./internal/bench/halt
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: vet
vet: ## go vet for Linux and macOS
	$(GO) vet ./...
	GOOS=darwin GOARCH=arm64 $(GO) vet ./...

.PHONY: lint
lint: ## staticcheck and the format (docs/decisions/0007 says why these)
	$(LINT) staticcheck ./...
	@unformatted=$$($(LINT) gofumpt -l $$(git ls-files '*.go')); \
	if [ -n "$$unformatted" ]; then echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi

.PHONY: fmt
fmt: ## format all Go files
	$(LINT) gofumpt -w $$(git ls-files '*.go')

.PHONY: generate
generate: ## everything that is generated: the playbook's JSON Schema, docs/reference/cli.md
	$(GO) generate ./...

.PHONY: check-clean
check-clean: generate ## fail when generated files were stale
	@git diff --exit-code --stat || { echo "stale: run make generate and commit"; exit 1; }
