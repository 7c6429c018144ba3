#include "kernels/matmul.h"

#include "cuda/gemm/math_fma.cuh"
#include "cuda/gemm/matrix_product.h"

namespace cytograd::cuda::inline CYTOGRAD_NS {
namespace {

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

void run_math(const Call<double>& x) {
  run<FmaMath<double, 1, 1, 4, 2>,  // 64 x 64 x 16
      Operand<MatrixSource<double>, Along::rows, Copy::elements>,
      Operand<MatrixSource<double>, Along::rows, Copy::elements>>("matmul", x.ctx, x.p);
}

void run_math(const Call<float>& x) {
  using Large = FmaMath<float, 2, 2, 4, 2>;  // 128 x 128 x 32
  using Small = FmaMath<float, 1, 1, 4, 2>;  // 64 x 64 x 32
  const int64_t large_tiles = ceil_div(x.p.m, 128) * ceil_div(x.p.n, 128) * x.p.batch.count;
  const bool large = x.p.m > 64 && x.p.n > 64 && large_tiles * ceil_div(x.p.k, 256) >= 132;
  large ? run_matrices<Large>("matmul", x.ctx, x.a, x.b, x.p)
        : run_matrices<Small>("matmul", x.ctx, x.a, x.b, x.p);
}

/// The last `Batch::max_axes` axes in one launch each; those in front of them one after the other.
template <class T>
void run_batches(Call<T> x, const BatchAxes& axes, int axis) {
  const int inner = std::max(axis, axes.axes() - Batch::max_axes);
  if (axis < inner) {
    for (int64_t i = 0; i < axes.size[size_t(axis)]; ++i) {
      run_batches(x, axes, axis + 1);
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
  run_math(x);
}

template <class T>
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
  run_batches(x, axes, 0);
}

}  // namespace
}  // namespace cytograd::cuda::inline CYTOGRAD_NS

namespace cytograd::kernels {

void matmul(CudaContext ctx, const Tensor& a, const Tensor& b, const Tensor& bias,
            const Tensor& c) {
  if (c.numel() == 0) return;
  dispatch_floating(c.dtype(), "matmul", [&]<class T>() { cuda::product<T>(ctx, a, b, bias, c); });
}

}  // namespace cytograd::kernels
