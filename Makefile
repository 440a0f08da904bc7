.DEFAULT_GOAL := help
.PHONY: help demo test lint bench clean

CACHE := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sm-emulate

# Every target makes its own surroundings first. PYTHONPATH: the environment is shared by all clones, the code is not.
in_venv = set -e; venv=$$(.ci/venv); PATH="$$venv/bin:$$PATH"; \
	export PATH PYTHONPATH="$(CURDIR)/emulator:$(CURDIR)/contract_tests";
in_tox = $(in_venv) tox run --workdir "$(CACHE)/tox/$$(basename "$$venv")"

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## Build a sample image, train it, serve the model, invoke it.
	@$(in_venv) \
	endpoint=$$(.ci/engine); export DOCKER_HOST="$$endpoint"; \
	base=$$(.ci/base-image); export BASE_IMAGE="$$base"; \
	sample_images/decision_trees/demo

test: ## Run everything that CI runs: linters, types, layers, generated docs, all tests on a real engine.
	@$(in_venv) \
	endpoint=$$(.ci/engine); export DOCKER_HOST="$$endpoint"; \
	.ci/base-image >/dev/null; \
	.ci/browser >/dev/null || test -z "$$CI"; \
	tox run --workdir "$(CACHE)/tox/$$(basename "$$venv")"

lint: ## Run ruff, mypy and import-linter.
	@$(in_tox) -e lint

bench: ## Measure side by side with plain Docker and others; prints ratios.
	@$(in_venv) \
	endpoint=$$(.ci/engine); export DOCKER_HOST="$$endpoint"; \
	base=$$(.ci/base-image); export BASE_IMAGE="$$base"; \
	python -m bench

clean: ## Remove the environments and notes that the other targets keep; images stay.
	rm -rf "$(CACHE)/venv" "$(CACHE)/tox" "$(CACHE)/pull-failed" "$(CACHE)/pull.log"
	find . -name __pycache__ -prune -exec rm -rf {} +
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache dist build
