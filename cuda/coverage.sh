#!/usr/bin/env bash
# Which kernels of cuda/ the tests have run on the emulated device. Fails if one of them never ran.
#
#   CYTO_EMULATION_COVERAGE=FOLDER build/emulated/tests/test_ops ...    leaves FOLDER/test_ops.kernels
#   cuda/coverage.sh FOLDER PROGRAM...                                   of the programs that left such files
#
# Per kernel: how many of its instances (dtypes, tiles) ran, of those that the programs hold. Needs binutils.
set -euo pipefail
folder=$(realpath "$1")
shift
mapfile -t programs < <(realpath "$@")
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# file name, for each __global__ function of the sources.
grep -rlw __global__ --include='*.cu' --include='*.cuh' . | sed 's#^\./##' | sort | while read -r file; do
  sed 's#//.*##' "$file" | tr '\n' ' ' |
    { grep -oP '__global__\s+void\s+(__launch_bounds__\((?:[^()]|\([^()]*\))*\)\s+)?\K\w+(?=\()' || true; } | sed "s#^#$file #"
done | sort -u >"$work/sources"

# file name signature ran, for each function of a program that has the name of a kernel.
for program in "${programs[@]}"; do
  nm -C --defined-only "$program" | grep -E '^[0-9a-f]+ [tTwW] .*cytograd::cuda::emulated' |
    sed 's/(anonymous namespace)/anonymous/g' |
    awk 'NR == FNR { kernel[$2]; next }
         { text = $0; sub(/^[0-9a-f]+ . /, "", text); head = text; sub(/[<(].*/, "", head)
           n = split(head, part, "::"); if (part[n] in kernel) print $1, part[n], text }' "$work/sources" - |
    sort -u >"$work/functions"
  # What is inlined at the beginning of a function may come from another file: the last of each chain counts.
  cut -d' ' -f1 "$work/functions" | addr2line -a -i -e "$program" |
    awk '/^0x/ { if (NR > 1) print last; next } { last = $0 } END { print last }' |
    sed -E 's#.*/cuda/##; s/:.*//' >"$work/files"
  paste -d' ' "$work/files" "$work/functions" |
    awk 'NR == FNR { ran[$1]; next }
         { done = ($2 in ran) ? 1 : 0; file = $1; name = $3; $1 = $2 = $3 = ""; print file, name, done, $0 }' \
      "$folder/$(basename "$program").kernels" -
done | sort >"$work/instances"

awk '
  FNR == NR { kernels[++n] = $1 " " $2; known[$1 " " $2]; next }
  ($1 " " $2) in known { key = $1 " " $2; text = $0; sub(/^[^ ]+ [^ ]+ [01] +/, "", text)
                         if (!((key, text) in seen)) { seen[key, text]; ++held[key] }
                         if ($3 && !((key, text) in counted)) { counted[key, text]; ++ran[key] } }
  END {
    for (i = 1; i <= n; ++i) {
      key = kernels[i]
      printf "%5d of %5d  %s\n", ran[key], held[key], key
      all += held[key]; executed += ran[key]
      if (!ran[key]) missing = missing "\n  " key
    }
    printf "%d kernels; %d of their %d instances ran\n", n, executed, all
    if (missing) { print "error: never ran:" missing; exit 1 }
  }' "$work/sources" "$work/instances"
if [ -n "${LIST_INSTANCES:-}" ]; then awk '$3 == 0' "$work/instances"; fi
