#!/usr/bin/env bash
# Methods over real laboratories: draws cells, trains a network to tell them, then five methods on four real laboratories with
# each left out in turn. Can be stopped and called again. About 35 minutes of two quiet cores (estimated).
# Usage: bench/domains/laboratories.sh DATA OUTPUT
#   DATA: folder with segmentation_WBC, BCCD_Dataset and PBC_dataset_normal_DIB
set -euo pipefail
data=$(realpath "$1") config=$(realpath "$(dirname "$0")/laboratories.toml")
cyto=$(command -v cyto || realpath "$(dirname "$0")/../../build/release/cyto")
mkdir -p "$2"
cd "$2"

[ -f drawn/manifest.csv ] || "$cyto" synth cells --count 1000 --domains 6 --imbalance 3 -o drawn
# Of the five classes 14 of each kind and stain, as a laboratory of its own.
awk -F, 'NR == 1 { print "path,label,microns_per_pixel"; next }
         $2 ~ /^(band|segmented|eosinophil|basophil|monocyte|lymphocyte)$/ && n[$2, $3]++ < 14 { print $1 "," $2 "," $7 }' \
  drawn/manifest.csv >drawn/five.csv
cat >laboratories.toml <<END
[[domain]]
name = "wbc-seg-1"
path = "$data/segmentation_WBC/Dataset 1"
stain = "rapid stain"
microns_per_pixel = 0.165
[[domain]]
name = "wbc-seg-2"
path = "$data/segmentation_WBC/Dataset 2"
microns_per_pixel = 0.076
[[domain]]
name = "bccd"
path = "$data/BCCD_Dataset"
microns_per_pixel = 0.068
[[domain]]
name = "pbc"
path = "$data/PBC_dataset_normal_DIB"
microns_per_pixel = 0.1
[[domain]]
name = "drawn"
path = "drawn/five.csv"
END

[ -f fifteen/results.json ] || "$cyto" train --data drawn/manifest.csv --model resnet18 --image-size 64 --field-um 20 \
  --stain reinhard --augment domains --hue 0.05 --gray-p 0 --epochs 6 --batch 64 --lr 0.002 --warmup-epochs 0.5 \
  --force -o fifteen
for _ in 1 2; do  # two processes of one thread share the runs
  "$cyto" crossval --config "$config" --data laboratories.toml --weights fifteen/checkpoints/best --threads 1 --lean \
    --protocol leave-one-domain-out --unseen wbc-seg-1 wbc-seg-2 bccd pbc -o results &
done
wait
"$cyto" report --run results
