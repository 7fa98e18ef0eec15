# Thin targets: what each does is in the tool that it calls. `make help` lists them.
#
# A target runs nothing that is up to date: executables are files that depend on the sources they
# are made of, and node-mname's modules on their lock file. Targets share the projects' obj folders,
# so they never run side by side; `make -j` is as safe as `make`.

.NOTPARALLEL:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build

PORT ?= 5300
FUZZ_SECONDS ?= 60
TIME ?= 2h
BLOCKS ?= 100
COUNT ?= 20

build_dir := build
commit := $(shell git rev-parse HEAD 2>/dev/null || echo unknown)
results := TestResults
node := tests/integration/node
spelling := scripts/spelling

shared := $(wildcard *.props global.json scripts/publish src/Shared/*.cs)
sources = $(shared) $(shell find $(1) \( -name bin -o -name obj \) -prune -o \
	\( -name '*.cs' -o -name '*.csproj' -o -name '*.json' -o -name '*.txt' \) -print)

# Everything that starts the balancer runs once more on its fallbacks (one call per datagram, no
# inotify, no signalfd), but for the tests of inotify itself, for those of the Linux adapter and of the contract of
# both kernels, which have it both ways in one run, for those of pictures and of the simulator,
# which start no balancer, for real scenarios, of which some have fallbacks in one run, and for those
# of containers, which a variable of the tests does not reach; see tests/integration/Harness/Places.cs.
in_tests = FullyQualifiedName!~Tests.Integration.$(1).
no_balancer := $(call in_tests,Linux)&$(call in_tests,Contract)&$(call in_tests,Pictures)&$(call in_tests,Simulator)&$(call in_tests,Containers)&$(call in_tests,Real)
on_fallbacks := $(no_balancer)&Needs!=inotify

# What the integration tests call besides what is built: command and Debian package.
needed := dig dnsutils node nodejs npm npm prlimit util-linux chrt util-linux strace strace systemd-analyze systemd

.PHONY: build image demo test unit property integration simulate real mutation has-commands format
.PHONY: spelling failover fuzz
.PHONY: clean help soak plants release

build: $(addprefix $(build_dir)/,bbal fake-binder sim) ## The executables, into build/

$(build_dir)/bbal: $(call sources,src/Balancer.Core src/Balancer.Linux src/Balancer)
	@scripts/publish src/Balancer $@

$(build_dir)/fake-binder: $(call sources,fake-binder)
	@scripts/publish fake-binder $@

$(build_dir)/sim: $(call sources,src/Balancer.Core fake-binder sim)
	@scripts/publish sim/Tool $@

image: $(build_dir)/bbal $(build_dir)/fake-binder ## Container images of bbal and fake-binder, FROM scratch
	@scripts/image

demo: $(addprefix $(build_dir)/,bbal fake-binder) ## Clients, balancer and backends on one screen, on PORT (5300)
	@dotnet run --project src/Demo -c Release -v quiet -- --build-dir $(build_dir) --port $(PORT)

test: build ## Every test; results in TestResults/
	@rm -rf $(results)
	@status=0; for target in unit property integration; do \
		echo "--- $$target"; $(MAKE) --no-print-directory $$target || status=1; \
	done; exit $$status

unit: ## Tests of single parts
	@scripts/test unit tests/unit

property: ## Tests of properties, and simulated scenarios
	@scripts/test property tests/property

integration: has-commands build $(node)/node_modules/.package-lock.json ## Tests of the built executables
	@scripts/image --if-engine
	@scripts/integration '$(on_fallbacks)'

simulate: build ## The simulator's part of them: corpus, seeds of this commit, two processes
	@dotnet test tests/integration -c Release --nologo -v quiet \
		--logger 'console;verbosity=normal' \
		--filter FullyQualifiedName~Tests.Integration.Simulator.

soak: build ## Simulated scenarios from seeds that no run had, for TIME (2h); failures and a page in TestResults/soak
	@mkdir -p $(results)/soak
	@status=0; $(build_dir)/sim run --time $(TIME) --json $(results)/soak/run.json \
		--keep $(results)/soak --commit $(commit) || status=$$?; \
	$(build_dir)/sim triage $(results)/soak --html $(results)/soak/page.html; exit $$status

plants: $(build_dir)/sim ## Each bug planted in the core is found, in BLOCKS (100) blocks of seeds
	@$(build_dir)/sim plant all --blocks $(BLOCKS)

real: build ## Scenarios in wall time, real processes: COUNT=20 of them
	@$(build_dir)/sim real --corpus --count $(COUNT)

# SCENARIO=kill for one of them, TIMES=100 for more faults, NODE=1 for node-mname as backends.
failover: build $(if $(NODE),$(node)/node_modules/.package-lock.json) ## What a failing backend costs clients, measured and judged; TestResults/failover.json
	@mkdir -p $(results)
	@$(build_dir)/sim failover --check --json $(results)/failover.json $(if $(NODE),--node) \
		$(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(TIMES),--times $(TIMES))

has-commands:
	@scripts/need $(needed)

%/node_modules/.package-lock.json: %/package.json %/package-lock.json
	@scripts/need node nodejs npm npm
	@cd $* && npm ci --silent && touch node_modules/.package-lock.json

# MUTATION_TIME=20m for a sample that takes no longer.
mutation: $(build_dir)/sim ## Mutants of the core, which the simulator must notice; FILES=Backend.cs,Frames.cs for some
	@mkdir -p $(results)
	@$(build_dir)/sim mutate --json $(results)/mutation.json -o $(results)/survivors.tsv \
		$(if $(FILES),--files $(FILES)) $(if $(MUTATION_TIME),--time $(MUTATION_TIME))

# FUZZ_TARGETS='session relay' for some of them; tests/fuzz/Target.cs has the list.
fuzz: ## Fuzzes what reads other people's bytes, each target for FUZZ_SECONDS (60); TestResults/fuzz
	@scripts/fuzz $(FUZZ_SECONDS) $(FUZZ_TARGETS)

format: ## Fails if a file is not formatted as .editorconfig says
	@dotnet format Balancer.sln --verify-no-changes

# Documents, comments and scripts; .cspell.json says which, and .github/dictionary.txt has the words
# that no dictionary of English has.
spelling: $(spelling)/node_modules/.package-lock.json ## Fails if a word is misspelt
	@$(spelling)/node_modules/.bin/cspell lint --no-progress --no-summary

# IMAGES=1 takes the container images along, which `make image` made.
release: build ## What a release of this architecture is made of, with checksums, in dist/
	@scripts/release $(if $(IMAGES),--images)

clean: ## Removes what was built, fetched and reported
	@rm -rf $(build_dir) $(results) dist $(node)/node_modules $(spelling)/node_modules
	@find . -name node_modules -prune -o \( -name bin -o -name obj \) -type d -prune \
		-exec rm -rf {} +

help: ## This list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' Makefile
