#!/usr/bin/env bash
# Installs what is missing, builds, and passes the tests. PRESET chooses the build (default: release).
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${PRESET:-release}

.ci/install.sh
cmake --preset "$preset" ${CMAKE_ARGS:-}
cmake --build --preset "$preset" -j "$(nproc)"
ctest --preset "$preset" -j "$(nproc)" "$@"
