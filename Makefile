# Recipes for people and CI. `make` alone lists them.

TARGET := $(or $(CARGO_TARGET_DIR),target)/debug
LAB := $(TARGET)/lab
# Which lab `make lab-up`, `make images`, `make down` … mean; several can run side by side.
export VOXPLANE_LAB_NAME ?= demo

.DEFAULT_GOAL := help
.PHONY: help deps tools build images generated lint test demo bench-operator bench-call-setup down lab-up lab-status lab-env

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

deps: ## install the Debian packages that are missing (root or sudo)
	@e2e/lab/deps.sh

tools: build ## build or fetch the lab's third-party parts into the cache
	@$(LAB) tools

build: deps ## compile all programs
	@cargo build --workspace --bins

# With CONTEXT the demo goes into a cluster that is there already, and not into a lab (docs/installation.md).
ELSEWHERE := $(if $(CONTEXT),--context $(CONTEXT))

demo: build ## start a lab, call the sample clinic, print how to go on (root or sudo); CONTEXT=… uses your cluster
ifdef CONTEXT
	@$(TARGET)/demo $(ELSEWHERE) $(if $(VALUES),--values $(VALUES)) $(if $(IMAGES),--images $(IMAGES)) \
	    $(if $(TAG),--tag $(TAG)) $(if $(SIP),--sip $(SIP)) $(if $(CALLERS),--callers $(CALLERS))
else
	@$(LAB) up --no-build
	@document=$$(mktemp) && trap 'rm -f "$$document"' EXIT && $(LAB) env --json >"$$document" \
	    && VOXPLANE_LAB_ENV=$$document $(TARGET)/demo
endif

test: export VOXPLANE_LAB_NAME := test
test: ## check everything, from formatting to real phone calls, and print the time of every stage
	@e2e/test.sh

# For example: make bench-operator AGENCIES=2 TENANTS=5 AGENTS=10 STEADY=20 PLACEMENT=dedicated
bench-operator: export VOXPLANE_LAB_NAME := bench
bench-operator: build ## measure the operator with 10000 agents: AGENCIES TENANTS AGENTS PLACEMENT STEADY CHANGES SECRETS
	@$(LAB) up --no-build --only control-plane,postgres,livekit
	@document=$$(mktemp) && trap 'rm -f "$$document"; $(LAB) down' EXIT && $(LAB) env --json >"$$document" \
	    && VOXPLANE_LAB_ENV=$$document $(TARGET)/bench_operator $(if $(AGENCIES),--agencies $(AGENCIES)) \
	        $(if $(TENANTS),--tenants $(TENANTS)) $(if $(AGENTS),--agents $(AGENTS)) \
	        $(if $(PLACEMENT),--placement $(PLACEMENT)) $(if $(STEADY),--steady $(STEADY)) \
	        $(if $(CHANGES),--changes $(CHANGES)) $(if $(SECRETS),--secrets) $(if $(OPERATOR),--operator $(OPERATOR))

# For example: make bench-call-setup NUMBERS=1000 CALLS=5
bench-call-setup: export VOXPLANE_LAB_NAME := bench
bench-call-setup: build ## measure call set-up with 10000 numbers: NUMBERS TRUNKS CALLS LIMIT
	@$(LAB) up --no-build --only sip
	@document=$$(mktemp) && trap 'rm -f "$$document"; $(LAB) down' EXIT && $(LAB) env --json >"$$document" \
	    && VOXPLANE_LAB_ENV=$$document $(TARGET)/bench_call_setup $(if $(NUMBERS),--numbers $(NUMBERS)) \
	        $(if $(TRUNKS),--trunks $(TRUNKS)) $(if $(CALLS),--calls $(CALLS)) $(if $(LIMIT),--limit $(LIMIT))

lint: build ## rustfmt, clippy with warnings denied, generated files fresh
	@cargo fmt --all --check
	@cargo clippy --workspace --all-targets --all-features -- --deny warnings
	@eval "$$($(LAB) tools --env)" && $(TARGET)/voxplane-xtask generate --check

generated: build ## write the generated files: CRDs, charts, reference docs
	@eval "$$($(LAB) tools --env)" && $(TARGET)/voxplane-xtask generate

images: build ## build the images and load them into the lab
	@$(LAB) images --no-build

lab-up: build ## start the whole lab; ONLY=cluster,postgres starts these parts and what they need
	@$(LAB) up --no-build $(if $(ONLY),--only $(ONLY))

lab-status: | $(LAB) ## show which parts of the lab work
	@$(LAB) status

lab-env: | $(LAB) ## print the lab's addresses and passwords, for eval "$$(make lab-env)"
	@$(LAB) env

ifdef CONTEXT
down: | $(TARGET)/demo
	@$(TARGET)/demo $(ELSEWHERE) --remove $(if $(filter yes,$(CONFIRM)),--confirmed)
else
down: | $(LAB) ## stop the lab and remove every trace of it; CONTEXT=… removes the demo from your cluster
	@$(LAB) down
endif

# For the targets that must work without compiling everything first.
$(LAB) $(TARGET)/demo:
	@cargo build --workspace --bins
