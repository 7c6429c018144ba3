#!/usr/bin/env bash
# Searches with every fuzz target for SECONDS_EACH (default 60). Needs a build with
# CYTOGRAD_BUILD_FUZZ in BUILD (default build/clang). New inputs go to a scratch folder; a crash is
# left as crash-* in it and ends this script: fix it and add the file to tests/fuzz/corpus/<reader>/.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=${BUILD:-build/clang}
scratch=${SCRATCH:-$build/fuzz}
for program in "$build"/tests/fuzz/fuzz_*; do
  [ -x "$program" ] || continue
  name=${program##*/fuzz_}
  mkdir -p "$scratch/$name"
  "$program" -max_total_time="${SECONDS_EACH:-60}" -timeout=10 -rss_limit_mb=2048 -max_len=65536 \
    -print_final_stats=1 -artifact_prefix="$scratch/$name/" \
    "$scratch/$name" "tests/fuzz/corpus/$name" 2>&1 | tail -8
done
