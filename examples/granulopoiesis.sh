#!/usr/bin/env bash
# From raw cell images and raw RNA counts to the figure of a differentiation: which genes change while cells change their looks.
# Usage: examples/granulopoiesis.sh [OUTPUT]                                drawn cells and invented counts, drivers known
#        examples/granulopoiesis.sh --data DIR [--detector RUN] [OUTPUT]    real data
#   DIR holds PBC_dataset_normal_DIB, segmentation_WBC, BCCD_Dataset, BCCD_WBC_masks, BCCD_subtype_labels, paul15_subset,
#   GSE116256_RAW; RUN is a detector of bench/multimodal/detector.toml; without it one is trained (the longest step)
# Each step is left out where its output is there already; OUTPUT is runs/granulopoiesis, or runs/granulopoiesis-real with --data.
# CYTO names the program, else the one in PATH or build/release is taken. docs/multimodal.md says what each step does.
set -euo pipefail
home=$(cd "$(dirname "$0")/.." && pwd)
data='' detector='' out='' missed=0
usage() { sed -n '2,8s/^# \{0,1\}//p' "$0"; }
while [ $# -gt 0 ]; do
  case $1 in
    --data | --detector)
      [ $# -ge 2 ] || { echo "$0: $1 expects a folder" >&2; exit 2; }
      [ -d "$2" ] || { echo "$0: $1: $2 is no folder" >&2; exit 2; }
      if [ "$1" = --data ]; then data=$(cd "$2" && pwd); else detector=$(cd "$2" && pwd); fi
      shift 2 ;;
    -h | --help) usage; exit 0 ;;
    -*) echo "$0: unknown option $1" >&2; usage >&2; exit 2 ;;
    *) [ -z "$out" ] || { echo "$0: one OUTPUT, got $out and $1" >&2; exit 2; }; out=$1; shift ;;
  esac
done
[ -n "$out" ] || out=runs/granulopoiesis${data:+-real}
cyto=${CYTO:-$(command -v cyto || echo "$home/build/release/cyto")}
[ -x "$cyto" ] || { echo "$0: no program cyto; build it (examples/demo.sh) or set CYTO" >&2; exit 2; }
mkdir -p "$out"

# step OUTPUT WORDS...: says what is done and does it, unless OUTPUT is there.
step() {
  local target=$1
  shift
  if [ -e "$target" ]; then
    echo "== $target is there" >&2
    return
  fi
  echo "== ${*//$home\//}" | cut -c 1-240 >&2
  "$@" || exit $?
}

# Trains or goes on; DONE is written last.
detect() {  # RUN OPTIONS...
  step "$1/DONE" "$cyto" segment train --resume auto -o "$@"
}
train() {  # RUN OPTIONS...
  if [ -e "$1/config.toml" ] && [ ! -e "$1/DONE" ]; then
    step "$1/DONE" "$cyto" multimodal train --resume "$1"
  else
    step "$1/DONE" "$cyto" multimodal train --force -o "$@"
  fi
}
# Who says what stage a decoded image shows: a classifier that has learnt it from decoded cells of known stage, RUN-classifier.
judge() {  # RUN
  step "$1-decoded.h5ad" "$cyto" multimodal embed --run "$1" --images "$out/cells.h5" --pictures "$1-decoded" --force \
    -o "$1-decoded.h5ad"
  grep -v ',neutrophil,' "$1-decoded/cells.csv" >"$1-decoded/stages.csv"
  step "$1-classifier/DONE" "$cyto" train --data "$1-decoded/stages.csv" --model resnet18 --image-size 64 --epochs 20 \
    --class-weights balanced --resume auto -o "$1-classifier"
}
# A path and the report of its run; a path that was stopped is made anew.
follow() {  # RUN NAME STATIONS OPTIONS...
  local run=$1 to=$out/$2 stations=$3
  shift 3
  [ -e "$to/trajectory.json" ] || [ ! -d "$to" ] || rm -r "$to"
  step "$to/trajectory.json" "$cyto" multimodal trajectory --run "$run" --through "$stations" --seed 1 -o "$to" "$@"
  step "$to/report.html" "$cyto" multimodal report --run "$run" --path "$to" -o "$to/report.html"
}

# Few cells per step, so that steps are many; features and alignment with weights that count beside a sum over all pixels
# (docs/multimodal.md, "Features and alignment beside the pixels").
images=(--align moments_unbiased --min-per-class 4 --balanced-cells 4 --delta 300)

synthetic() {
  local world=$out/world
  [ -e "$world/truth.csv" ] || rm -rf "$world"  # was stopped
  step "$world/truth.csv" "$cyto" synth multimodal --cells 2000 --genes 300 --images 800 --fields 48 --seed 1 -o "$world"
  # The crops are 28 micrometres wide; fields have 0.4 micrometres per pixel, so a crop is shown with 70 pixels.
  detect "$out/detector" --data "$world/fields" --min-size 144 --max-size 224 --optimizer adam --lr 0.001 --epochs 10 \
    --detector-channels 128 --detector-hidden 128 --smallest-anchor 16 --regions 32 --proposals 200
  local crops=("$world"/cells/{blast,promyelocyte,myelocyte,metamyelocyte,band,segmented,promonocyte,monocyte})  # not masks
  step "$out/cells.h5" "$cyto" segment features --run "$out/detector" --min-size 70 "${crops[@]}" \
    --labels "$world/cells/manifest.csv" -o "$out/cells.h5"
  train "$out/run" --rna "$world/rna.h5ad" --images "$out/cells.h5" --image-labels "$world/cells/manifest.csv" \
    --map "$world/map.toml" --rna-epochs 100 "${images[@]}" --alpha 100 --image-epochs 80 \
    --image-batch 40
  judge "$out/run"
  follow "$out/run" granulopoiesis blast,promyelocyte,myelocyte,metamyelocyte,band,segmented --classifier "$out/run-classifier"
  follow "$out/run" monocytopoiesis blast,promonocyte,monocyte --classifier "$out/run-classifier"
  echo >&2
  local name
  for name in granulopoiesis monocytopoiesis; do
    "$home/bench/multimodal/planted.sh" "$world/truth.csv" $name "$out/$name/drivers.csv" || missed=1
  done
}

# Fields of BCCD with one neutrophil or one monocyte: NUMBER CLASS.
bccd_fields() {
  [ -e "$data/BCCD_subtype_labels/labels.csv" ] || return 0
  awk -F, 'FNR > 1 { sub(/\r$/, "")
    if (NF == 3 && ($3 == "NEUTROPHIL" || $3 == "MONOCYTE")) printf "%05d %s\n", $2, tolower($3) }' \
    "$data/BCCD_subtype_labels/labels.csv" | while read -r number class; do
    [ ! -e "$data/BCCD_Dataset/BCCD/JPEGImages/BloodImage_$number.jpg" ] || echo "$number $class"
  done
}

# Paths of images with one cell, and its class, as far as the paths need it; of segmentation_WBC and BCCD neutrophils and
# monocytes. Of a field of BCCD there is one such image if one white cell was found.
list_images() {
  local set labels
  for f in "$data"/PBC_dataset_normal_DIB/*/*.jpg; do
    case ${f##*/} in
      PMY_*) echo "$f,promyelocyte,pbc" ;;
      MY_*) echo "$f,myelocyte,pbc" ;;
      MMY_*) echo "$f,metamyelocyte,pbc" ;;
      BNE_*) echo "$f,neutrophil_band,pbc" ;;
      SNE_*) echo "$f,neutrophil_segmented,pbc" ;;
      MO_*) echo "$f,monocyte,pbc" ;;
    esac
  done
  for set in 1 2; do
    labels="$data/segmentation_WBC/Class Labels of Dataset $set.csv"
    [ -e "$labels" ] || continue
    awk -F, -v folder="$data/segmentation_WBC/Dataset $set" -v set="$set" '
      FNR > 1 { sub(/\r$/, "")
        if ($2 == 1 || $2 == 3) printf "%s/%03d.bmp,%s,wbc-seg-%s\n", folder, $1, $2 == 1 ? "neutrophil" : "monocyte", set }' \
      "$labels"
  done | while IFS= read -r line; do [ ! -e "${line%%,*}" ] || echo "$line"; done
  bccd_fields | while read -r number class; do
    set -- "$out/bccd/crops/BloodImage_${number}"_*.png
    [ $# -gt 1 ] || [ ! -e "$1" ] || echo "$1,$class,bccd"
  done
}

real() {
  local run crops fields scale
  if [ -z "$detector" ]; then
    detector=$out/detector
    detect "$detector" --data "$data/segmentation_WBC" "$data/BCCD_Dataset" --min-size 160 --max-size 224 --optimizer adam \
      --lr 0.001 --epochs 6 --detector-channels 128 --detector-hidden 256 --regions 32 --proposals 300 --augment light \
      --field-tile 288
  fi
  mapfile -t fields < <(bccd_fields | while read -r number _; do
    echo "$data/BCCD_Dataset/BCCD/JPEGImages/BloodImage_$number.jpg"
  done)
  [ ${#fields[@]} -eq 0 ] || step "$out/bccd/cells.csv" "$cyto" segment predict --run "$detector" --tile 288 --score 0.8 --crops 288 \
    --crop-class WBC --no-overlays --no-labels --force -o "$out/bccd" "${fields[@]}"
  # A crop shows one cell, as the images that the detector was trained on do: it is shown with as many pixels.
  scale=(--min-size "$(sed -n 's/^min_size = //p' "$detector/config.toml")")
  { echo path,label,domain; list_images; } >"$out/images.csv"
  mapfile -t crops < <(sed 1d "$out/images.csv" | cut -d, -f1)
  [ ${#crops[@]} -gt 0 ] || { echo "$0: no image in $data/PBC_dataset_normal_DIB or segmentation_WBC" >&2; exit 3; }
  step "$out/cells.h5" "$cyto" segment features --run "$detector" "${scale[@]}" "${crops[@]}" --labels "$out/images.csv" \
    --force -o "$out/cells.h5"

  run=$out/paul15
  train "$run" --rna "$data/paul15_subset/paul15_240genes.h5ad" --hvg none --images "$out/cells.h5" \
    --map "$home/bench/multimodal/paul15.toml" --rna-epochs 120 "${images[@]}" --alpha 300 \
    --image-epochs 64 --image-batch 32
  judge "$run"
  follow "$run" granulopoiesis promyelocyte,myelocyte,metamyelocyte,neutrophil_band,neutrophil_segmented \
    --classifier "$run-classifier"
  follow "$run" monocytopoiesis promyelocyte,monocyte --classifier "$run-classifier"
  follow "$run" paul15-neutrophils GMP,Neutrophils
  follow "$run" paul15-monocytes GMP,Monocytes

  # Healthy marrow, thousands of genes: three samples of the series as one set.
  mkdir -p "$out/marrow"
  for f in "$data"/GSE116256_RAW/*_{BM1,BM3,BM5-34p}.*; do
    [ ! -e "$f" ] || ln -sf "$f" "$out/marrow/"
  done
  run=$out/gse116256
  train "$run" --rna "$out/marrow" --n-top 2432 --images "$out/cells.h5" \
    --map "$home/bench/multimodal/gse116256.toml" --rna-epochs 200 "${images[@]}" --alpha 300 \
    --image-epochs 64 --image-batch 32
  follow "$run" gse116256-monocytes HSC,Prog,GMP,ProMono,Mono
}

if [ -n "$data" ]; then real; else synthetic; fi
echo "
Look at:"
for figure in "$out"/*/figure.svg; do
  folder=${figure%/*}
  echo "  $figure, $folder/page.html, $folder/drivers.csv, $folder/report.html"
done
exit $missed
