#!/bin/sh
# Installs the wheel and the locked packages into a new environment: deploy/install.sh FOLDER WHEEL [LOCK]
# Wheels only, exact versions, hashes checked. The container image and a test run it.
set -eu
folder=$1
wheel=$2
lock=${3:-requirements-run.lock}
locks=$(dirname "$0")/..
"${PYTHON:-python3}" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$locks/requirements-bootstrap.lock"
install="$folder/bin/uv pip install --quiet --compile-bytecode --python $folder/bin/python"
$install --require-hashes --only-binary :all: -r "$locks/$lock"
$install --no-deps "$wheel"
