#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// @file
/// Cases that run one PTX wrapper each, on the GPU and on the emulated device. Inputs are small
/// integers, so that every sum is exact and results can be compared bit by bit.

namespace cytograd::conformance {

struct Case {
  std::string name;
  unsigned threads;
  bool needs_sm90;
  std::vector<uint32_t> (*run)();  ///< what the kernel wrote
};

/// The cases of kernels compiled for the emulated device, and by nvcc.
std::vector<Case> emulated_cases();
std::vector<Case> gpu_cases();

}  // namespace cytograd::conformance
