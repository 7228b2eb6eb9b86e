# `make demo` and `make test` need python3 (with venv) and make, nothing else: the first call builds
# .venv with what it needs, in the versions of requirements.lock; later calls start at once. uv,
# where present, makes that faster.
#
#   make test-ray                                  the tests that start a Ray cluster
#   make test PYTHON=python3.12 VENV=.venv-3.12    another Python, beside the first

PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python

.PHONY: demo test test-ray test-all lint notebooks check-notebooks docs check-docs lock clean

demo: $(VENV)/.with-cli
	@$(RUN) examples/demo.py

test: $(VENV)/.with-all,test
	$(RUN) -m pytest -n logical --maxprocesses 4

test-ray: $(VENV)/.with-all,test
	$(RUN) -m pytest -m ray tests/recipe

# Both lines: JAX 0.10 is the last for Python 3.11, newer ones need 3.12.
test-all: test-3.11 test-3.12

LINE_3.11 := 3.11
LINE_3.12 := 3.12 3.13 3.14

test-3.%:
	@for version in $(LINE_3.$*); do \
	    for python in python$$version ~/.pyenv/versions/$$version.*/bin/python; do \
	        if "$$python" -c "" 2>/dev/null; then \
	            exec $(MAKE) test PYTHON="$$python" VENV=.venv-$$version; \
	        fi; \
	    done; \
	done; \
	echo "No Python of the line 3.$* (looked for $(LINE_3.$*)): its tests were not run."

lint: $(VENV)/.with-all,test
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m pyright --pythonpath $(RUN)
	$(VENV)/bin/lint-imports --no-logo
	$(RUN) -m tools.check_text
	$(RUN) -m tools.draw_map --check

notebooks: $(VENV)/.with-all,docs
	$(RUN) notebooks/build.py

check-notebooks: $(VENV)/.with-all,docs
	$(RUN) notebooks/build.py --check

# The documentation site, in build/docs/html: every block of code is executed, a warning is an error.
docs: $(VENV)/.with-all,docs
	$(RUN) -m sphinx --fail-on-warning --keep-going --jobs 2 --quiet docs build/docs/html
	@echo "Open build/docs/html/index.html"

# The built site in Chromium, without a network. Pictures of its pages: build/docs/screenshots.
check-docs: $(VENV)/.with-all,test $(VENV)/.with-all,docs
	$(RUN) -m pytest -n 0 -m browser tests/docs

# One file for both lines: its markers pick the versions. Needs uv.
lock:
	uv pip compile --upgrade --universal --python-version 3.11 \
	    --extra all --extra test --extra docs --no-annotate \
	    --custom-compile-command "make lock" --quiet \
	    pyproject.toml --output-file requirements.lock

clean:
	rm -rf .venv .venv-3.* build dist demo.png demo.html .pytest_cache .ruff_cache .hypothesis \
	    .import_linter_cache

# The name of the mark is that of the extras: .venv/.with-all,test
$(VENV)/.with-%: requirements.lock pyproject.toml .ci/set_up
	@sh .ci/set_up "$(PYTHON)" "$(VENV)" "$*"
	@touch $@
