# Every target works on a clean checkout with Go alone.
GO      ?= go
BIN     := bin
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X github.com/boson-project/boson/pkg/daemon.Version=$(VERSION)
# The plugin of new Docker, or the older program of that name.
COMPOSE ?= $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
# For each fuzz target: a number of runs (with a time, the toolchain at times calls its own deadline a failure).
FUZZTIME ?= 20000x

.PHONY: run build test unit race e2e fuzz bench benchcmp relay lint proto cover check compose-up compose-down clean

run: ## a whole cluster in one process, ready for clients
	$(GO) run ./cmd/boson up $(ARGS)

build: ## static binaries in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN)/ ./cmd/...

test: lint race e2e ## all tests: lint, unit and integration with the race detector, end to end with real clients

unit: ## tests without the race detector, quickest
	$(GO) test ./...

race: ## tests with the race detector; without a C compiler, which it needs, plain tests
	@if [ "$$($(GO) env CGO_ENABLED)" = 1 ] && command -v "$$($(GO) env CC)" >/dev/null; then \
		$(GO) test -race -timeout 5m ./...; \
	else \
		echo "no C compiler: the race detector is left out"; $(GO) test -timeout 5m ./...; \
	fi

e2e: ## the JavaScript SDK from npm, in Node, against a cluster started as a newcomer would
	$(GO) run ./test/e2e

fuzz: ## a short fuzz of every decoder
	$(GO) run ./test/fuzz -fuzztime $(FUZZTIME)

bench: ## benchmarks with allocations
	$(GO) test -run '^$$' -bench . -benchmem $(BENCH) ./...

# The hot path: what an event meets on its way, without sockets.
HOT := ReadTableRaiseEvent|AppendEventPasted|AppendContentEvent|ParseRaiseEvent|ParseMessage|RaiseEvent|Relay$$|Receive$$|FiberPost|CrewBurst|ManyRooms|RelayInMemory
HOTPKGS := ./pkg/gpbinary ./pkg/gpjson ./pkg/photon ./pkg/enet ./pkg/room ./pkg/app ./pkg/gameserver ./test/cluster
BASE ?= HEAD
ROUNDS ?= 6
BENCHSTAT := $(GO) run golang.org/x/perf/cmd/benchstat@v0.0.0-20260709024250-82a0b07e230d

benchcmp: ## benchmarks of the hot path, the revision BASE against the working tree, in turns: make benchcmp BASE=main~1
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && mkdir $$tmp/base && git archive $(BASE) | tar -x -C $$tmp/base && \
	for round in $$(seq $(ROUNDS)); do \
		echo "round $$round of $(ROUNDS)"; \
		for side in base head; do \
			dir=$$PWD; if [ $$side = base ]; then dir=$$tmp/base; fi; \
			(cd $$dir && $(GO) test -run '^$$' -bench '$(HOT)' -benchmem -benchtime 0.2s $(HOTPKGS)) >>$$tmp/$$side.txt || { tail -20 $$tmp/$$side.txt; exit 1; }; \
		done; \
	done && $(BENCHSTAT) base=$$tmp/base.txt head=$$tmp/head.txt

relay: ## the relay against a plain UDP relay, the limits, 3000 players, idle clients: a table (two cores, some minutes)
	@mkdir -p $(BIN) && $(GO) build -o $(BIN)/relay ./test/relay && $(BIN)/relay compare $(ARGS)

lint: ## formatting, vet, staticcheck; the import directions are a test (test/imports)
	@out=$$(gofmt -l . | grep -v '\.pb\.go$$'); if [ -n "$$out" ]; then echo "not gofmt-ed:"; echo "$$out"; exit 1; fi
	$(GO) vet ./...
	$(GO) tool staticcheck ./...

cover: ## coverage by package
	$(GO) test -coverprofile=cover.out ./... && $(GO) tool cover -func=cover.out | tail -1

check: test fuzz ## what CI runs

compose-up: build ## a cluster of containers on this machine
	cd deploy/compose && $(COMPOSE) up --build -d

compose-down:
	cd deploy/compose && $(COMPOSE) down

clean:
	rm -rf $(BIN) cover.out

proto: ## generates proto/**/*.pb.go; needs protoc (Debian: protobuf-compiler)
	protoc -I proto --plugin=protoc-gen-go="$$($(GO) tool -n protoc-gen-go)" --plugin=protoc-gen-go-grpc="$$($(GO) tool -n protoc-gen-go-grpc)" \
		--go_out=. --go_opt=module=github.com/boson-project/boson --go-grpc_out=. --go-grpc_opt=module=github.com/boson-project/boson \
		proto/admin/v1/admin.proto
