#!/bin/sh
# Scores the genes of a path against the truth of `cyto synth multimodal`.
#   bench/multimodal/planted.sh TRUTH.csv PATH DRIVERS.csv [LEAST_CHANGE]
# A gene is called where its fold change rises or falls by LEAST_CHANGE (0.25) and more along the path (the column `change` of
# drivers.csv: mean of the last tenth less that of the first). Planted drivers are those of truth.csv (log mean changes by half
# the effect or more); one is recovered if it is called in its direction. A called gene whose mean does not change along the
# path, or changes the other way, is a false discovery; genes that change by less than half the effect are neither.
# Prints one line; fails unless recall >= 0.9 and false discovery <= 0.1.
set -eu
[ $# -ge 3 ] || { echo "usage: $0 TRUTH.csv PATH DRIVERS.csv [LEAST_CHANGE]" >&2; exit 2; }
for file in "$1" "$3"; do
  [ -r "$file" ] || { echo "$0: $file: cannot be read" >&2; exit 4; }
done
awk -F, -v path="$2" -v least="${4:-0.25}" '
  function need(name) {
    if (!(name in at)) { print FILENAME ": no column " name > "/dev/stderr"; broken = 1; exit }
    return at[name]
  }
  { sub(/\r$/, "") }
  FNR == 1 {
    ++file
    split("", at)
    for (i = 1; i <= NF; ++i) at[$i] = i
    gene = need("gene"); change = need("change")
    if (file == 1) { of = need("path"); driver = need("driver"); direction = need("direction") }
    next
  }
  file == 1 {
    if ($of != path) next
    way[$gene] = $direction + 0
    if ($driver == 1) planted[$gene] = 1
    next
  }
  ($gene in way) && !($gene in seen) {
    seen[$gene] = 1
    sign = $change >= least ? 1 : $change <= -least ? -1 : 0
    if (sign == 0) next
    ++called
    if (way[$gene] != sign) ++wrong
    else if ($gene in planted) ++right
  }
  END {
    if (broken) exit 4
    for (g in planted) { ++all; absent += !(g in seen) }
    if (!all) { print "no driver of path " path " in the truth" > "/dev/stderr"; exit 4 }
    recall = right / all
    discovery = called ? wrong / called : 0
    good = recall >= 0.9 && discovery <= 0.1
    printf "%s: %d of %d planted drivers recovered with the right direction (%.2f), %d not measured; %d genes called, %d falsely (%.2f)%s\n",
      path, right, all, recall, absent, called, wrong, discovery, good ? "" : "; expected at least 0.9 and at most 0.1"
    exit !good
  }' "$1" "$3"
