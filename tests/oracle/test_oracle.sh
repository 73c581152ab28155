#!/usr/bin/env bash
# Float outputs against onnxruntime and LiteRT. PARE_PYTHON: a Python with tests/oracle/requirements.txt.
set -u
python=${PARE_PYTHON:-python3}
models=${PARE_MODELS:-${PARE_SOURCE:?}/../shared/models}
if ! "$python" -c 'import numpy, onnxruntime' 2>/dev/null; then
    echo "SKIP: $python has no numpy and onnxruntime (set PARE_PYTHON, or run ./bootstrap test)"
    exit 77
fi
if [ ! -d "$models" ]; then
    echo "SKIP: no models (set PARE_MODELS)"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" "$PARE_SOURCE/tests/oracle/compare.py" "${PARE_RUN_MODEL:?}" "$models" "$PARE_SOURCE" "$folder"
