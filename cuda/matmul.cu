#include "kernels/matmul.h"

#include "cuda/gemm/run.cuh"
#include "cuda/gemm/tile_sets.h"
#include "cuda/hopper/hopper.h"
#include "cuda/vendor/vendor.h"
#include "cytograd/core/cuda.h"

namespace cytograd::cuda::inline CYTOGRAD_NS {
namespace {

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
  constexpr int64_t count = per_chunk<T>;
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

/// The axes in front of the matrices, merged where all three operands allow.
struct BatchAxes {
  std::vector<int64_t> size, a, b, c;

  BatchAxes(const Tensor& ta, const Tensor& tb, const Tensor& tc) {
    for (int d = 0; d + 2 < tc.ndim(); ++d) {
      const int64_t n = tc.size(d), sa = ta.strides()[d], sb = tb.strides()[d],
                    sc = tc.strides()[d];
      if (n == 1) continue;
      if (!size.empty() && a.back() == n * sa && b.back() == n * sb && c.back() == n * sc) {
        size.back() *= n;
        a.back() = sa, b.back() = sb, c.back() = sc;
      } else {
        size.push_back(n);
        a.push_back(sa), b.push_back(sb), c.push_back(sc);
      }
    }
  }
  int axes() const { return static_cast<int>(size.size()); }
};

template <class T>
struct Call {
  CudaContext ctx;
  Matrix<T> a, b;
  Problem<MatrixSource<T>, MatrixSource<T>, T> p;
};

template <class Math, class T>
void run_elements(const Call<T>& x) {
  using Elements = Operand<MatrixSource<T>, Along::rows, Copy::elements>;
  run<Math, Elements, Elements>("matmul", x.ctx, x.p);
}

/// The kernel made for the layouts of the operands.
template <class Math, class T>
void run_wide(const Call<T>& x) {
  using Depth = Operand<MatrixSource<T>, Along::depth, Copy::async>;
  using Rows = Operand<MatrixSource<T>, Along::rows, Copy::async>;
  const bool a_depth = x.a.along == Along::depth, b_depth = x.b.along == Along::depth;
  if (a_depth && b_depth) run<Math, Depth, Depth>("matmul", x.ctx, x.p);
  if (a_depth && !b_depth) run<Math, Depth, Rows>("matmul", x.ctx, x.p);
  if (!a_depth && b_depth) run<Math, Rows, Depth>("matmul", x.ctx, x.p);
  if (!a_depth && !b_depth) run<Math, Rows, Rows>("matmul", x.ctx, x.p);
}

template <class Set, class T>
void run_tiles(const Call<T>& x) {
  if constexpr (!elements_only<Set>) {
    if (x.a.wide && x.b.wide) {
      const int64_t tiles = ceil_div(int64_t{x.p.m}, 128) * ceil_div(int64_t{x.p.n}, 128);
      const int64_t blocks = tiles * x.p.batch.count * ceil_div(int64_t{x.p.k}, 256);
      if (x.p.m <= 64 || x.p.n <= 64 || blocks < 132) return run_wide<typename Set::Small>(x);
      if constexpr (std::is_same_v<T, bfloat16>)
        if (hopper_matmul("matmul", x.ctx, x.p, x.a.along, x.b.along)) return;
      return run_wide<typename Set::Wide>(x);
    }
  }
  run_elements<typename Set::Elements>(x);
}

/// The last `Batch::max_axes` axes in one launch each; those in front of them one after the other.
template <class Set, class T>
void run_batches(Call<T> x, const BatchAxes& axes, int axis) {
  const int inner = std::max(axis, axes.axes() - Batch::max_axes);
  if (axis < inner) {
    for (int64_t i = 0; i < axes.size[size_t(axis)]; ++i) {
      run_batches<Set>(x, axes, axis + 1);
      x.p.a_data += axes.a[size_t(axis)];
      x.p.b_data += axes.b[size_t(axis)];
      x.p.out.data += axes.c[size_t(axis)];
    }
    return;
  }
  Batch& batch = x.p.batch;
  int64_t count = 1;
  for (size_t d = size_t(axis); d < axes.size.size(); ++d) {
    count *= axes.size[d];
    batch.size[batch.axes] = checked_int("matmul", axes.size[d]);
    batch.a[batch.axes] = axes.a[d];
    batch.b[batch.axes] = axes.b[d];
    batch.c[batch.axes++] = axes.c[d];
  }
  batch.count = checked_int("matmul", count);
  run_tiles<Set>(x);
}

template <class Set, class T = typename Set::Element>
void product(CudaContext ctx, const Tensor& a, const Tensor& b, const Tensor& bias,
             const Tensor& c) {
  const int64_t m = c.size(-2), n = c.size(-1), k = a.size(-1);
  const BatchAxes axes(a, b, c);
  const int d = c.ndim() - 2;
  Call<T> x{
      ctx,
      matrix_of(a.data<T>(), m, k, a.strides()[d], a.strides()[d + 1], axes.a.data(), axes.axes()),
      matrix_of(b.data<T>(), n, k, b.strides()[d + 1], b.strides()[d], axes.b.data(), axes.axes()),
      {}};
  auto& p = x.p;
  p.m = checked_int("matmul", m);
  p.n = checked_int("matmul", n);
  p.k = checked_int("matmul", k);
  p.a = {p.m, x.a.row_step, x.a.depth_step};
  p.b = {p.n, x.b.row_step, x.b.depth_step};
  p.a_data = x.a.data;
  p.b_data = x.b.data;
  p.out.data = c.data<T>();
  p.out.pitch = n;
  p.out.bias = bias.defined() ? bias.data<T>() : nullptr;
  p.out.wide = is_wide<T>(p.out.data, n, n);
  run_batches<Set>(x, axes, 0);
}

}  // namespace
}  // namespace cytograd::cuda::inline CYTOGRAD_NS

namespace cytograd::kernels {

void matmul(CudaContext ctx, const Tensor& a, const Tensor& b, const Tensor& bias,
            const Tensor& c) {
  if (c.numel() == 0) return;
  if (cuda_kernels() == CudaKernels::vendor && cuda::vendor::matmul(ctx, a, b, bias, c)) return;
  cuda::dispatch_tiles(c.dtype(), "matmul",
                       [&]<class Set>() { cuda::product<Set>(ctx, a, b, bias, c); });
}

}  // namespace cytograd::kernels
