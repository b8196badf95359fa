#!/usr/bin/env bash
# One call on a machine with a GPU: what is still missing of benchmarks/results/gpu/, for nine
# minutes at most. Repeat it until it says that nothing is missing.
#
#   bash benchmarks/gpu.sh                  # or: SECONDS_LEFT=300 bash benchmarks/gpu.sh
#   bash benchmarks/gpu.sh --tiny --device cpu    # a dry run
set -eu
cd "$(dirname "$0")/.."
export OMP_NUM_THREADS=1 PYTHONUNBUFFERED=1 PYTHONPATH="$PWD/src:$PWD"
exec "${PYTHON:-python3}" -m benchmarks.gpu_run next --seconds "${SECONDS_LEFT:-530}" "$@"
