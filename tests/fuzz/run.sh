#!/usr/bin/env bash
# Searches with every fuzz target for SECONDS_EACH (default 60), one target per core. Needs a build
# with CYTOGRAD_BUILD_FUZZ in BUILD (default build/clang). New inputs go to a scratch folder; a crash
# is left there as crash-* and fails this script: fix it, add the file to tests/fuzz/corpus/<reader>/.
set -euo pipefail
cd "$(dirname "$0")/../.."
export BUILD=${BUILD:-build/clang} SECONDS_EACH=${SECONDS_EACH:-60}
export SCRATCH=${SCRATCH:-$BUILD/fuzz}

search() {
  local name=$1
  mkdir -p "$SCRATCH/$name"
  if "$BUILD/tests/fuzz/fuzz_$name" -seed=1 -max_total_time="$SECONDS_EACH" -timeout=10 -rss_limit_mb=2048 \
    -max_len=20000 -print_final_stats=1 -artifact_prefix="$SCRATCH/$name/" \
    "$SCRATCH/$name" "tests/fuzz/corpus/$name" >"$SCRATCH/$name.log" 2>&1; then
    echo "$name: $(sed -n 's/.*number_of_executed_units: *//p' "$SCRATCH/$name.log") inputs, no finding"
  else
    echo "$name: failed"
    tail -40 "$SCRATCH/$name.log"
    return 1
  fi
}
export -f search

sources=(tests/fuzz/*_fuzz.cpp)
names=("${sources[@]##*/}")
printf '%s\n' "${names[@]%_fuzz.cpp}" | xargs -P "$(nproc)" -I{} bash -c 'search {}'
