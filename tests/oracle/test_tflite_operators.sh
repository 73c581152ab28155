#!/usr/bin/env bash
# Single TFLite operators against LiteRT. PARE_PYTHON: a Python with tests/oracle/requirements.txt.
set -u
python=${PARE_PYTHON:-python3}
if ! "$python" -c 'import numpy, flatbuffers, ai_edge_litert.schema_py_generated' 2>/dev/null; then
    echo "SKIP: $python has no numpy and ai-edge-litert (set PARE_PYTHON, or run ./bootstrap test)"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" "$PARE_SOURCE/tests/oracle/tflite_ops.py" "${PARE_RUN_MODEL:?}" "$folder" 2>/dev/null
