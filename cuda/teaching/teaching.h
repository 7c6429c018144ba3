#pragma once

#include <string>
#include <vector>

/// @file
/// The kernels of docs/cuda.md on the emulated device, compiled so that their accesses are seen.

namespace cytograd::cuda {

/// A kernel over a matrix [rows, cols] of floats. `run` takes device memory; y is [cols, rows] for
/// a transpose.
struct TeachingKernel {
  std::string name;
  std::string about;
  int rows, cols;  ///< of the launch that `cyto kernel trace` shows
  void (*run)(const float* x, float* y, int rows, int cols);
};

const std::vector<TeachingKernel>& teaching_kernels();
/// @throws ValueError naming the kernels there are
const TeachingKernel& teaching_kernel(const std::string& name);

}  // namespace cytograd::cuda
