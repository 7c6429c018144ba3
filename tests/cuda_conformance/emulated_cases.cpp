#include "cuda_conformance/hopper_cases.cuh"
#include "cuda_conformance/warp_cases.cuh"

std::vector<cytograd::conformance::Case> cytograd::conformance::emulated_cases() {
  auto all = warp_cases();
  for (auto& c : hopper_cases()) all.push_back(c);
  return all;
}
