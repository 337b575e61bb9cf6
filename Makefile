# Every target sets up .venv by itself: with uv where it is installed, else with Python's
# venv and pip. GNU make 3.81 and BSD tools are enough.

VENV := .venv
PYTHON := $(VENV)/bin/python
RUNTIME := $(VENV)/.runtime-installed
DEV := $(VENV)/.dev-installed

.PHONY: help demo chat test test-slow test-metal check clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' Makefile

demo: $(RUNTIME)  ## answer a question about a bundled document
	@$(PYTHON) -m app.demo

chat: $(RUNTIME)  ## talk to the bundled model
	@$(VENV)/bin/qwen2-chat -m tiny

test: $(DEV)  ## run the tests
	@status=0; \
	$(PYTHON) -m pytest -n auto --maxprocesses 4 --dist loadfile --ignore tests/app/chat || status=1; \
	$(PYTHON) -m pytest tests/app/chat || status=1; \
	exit $$status

test-slow: $(DEV)  ## run the tests that take minutes
	@$(PYTHON) -m pytest -m slow

test-metal: $(DEV)  ## run the kernels on this Mac's GPU
	@$(PYTHON) -m pytest -m metal

check: $(DEV)  ## lint and type-check
	@status=0; \
	$(PYTHON) -m ruff check . || status=1; \
	$(PYTHON) -m pyright --pythonpath $(PYTHON) || status=1; \
	exit $$status

clean:  ## remove .venv and everything that was generated
	@rm -rf $(VENV) build dist .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# `make demo` needs the first of these stamps, `make test` the second, which includes the first.
# The interpreter is a prerequisite, so that an environment whose Python is gone is made anew.
$(RUNTIME): pyproject.toml $(PYTHON)
	@echo "Installing qwen2-mlx and its libraries into $(VENV) (once, a minute or two) ..." >&2
	@$(call install,.)
	@touch $@

$(DEV): pyproject.toml $(PYTHON)
	@echo "Installing qwen2-mlx and its development tools into $(VENV) (once, a minute or two) ..." >&2
	@$(call install,.[dev])
	@touch $(RUNTIME) $@

define install
if uv --version >/dev/null 2>&1; then \
    uv pip install --quiet --python $(PYTHON) --editable '$(1)'; \
else \
    $(PYTHON) -m pip --version >/dev/null 2>&1 || $(PYTHON) -m ensurepip >/dev/null || exit 1; \
    $(PYTHON) -m pip install --quiet --disable-pip-version-check --editable '$(1)'; \
fi
endef

$(PYTHON):
	@rm -rf $(VENV); \
	if uv --version >/dev/null 2>&1; then \
	    exec uv venv --quiet --python '>=3.11' $(VENV); \
	fi; \
	without_venv=; \
	for candidate in python3 python3.15 python3.14 python3.13 python3.12 python3.11; do \
	    "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	    if "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then \
	        exec "$$candidate" -m venv $(VENV); \
	    fi; \
	    without_venv=$$candidate; \
	done; \
	if [ -n "$$without_venv" ]; then \
	    echo "$$without_venv has no venv module; install it (Debian, Ubuntu: apt install python3-venv) or install uv." >&2; \
	else \
	    echo "No Python 3.11 or newer was found; install one (macOS: brew install python) or install uv." >&2; \
	fi; \
	exit 1
