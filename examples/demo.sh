#!/usr/bin/env bash
# From a fresh Debian 12 to a trained blood-cell classifier and its report, on synthetic cells.
# Usage: examples/demo.sh [OUTPUT_FOLDER]     (default: runs/demo)
set -euo pipefail
cd "$(dirname "$0")/.."
output=${1:-runs/demo}

.ci/install.sh
cmake --preset release -DCYTOGRAD_BUILD_TESTS=OFF -DCYTOGRAD_CUDA="${CYTOGRAD_CUDA:-OFF}" ${CMAKE_ARGS:-} >/dev/null
cmake --build --preset release --target cyto -j "$(nproc)"
cyto=build/release/cyto

rm -rf "$output.cells"
"$cyto" synth cells --output "$output.cells" --count 1500 --size 64 --seed 1 --classes all
"$cyto" data "$output.cells"
"$cyto" train --data "$output.cells" --model resnet18 --image-size 64 --epochs 6 --output "$output" --force
"$cyto" eval --run "$output" --data "$output.cells"
"$cyto" report --run "$output"

cat <<TEXT

The report is $output/report/index.html: open it in a browser.

With your own images, one folder per class:
  $cyto train --data FOLDER --model resnet18 --image-size 96 --epochs 30 --output runs/mine
With a public set as it is published (see $cyto train --help for the presets):
  $cyto train --data PBC_dataset_normal_DIB --preset pbc --model resnet18 --image-size 96 --epochs 30 --output runs/pbc
TEXT
