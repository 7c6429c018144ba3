#include "cuda/teaching/teaching.h"

#include "cuda/teaching/softmax.cuh"
#include "cuda/teaching/transpose.cuh"

namespace cytograd::cuda {
namespace {

using Kernel = void (*)(const float*, float*, int, int);

template <Kernel kernel>
void tiles(const float* x, float* y, int rows, int cols) {
  const dim3 grid(static_cast<unsigned>(ceil_div(cols, 32)),
                  static_cast<unsigned>(ceil_div(rows, 32)));
  simt::launch(simt::Launch{grid, dim3(32, 8), 0, "transpose"}, kernel, x, y, rows, cols);
}

// One block of `threads` per `rows_per_block` rows.
template <Kernel kernel, unsigned threads, int rows_per_block>
void softmax(const float* x, float* y, int rows, int cols) {
  const dim3 grid(static_cast<unsigned>(ceil_div(rows, rows_per_block)));
  simt::launch(simt::Launch{grid, threads, 0, "softmax"}, kernel, x, y, rows, cols);
}

}  // namespace

const std::vector<TeachingKernel>& teaching_kernels() {
  static const std::vector<TeachingKernel> all = {
      {"transpose_1", "matrix transpose, straight from the formula", 32, 32, tiles<transpose_1>},
      {"transpose_2", "through a tile in shared memory", 32, 32, tiles<transpose_tile<0>>},
      {"transpose_3", "tile rows of 33 words: no bank conflicts", 32, 32, tiles<transpose_tile<1>>},
      {"softmax_1", "softmax of rows, one thread per row", 64, 8, softmax<softmax_1, 64, 64>},
      {"softmax_2", "one block per row, tree over neighbours", 1, 128,
       softmax<softmax_block<true>, 128, 1>},
      {"softmax_3", "tree over halves: no bank conflicts", 1, 128,
       softmax<softmax_block<false>, 128, 1>},
      {"softmax_4", "one warp per row, shuffles", 2, 128, softmax<softmax_4, 64, 2>},
      {"softmax_5", "16 bytes per lane, the row in registers", 2, 128, softmax<softmax_5, 64, 2>},
  };
  return all;
}

const TeachingKernel& teaching_kernel(const std::string& name) {
  std::string names;
  for (const TeachingKernel& kernel : teaching_kernels()) {
    if (kernel.name == name) return kernel;
    names += (names.empty() ? "" : ", ") + kernel.name;
  }
  throw ValueError("expected one of " + names + ", got " + name);
}

}  // namespace cytograd::cuda
