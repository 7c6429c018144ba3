#!/usr/bin/env bash
# Registers, shared memory and spills of every kernel, from a log of nvcc with -Xptxas=-v. Fails if a kernel spills that
# cuda/spills.txt does not excuse. Usage: cuda/resources.sh LOG
set -euo pipefail
excused=$(dirname "$0")/spills.txt
awk -v excused="$excused" '
  BEGIN { while ((getline line < excused) > 0) if (line !~ /^#/ && split(line, f, " ")) why[f[1]] = line }
  /Compiling entry function/ { match($0, /\047[^\047]*\047/); name = substr($0, RSTART + 1, RLENGTH - 2)
                               match($0, /sm_[0-9a-z]+/); arch = substr($0, RSTART, RLENGTH) }
  /bytes spill stores/ { spill = 0; for (i = 2; i <= NF; ++i) if ($i == "bytes" && $(i + 1) == "spill") spill += $(i - 1) }
  /Used [0-9]+ registers/ {
    match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5)
    shared = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART, RLENGTH - 11) : 0
    printf "%-7s %4d registers %6d shared %5d spilled  %s\n", arch, registers, shared, spill, name
    ++kernels
    if (spill > 0) {
      ok = 0
      for (k in why) if (index(name, k)) ok = 1
      if (!ok) { bad = bad "\n  " arch " " name ": " spill " bytes"; ++spilled }
    }
  }
  END {
    printf "%d kernels\n", kernels
    if (!kernels) { print "error: the log names no kernel"; exit 1 }
    if (spilled) { print "error: registers spilled to memory; mend it, or give the reason in cuda/spills.txt:" bad; exit 1 }
  }' "$1"
