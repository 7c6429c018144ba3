#pragma once

#include "cuda/gemm/run.cuh"

/// @file
/// A batched matrix product as the kernels see it: strides made out, axes merged.

namespace cytograd::cuda::inline CYTOGRAD_NS {

/// One operand: rows (m or n) and depth (k) steps in elements.
template <class T>
struct Matrix {
  const T* data;
  int64_t row_step, depth_step;
  Along along;
  bool wide;  // 16-byte copies are possible
};

/// @param axis_steps steps of the batch axes @param rows, depth sizes
template <class T>
Matrix<T> matrix_of(const T* data, int64_t rows, int64_t depth, int64_t row_step,
                    int64_t depth_step, const int64_t* axis_steps, int axes) {
  constexpr int64_t count = Chunk<T>::count;
  Matrix<T> x{data, row_step, depth_step, Along::rows, false};
  const bool by_depth =
      depth_step == 1 && depth % count == 0 && (row_step % count == 0 || rows == 1);
  const bool by_rows =
      row_step == 1 && rows % count == 0 && (depth_step % count == 0 || depth == 1);
  x.along = by_depth ? Along::depth : Along::rows;
  x.wide = (by_depth || by_rows) && reinterpret_cast<uintptr_t>(data) % 16 == 0;
  for (int i = 0; i < axes; ++i) x.wide = x.wide && axis_steps[i] % count == 0;
  return x;
}

/// Runs `p`, whose sources are `a` and `b`, with the kernel made for their layouts.
template <class Math, class T>
void run_matrices(const char* op, CudaContext ctx, const Matrix<T>& a, const Matrix<T>& b,
                  const Problem<MatrixSource<T>, MatrixSource<T>, T>& p) {
  using Elements = Operand<MatrixSource<T>, Along::rows, Copy::elements>;
  using Depth = Operand<MatrixSource<T>, Along::depth, Copy::async>;
  using Rows = Operand<MatrixSource<T>, Along::rows, Copy::async>;
  if (!a.wide || !b.wide) return run<Math, Elements, Elements>(op, ctx, p);
  if (a.along == Along::depth && b.along == Along::depth)
    return run<Math, Depth, Depth>(op, ctx, p);
  if (a.along == Along::depth) return run<Math, Depth, Rows>(op, ctx, p);
  if (b.along == Along::depth) return run<Math, Rows, Depth>(op, ctx, p);
  run<Math, Rows, Rows>(op, ctx, p);
}

}  // namespace cytograd::cuda::inline CYTOGRAD_NS
