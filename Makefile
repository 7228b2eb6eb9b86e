# `make demo` and `make test` need python3 (with venv) and make, nothing else: the first call builds
# .venv with what it needs, in the versions of requirements.lock; later calls start at once. uv,
# where present, makes that faster.
#
#   make test-ray                                  the tests that start a Ray cluster
#   make test PYTHON=python3.12 VENV=.venv-3.12    another Python, beside the first
#   make test-wheel                                the tests of the wheel, as a user installs it

PYTHON ?= python3
VENV ?= .venv
LOCK ?= requirements.lock
RUN := $(VENV)/bin/python
SCHEMA = $(VENV)/bin/check-jsonschema --quiet --builtin-schema

.PHONY: demo test test-ray test-wheel test-all test-oldest test-newest test-pre dist lint bench \
    bench-compare notebooks check-notebooks frontend check-frontend lab-programs docs check-docs \
    matrix lock clean

demo: $(VENV)/.with-cli
	@$(RUN) examples/demo.py

test: $(VENV)/.with-all,test
	$(RUN) -m pytest -n logical --maxprocesses 4

test-ray: $(VENV)/.with-all,test
	$(RUN) -m pytest -m ray tests/recipe

# The sdist is the repository; the wheel, which is built from it, is the package.
dist: $(VENV)/.with-all,test
	rm -rf dist
	$(RUN) -m build --no-isolation

# `make test` runs these, and another Python or JAX changes nothing in what they find: they read this
# repository, check the checks, or decide on numbers that training and transformations deliver. What
# is left has the laws, optimizers, schedules, clients, training, devices and whole searches.
ONCE := benchmarks cli docs fuzz stress theory contract/test_faults.py \
    $(addprefix recipe/,checkpoint diagnosis execution grid_search population reporting search) \
    $(addprefix interactive/,test_expression.py test_networks.py test_server.py test_slides.py) \
    $(addprefix recipe/,test_arguments.py test_code.py) \
    $(addprefix training/,checkpoint checks conversion reporting test_problems.py)

# What is published: the tests of the unpacked sdist, which has no folder of the package any more,
# run with the package of the wheel. With PYTHON=python3.13, on that one.
test-wheel: dist
	rm -rf build/wheel && mkdir -p build/wheel
	tar -xf dist/*.tar.gz -C build/wheel --strip-components 1 && rm -r build/wheel/lecture_optax
	LOCK=$(LOCK) sh .ci/set_up "$(PYTHON)" build/wheel/.venv all,test dist/*.whl
	cd build/wheel && .venv/bin/python -c 'import lecture_optax as lo; \
	    assert "site-packages" in lo.__file__, lo.__file__'
	cd build/wheel && .venv/bin/python -m pytest -n logical --maxprocesses 4 \
	    $(ONCE:%=--ignore=tests/%) --pyargs tests lecture_optax

# Both lines: JAX 0.10 is the last for Python 3.11, newer ones need 3.12.
test-all: test-3.11 test-3.12

LINE_3.11 := 3.11
LINE_3.12 := 3.12 3.13 3.14

test-3.%:
	@for version in $(LINE_3.$*); do \
	    for python in python$$version ~/.pyenv/versions/$$version.*/bin/python; do \
	        if "$$python" -c "" 2>/dev/null; then \
	            exec $(MAKE) test-wheel PYTHON="$$python"; \
	        fi; \
	    done; \
	done; \
	echo "No Python of the line 3.$* (looked for $(LINE_3.$*)): its tests were not run."

# Outside of the lock: what pyproject.toml allows. The oldest needs uv and Python 3.11.
test-oldest: build/oldest.lock
	$(MAKE) test LOCK=build/oldest.lock VENV=.venv-oldest

build/oldest.lock: pyproject.toml
	mkdir -p build
	uv pip compile --resolution lowest-direct --python-version 3.11 --extra all --quiet \
	    pyproject.toml --output-file $@

test-newest:
	$(MAKE) test LOCK=/dev/null VENV=.venv-newest

test-pre:
	LOCK=/dev/null sh .ci/set_up "$(PYTHON)" .venv-pre all,test
	.venv-pre/bin/python -m pip install --quiet --upgrade --pre jax jaxlib
	.venv-pre/bin/python -m pytest -n logical --maxprocesses 4

lint: $(VENV)/.with-all,test
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) -m pyright --pythonpath $(RUN)
	$(VENV)/bin/lint-imports --no-logo
	$(RUN) -m tools.check_text
	$(RUN) -m tools.draw_map --check
	$(RUN) -m tools.write_links --check
	$(VENV)/bin/codespell
	$(VENV)/bin/zizmor --offline --persona pedantic --quiet .
	$(SCHEMA) vendor.github-workflows .github/workflows/*.yml
	$(SCHEMA) custom.github-workflows-require-timeout .github/workflows/*.yml
	$(SCHEMA) vendor.dependabot .github/dependabot.yml
	$(SCHEMA) vendor.github-issue-forms .github/ISSUE_TEMPLATE/[0-9]*.yml
	$(SCHEMA) vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml
	$(SCHEMA) vendor.citation-file-format CITATION.cff
	$(RUN) -m benchmarks.figures --check

# A quarter of an hour on two quiet cores: results and pictures in benchmarks/results, and the numbers
# of the pages from them.
bench: $(VENV)/.with-all,test
	$(RUN) -m benchmarks.run
	$(RUN) -m benchmarks.figures --write

# Fails where a ratio got worse. RESULTS=FOLDER compares what is measured already.
bench-compare: $(VENV)/.with-all,test
	$(RUN) -m benchmarks.compare $(RESULTS)

notebooks: $(VENV)/.with-all,docs
	$(RUN) notebooks/build.py

check-notebooks: $(VENV)/.with-all,docs
	$(RUN) notebooks/build.py --check

# The page of the lab: its bundles are committed, so that only a change of frontend/src needs this.
frontend: $(VENV)/.with-all,test
	$(RUN) -m tools.frontend

check-frontend: $(VENV)/.with-all,test
	$(RUN) -m tools.frontend --check

# The programs of the lab in the documentation, by an environment of their own.
lab-programs: build/lab-env/.done
	PYTHONPATH=. build/lab-env/bin/python -m tools.export_lab

build/lab-env/.done: tools/export_lab.txt
	$(PYTHON) -m venv --clear build/lab-env
	build/lab-env/bin/python -m pip install --quiet --requirement tools/export_lab.txt
	@touch $@

# The documentation site, in build/docs/html: every block of code is executed, a warning is an error.
docs: $(VENV)/.with-all,docs
	$(RUN) -m sphinx --fail-on-warning --keep-going --jobs 2 --quiet docs build/docs/html
	@echo "Open build/docs/html/index.html"

# The built site in Chromium, without a network. Pictures of its pages: build/docs/screenshots.
check-docs: $(VENV)/.with-all,test $(VENV)/.with-all,docs
	$(RUN) -m pytest -n 0 -m browser tests/docs tests/interactive

# The certificates of the published matrix, half an hour for all of them: what is stored and older
# than the code that certifies is made again.
matrix: $(VENV)/.with-all,test
	$(RUN) -m tools.matrix

# One file for both lines: its markers pick the versions. Needs uv.
lock:
	uv pip compile --upgrade --universal --python-version 3.11 \
	    --extra all --extra test --extra docs --no-annotate \
	    --custom-compile-command "make lock" --quiet \
	    pyproject.toml --output-file requirements.lock

clean:
	rm -rf .venv .venv-* build dist demo.png demo.html .pytest_cache .ruff_cache .hypothesis \
	    .import_linter_cache frontend/node_modules

# The name of the mark is that of the extras: .venv/.with-all,test
$(VENV)/.with-%: $(LOCK) pyproject.toml .ci/set_up
	@LOCK=$(LOCK) sh .ci/set_up "$(PYTHON)" "$(VENV)" "$*"
	@touch $@
