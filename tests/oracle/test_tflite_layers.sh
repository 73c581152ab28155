#!/usr/bin/env bash
# Layers of int8, uint8 and float16 TFLite files on LiteRT's own inputs, and whole files. PARE_PYTHON: a Python with tests/oracle/requirements.txt.
set -u
python=${PARE_PYTHON:-python3}
models=${PARE_MODELS:-${PARE_SOURCE:?}/../shared/models}
if ! "$python" -c 'import numpy, ai_edge_litert.interpreter' 2>/dev/null; then
    echo "SKIP: $python has no numpy and ai-edge-litert (set PARE_PYTHON, or run ./bootstrap test)"
    exit 77
fi
if [ ! -d "$models" ]; then
    echo "SKIP: no models (set PARE_MODELS)"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" "$PARE_SOURCE/tests/oracle/layers.py" "$(dirname "${PARE_RUN_MODEL:?}")/pare_run_layers" "$models" "$folder" 2>/dev/null
