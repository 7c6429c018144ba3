#!/usr/bin/env bash
# Installs what is missing, builds, and passes the tests. PRESET chooses the build (default: release, for the CPU;
# CYTOGRAD_CUDA=ON or EMULATED adds the CUDA backend).
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${PRESET:-release}
cuda=()
[ "$preset" = release ] && cuda=("-DCYTOGRAD_CUDA=${CYTOGRAD_CUDA:-OFF}")

.ci/install.sh
cmake --preset "$preset" -DCYTOGRAD_BUILD_TESTS=ON "${cuda[@]}" ${CMAKE_ARGS:-}  # examples/demo.sh leaves them out
cmake --build --preset "$preset" -j "$(nproc)"
ctest --preset "$preset" --no-tests=error -j "$(nproc)" "$@"
