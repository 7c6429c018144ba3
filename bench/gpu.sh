#!/usr/bin/env bash
# What a machine with an NVIDIA card can tell of this tree: builds, runs every CUDA test on the card, then times kernels
# and models beside PyTorch. Writes FOLDER/gpu.md, FOLDER/gpu.json and the logs.
#
#   bench/gpu.sh [--quick] [--output FOLDER] [--python PYTHON]   build here, run here
#   bench/gpu.sh --bundle FOLDER       only build, and collect the programs with the libraries they load, for a machine
#                                      of the same kind that has none of the packages
#   bench/gpu.sh --from FOLDER ...     run what --bundle collected
#   bench/gpu.sh --dry-run             no card: the same steps on the emulated device, at sizes for it
#
# The whole takes about 25 minutes, --quick 5. A step that fails is reported at the end, and the next one runs.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
quick=0 dry=0 bundle= from= output= python=python3
while [ $# -gt 0 ]; do
  case $1 in
    --quick) quick=1 ;;
    --dry-run) dry=1 ;;
    --bundle) bundle=$2; shift ;;
    --from) from=$2; shift ;;
    --output) output=$2; shift ;;
    --python) python=$2; shift ;;
    *) echo "error: gpu.sh: unknown argument $1" >&2; exit 2 ;;
  esac
  shift
done
preset=cuda
[ $dry = 1 ] && preset=emulated
output=${output:-build/$preset/gpu}
mkdir -p "$output"
output=$(cd "$output" && pwd)
programs=(cyto tests/test_backend tests/test_ops tests/test_autograd tests/test_nn tests/test_losses tests/test_optim)
[ $dry = 1 ] && programs+=(tests/test_cuda) || programs+=(tests/cuda_conformance)

if [ -z "$from" ]; then
  command -v nvcc >/dev/null || export PATH=$PATH:/usr/local/cuda/bin
  targets=("${programs[@]##*/}")
  cmake --preset $preset >"$output/configure.log" 2>&1 &&
    cmake --build --preset $preset -j "$(nproc)" --target "${targets[@]}" >"$output/build.log" 2>&1 ||
    { tail -30 "$output/configure.log" "$output/build.log"; echo "error: gpu.sh: the build failed" >&2; exit 1; }
  from=build/$preset
fi
if [ -n "$bundle" ]; then
  mkdir -p "$bundle/lib" "$bundle/tests"
  for program in "${programs[@]}"; do cp "$from/$program" "$bundle/$program"; strip "$bundle/$program"; done
  # Everything but what belongs to the system's loader and C library.
  ldd "${programs[@]/#/$bundle/}" | awk '$3 ~ /^\// { print $3 }' | sort -u |
    grep -Ev '/(libc|libm|libdl|libpthread|librt|ld-linux[^/]*)\.so' | xargs -I{} cp -L {} "$bundle/lib/"
  du -sh "$bundle"
  exit 0
fi
[ -d "$from/lib" ] && export LD_LIBRARY_PATH=$from/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

failed=()
begin=$SECONDS
# step NAME SECONDS COMMAND...: the output goes to NAME.log, its end to the terminal.
step() {
  local name=$1 limit=$2 code=0
  shift 2
  printf '\n== %s (%s s)\n' "$name" $((SECONDS - begin))
  timeout "$limit" "$@" >"$output/$name.log" 2>&1 || code=$?
  tail -n 12 "$output/$name.log"
  if [ $code -ne 0 ]; then failed+=("$name: exit $code"); echo "$name: exit $code"; fi
}

if [ $dry = 1 ]; then
  echo "no card: the emulated device, whose times mean nothing" >"$output/device.txt"
  export CYTO_EMULATION=random
else
  nvidia-smi --query-gpu=name,driver_version,memory.total,compute_cap --format=csv,noheader | tee "$output/device.txt"
fi
sanitizer_cases='*matmul*,*conv2d*,*batch_norm*,*softmax*'

# In the order of what a short lease must not miss: instructions, ceilings, equality, sanitizer, kernels, models.
[ $dry = 1 ] && step instructions 300 "$from/tests/test_cuda" --no-intro --test-case='*ptx*' ||
  step instructions 300 "$from/tests/cuda_conformance"
[ $dry = 0 ] && step ceilings 120 "$python" bench/peers/ceilings.py "$output/ceilings.json"
# Products and convolutions against cuBLASLt and cuDNN; says why where they are not there.
step vendor 200 "$from/tests/test_backend" --test-case='vendor*' --success=false
for program in backend ops autograd optim nn losses; do
  [ $quick$dry != 00 ] && [[ $program =~ nn|losses ]] && continue
  step "test_$program" 400 "$from/tests/test_$program" --no-intro
done
if [ $quick$dry = 00 ] && command -v compute-sanitizer >/dev/null; then
  for tool in memcheck racecheck; do
    step "$tool" 150 compute-sanitizer --tool $tool --error-exitcode 9 "$from/tests/test_backend" --minimal \
      --test-case="$sanitizer_cases"
  done
fi
precisions=(bf16 tf32)
if [ $dry = 1 ]; then
  step kernels 300 "$from/cyto" bench ops --device cuda --repeats 1 --filter 'guided_losses/*/64'
  for precision in "${precisions[@]}"; do
    step "model_$precision" 300 "$from/cyto" bench model --device cuda --precision "$precision" --model resnet18 \
      --mode train --batch 2 --size 32 --classes 3 --repeats 1 --json
  done
else
  for precision in "${precisions[@]}"; do
    step "kernels_$precision" 200 "$from/cyto" bench ops --device cuda --precision "$precision" --json
    [ $quick = 0 ] && step "kernels_vendor_$precision" 200 "$from/cyto" bench ops --device cuda \
      --precision "$precision" --kernels vendor --filter conv2d --json
  done
  more=()
  [ $quick = 1 ] && more=(--quick --only resnet50 train --arms cytograd torch-nhwc)
  step models 900 "$python" bench/peers/compare.py "$from/cyto" --device cuda --precision "${precisions[@]}" \
    --rounds-train 3 --rounds-infer 3 --folder "$output" --name models "${more[@]}"
fi
"$python" bench/peers/gpu_report.py "$output" --took $((SECONDS - begin)) ${failed[0]+--failed "${failed[@]}"} ||
  failed+=("report")
echo
cat "$output/gpu.md"
[ ${#failed[@]} -eq 0 ]
