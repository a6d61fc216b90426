# Everything runs from .venv; `make demo` and `make test` set it up on a machine with only Python 3.11+, git and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready

# Compiling Dagster and pandas anew in every process costs each of them 2.4 CPU s; the cache stays inside .venv and here.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test check check-all coverage soak soak-distributed compare ui lock clean dictionary release resource-docs settings-docs messages fault-table screenshots bench

demo: $(READY)
	@$(BIN)/fullscript-pipeline demo

# Files in their order: by number of tests, as xdist has it, the long ones come last and one worker waits.
test: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not check_all and not soak"

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest fullscript_pipeline_tests/test_dependency_direction.py fullscript_pipeline_tests/test_source_figures.py

check-all: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "check_all"

# What the fast tests cover in their own processes; fails below the limit in pyproject.toml. The hosted checks run it.
coverage: $(READY)
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m "not check_all and not soak" --cov --cov-report=term:skip-covered

soak: $(READY)
	$(BIN)/python -m pytest --timeout=3600 -m "soak" -s

# What several machines promise, on a real PostgreSQL, Redis and S3 server (docs/scale-out.md).
soak-distributed: $(READY)
	$(BIN)/python -m pytest --timeout=7200 -m "soak" -s fullscript_pipeline_tests/soak/test_machines.py fullscript_pipeline_tests/state/test_two_machines.py

# A sandbox, two real pulls, and every table of core held against the API row by row; options in COMPARE="--quirks all".
compare: $(READY)
	@$(BIN)/python -m fullscript_pipeline_tests.compare $(COMPARE)

# Ours beside a floor, a limit or a peer, in less than ten minutes (benchmarks/README.md).
bench: $(READY)
	@$(BIN)/python benchmarks/bench.py

# What users are told when the other side fails, into docs/operations.md.
fault-table: $(READY)
	$(BIN)/python -m fullscript_pipeline_tests.helpers.fault_table

# The sentences of the pages, into the French catalogue; prints those that wait for a translation.
messages: $(READY)
	$(BIN)/python -m fullscript_pipeline_tests.helpers.page_messages

# Every setting, into docs/operations.md and .env.example.
settings-docs: $(READY)
	$(BIN)/python -m fullscript_pipeline_tests.helpers.settings_docs

# What every table and column means, into docs/data-dictionary.md.
dictionary: $(READY)
	$(BIN)/python -m fullscript_pipeline_tests.helpers.data_dictionary

# The tables of resources and event types, into docs/requests.md and docs/operations.md.
resource-docs: $(READY)
	$(BIN)/python -m fullscript_pipeline_tests.helpers.resource_docs

# The pictures of README.md and docs/, from a demo of their own; needs Chromium with chromedriver.
screenshots: $(READY)
	$(BIN)/python -m fullscript_pipeline_tests.helpers.screenshots

ui: $(READY)
	@$(BIN)/fullscript-pipeline ui

# Wheels only, exact versions, hashes checked; uv does it in seconds where pip needs a minute.
$(READY): requirements.lock requirements-bootstrap.lock requirements-axe.lock pyproject.toml
	@echo "setting up $(VENV) ..."
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Set PYTHON=/path/to/python3.11") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements-bootstrap.lock
	@$(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python --require-hashes --only-binary :all: -r requirements.lock
	@# axe-core for the accessibility tests; the Playwright half of its package is not used.
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes --only-binary :all: -r requirements-axe.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@$(BIN)/python -m compileall -q -j 2 fullscript_pipeline
	@touch $(READY)

# The wheel and its source in dist/, their metadata checked, and a CycloneDX bill of materials of what the wheel runs with:
# it is installed with requirements-run.lock, and each package says what it needs. The tools have an environment of
# their own: nothing of the project imports them.
RELEASE := $(VENV)/release
RELEASED := $(VENV)/released
INSTALL := $(BIN)/uv pip install --quiet --require-hashes --only-binary :all:
release: $(READY)
	@rm -rf dist build
	@$(BIN)/uv build --quiet --no-build-isolation --python $(BIN)/python --out-dir dist .
	@rm -rf build
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(RELEASE)
	@$(INSTALL) --python $(RELEASE)/bin/python -r requirements-release.lock
	@$(RELEASE)/bin/twine check --strict dist/*.whl dist/*.tar.gz
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(RELEASED)
	@$(INSTALL) --python $(RELEASED)/bin/python -r requirements-run.lock
	@$(BIN)/uv pip install --quiet --no-deps --python $(RELEASED)/bin/python dist/*.whl
	@$(RELEASE)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o dist/sbom.cdx.json $(RELEASED)/bin/python
	@# The version is in the package, where the tool does not read it.
	@$(RELEASED)/bin/python -c "import json, pathlib, fullscript_pipeline as package; \
	    file = pathlib.Path('dist/sbom.cdx.json'); bill = json.loads(file.read_text()); \
	    bill['metadata']['component']['version'] = package.__version__; file.write_text(json.dumps(bill, indent=2))"
	@$(RELEASED)/bin/fullscript-pipeline --version
	@ls dist

# Rewrites the locks from pyproject.toml; they name no index host.
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --only-binary :all: --generate-hashes --no-header
lock: $(READY)
	$(LOCK) --group dev --extra distributed --extra k8s --extra web pyproject.toml -o requirements.lock
	$(LOCK) --extra web pyproject.toml -o requirements-run.lock
	$(LOCK) --extra distributed --extra k8s --extra web pyproject.toml -o requirements-distributed.lock
	printf 'uv\nsetuptools\n' | $(LOCK) - -o requirements-bootstrap.lock
	printf 'twine\ncyclonedx-bom\n' | $(LOCK) - -o requirements-release.lock
	printf 'dbt-core>=1.9,<1.11\ndbt-duckdb>=1.9,<1.11\nduckdb==1.5.5\nduckdb-extension-httpfs==1.5.5\nipykernel\nnbclient\nnbformat\npandas\n' | $(LOCK) - -o requirements-cookbook.lock
	printf 'axe-playwright-python\n' | $(LOCK) --no-deps - -o requirements-axe.lock

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
