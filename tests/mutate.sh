#!/usr/bin/env bash
# Tests of the tests: plants each fault of tests/mutations.txt, one at a time, in a scratch copy of the tree, and expects
# the named tests to fail. Prints a line per fault and exits 1 if one survives. About 10 s per fault.
# Usage: tests/mutate.sh [PATTERN]     only faults whose line matches PATTERN
set -euo pipefail
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
git ls-files -z --cached --others --exclude-standard | xargs -0 cp --parents -t "$scratch"
cd "$scratch"
cmake --preset release -DCYTOGRAD_PCH=OFF ${CMAKE_ARGS:-} >/dev/null
mapfile -t programs < <(grep -E "${1:-.}" tests/mutations.txt | grep -v '^#' | cut -s -d'|' -f4 | sort -u)
cmake --build --preset release --target "${programs[@]}" -j "$(nproc)" >/dev/null
for program in "${programs[@]}"; do
  build/release/tests/$program >/dev/null || { echo "$program fails without any fault"; exit 1; }
done

survived=0 caught=0
while IFS='|' read -r file from to program filter; do
  [[ -z $file || $file == '#'* ]] && continue
  if ! "build/release/tests/$program" -tc="$filter" -c | grep -qE ': [1-9][0-9]*$'; then
    echo "NO TEST   $program: '$filter' names none"
    survived=$((survived + 1))
    continue
  fi
  cp "$file" original
  FROM=$from TO=$to perl -0pi -e 's/\Q$ENV{FROM}\E/$ENV{TO}/' "$file"
  if cmp -s "$file" original; then
    echo "STALE     $file: '$from' is not there"
    survived=$((survived + 1))
    continue
  fi
  if ! cmake --build --preset release --target "$program" -j "$(nproc)" >build.log 2>&1; then
    echo "NO BUILD  $file: '$from' -> '$to'"
    survived=$((survived + 1))
  elif timeout 120 "build/release/tests/$program" -tc="$filter" >/dev/null 2>&1; then
    echo "SURVIVED  $file: '$from' -> '$to'"
    survived=$((survived + 1))
  else
    echo "caught    $file: '$from' -> '$to'"
    caught=$((caught + 1))
  fi
  cp original "$file"
done < <(grep -E "${1:-.}" tests/mutations.txt)
echo "$caught caught, $survived not"
[ "$survived" -eq 0 ]
