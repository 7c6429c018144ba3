#include <cstdio>
#include <exception>

#include "cuda_conformance/case.h"

// Runs each wrapper on the GPU and on the emulated device and compares the bits. Exit code 0: all
// agree; 77: no device; 1: some differ.

int main() {
  cudaDeviceProp properties;
  if (cudaGetDeviceProperties(&properties, 0) != cudaSuccess) {
    std::printf("skipped: no CUDA device\n");
    return 77;
  }
  const auto emulated = cytograd::conformance::emulated_cases();
  const auto gpu = cytograd::conformance::gpu_cases();
  int failed = 0;
  for (size_t i = 0; i < gpu.size(); ++i) {
    if (gpu[i].needs_sm90 && properties.major != 9) {
      std::printf("%-36s skipped: needs sm_90\n", gpu[i].name.c_str());
      continue;
    }
    size_t differ = 0, first = 0;
    std::string error;
    try {
      const auto expected = emulated[i].run(), found = gpu[i].run();
      for (size_t k = expected.size(); k-- > 0;)
        if (expected[k] != found[k]) ++differ, first = k;
      if (differ)
        error = std::to_string(differ) + " words differ, first " + std::to_string(first) + ": " +
                std::to_string(expected[first]) + " emulated, " + std::to_string(found[first]) +
                " on the GPU";
    } catch (const std::exception& e) {
      error = e.what();
    }
    std::printf("%-36s %s\n", gpu[i].name.c_str(), error.empty() ? "equal" : error.c_str());
    failed += !error.empty();
  }
  std::printf("%d of %zu cases failed\n", failed, gpu.size());
  return failed != 0;
}
