#!/bin/sh
# Trains detectors on BCCD and segmentation_WBC from random weights and scores them on the fields that were held back.
#   bench/segmentation/run.sh CYTO DATA OUTPUT
# DATA holds BCCD_Dataset, BCCD_WBC_masks and segmentation_WBC. What is in OUTPUT already goes on where it stopped.
set -eu
[ $# -eq 3 ] || { echo "usage: $0 CYTO DATA OUTPUT" >&2; exit 2; }
cyto=$1 data=$2 out=$3
recipes=$(dirname "$0")
mkdir -p "$out"
begin=$(date +%s)
"$cyto" segment train --config "$recipes/bccd.toml" --data "$data/BCCD_Dataset" --resume auto -o "$out/bccd"
"$cyto" segment train --config "$recipes/wbc-seg.toml" --data "$data/segmentation_WBC" --weights "$out/bccd" \
  --resume auto -o "$out/wbc-seg"
"$cyto" segment train --config "$recipes/wbc-seg-2.toml" --data "$data/segmentation_WBC/Dataset 2" --weights "$out/bccd" \
  --resume auto -o "$out/wbc-seg-2"
echo "trained in $(( ($(date +%s) - begin) / 60 )) minutes" >&2
for run in bccd wbc-seg-2; do
  "$cyto" segment eval --run "$out/$run" --json --force -o "$out/$run.json"
done
for part in 1 2; do
  "$cyto" segment eval --run "$out/wbc-seg" --domain "wbc-seg-$part" --json --force -o "$out/wbc-seg-part-$part.json"
done
