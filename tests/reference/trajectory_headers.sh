#!/usr/bin/env bash
# Makes the headers of numbers that the tests of Gaussian processes, k-shape and expression compare with.
# Usage: tests/reference/trajectory_headers.sh [PYTHON]; PYTHON needs scikit-learn, tslearn, scanpy.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-python3}
make() {  # SCRIPT HEADER
  "$python" "reference/$1.py" >"$2.new"
  clang-format --assume-filename="$2" "$2.new" >"$2"
  rm "$2.new"
}
make gaussian_process gp/reference_expected.h
make kshape cluster/reference_expected.h
make expression rna/reference_expected.h
