#include <cmath>
#include <functional>

#include <doctest/doctest.h>

#include "cytograd/core/cuda.h"
#include "cytograd/core/tensor.h"
#include "kernels/batch_norm.h"
#include "kernels/column_sum.h"
#include "kernels/pool2d.h"
#include "kernels/reduce.h"
#include "kernels/softmax.h"
#include "kernels/upsample.h"

// Kernels that take bfloat16 give what they give in float32 for the same values, rounded.

using namespace cytograd;

namespace {

Tensor waves(const Shape& shape, double phase) {
  const Tensor out = Tensor::empty(shape);
  for (int64_t i = 0; i < out.numel(); ++i)
    out.data<float>()[i] = static_cast<float>(std::sin(phase + 0.7 * static_cast<double>(i)));
  return out.to(Dtype::bfloat16).to(Device::cuda());
}

Tensor made(const Shape& shape, Dtype dtype) { return Tensor::empty(shape, dtype, Device::cuda()); }

// Runs `kernel` on bfloat16 inputs and on the same ones in float32; it returns its result.
void check_rounded(const Tensors& inputs,
                   const std::function<Tensor(CudaContext, const Tensors&)>& kernel) {
  const CudaContext ctx = cuda_context(Device::cuda());
  Tensors wide;
  for (const Tensor& x : inputs) wide.push_back(x.to(Dtype::float32));
  const Tensor got = kernel(ctx, inputs), want = kernel(ctx, wide);
  const std::vector<double> a = got.to(Device::cpu()).to(Dtype::float64).to_vector<double>(),
                            b = want.to(Device::cpu()).to(Dtype::float64).to_vector<double>();
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i)
    CHECK(std::abs(a[i] - b[i]) <= 0.00391 * std::abs(b[i]) + 1e-6);  // half of 2^-7
}

Tensor vector_of(double value, int64_t channels) {
  return Tensor::full({channels}, value, Dtype::float32, Device::cuda());
}

}  // namespace

TEST_CASE("batch_norm of bfloat16 has float32 statistics") {
  if (!cuda_available()) return;
  for (const int64_t c : {3, 8, 40}) {
    const Shape shape{2, 9, 7, c};
    const Tensor x = waves(shape, 0.1), dy = waves(shape, 1.3);
    kernels::BatchNormVectors v{vector_of(1.5, c), {}, {}, {}};
    v.bias = vector_of(0.25, c), v.mean = made({c}, Dtype::float32);
    v.rstd = made({c}, Dtype::float32);
    const auto statistics = [&](CudaContext ctx, const Tensors& in) {
      kernels::batch_norm_statistics(
          ctx, in[0], {.mean = v.mean, .rstd = v.rstd, .momentum = 0.1, .eps = 1e-5});
    };
    check_rounded({x, dy}, [&](CudaContext ctx, const Tensors& in) {
      const Tensor y = made(shape, in[0].dtype());
      statistics(ctx, in);
      kernels::batch_norm_apply(ctx, in[0], v, in[1], true, y);
      return y;
    });
    check_rounded({x, dy}, [&](CudaContext ctx, const Tensors& in) {
      const Tensor dx = made(shape, in[0].dtype());
      statistics(ctx, in);
      kernels::BatchNormBackward b{in[0], in[1], v, true, true, {}, {}, dx, false, {}, {}};
      kernels::batch_norm_backward(ctx, b);
      return dx;
    });
  }
}

TEST_CASE("pooling, resizing, softmax and sums of bfloat16") {
  if (!cuda_available()) return;
  for (const int64_t c : {5, 16}) {
    const Tensor x = waves({2, 7, 9, c}, 0.4);
    const kernels::PoolAxis rows{7, 4, 3, 2, 1, true}, columns{9, 5, 3, 2, 1, true};
    const kernels::PoolWindows windows(rows, columns);
    check_rounded({x}, [&](CudaContext ctx, const Tensors& in) {
      const Tensor y = made({2, 4, 5, c}, in[0].dtype()), dx = made({2, 7, 9, c}, in[0].dtype());
      const Tensor index = made(y.shape(), Dtype::uint8);
      kernels::max_pool2d(ctx, in[0], windows, y, index);
      kernels::max_pool2d_backward(ctx, y, index, windows, dx);
      return dx;
    });
    check_rounded({x}, [&](CudaContext ctx, const Tensors& in) {
      const Tensor y = made({2, 4, 5, c}, in[0].dtype());
      kernels::avg_pool2d(ctx, in[0], windows, y);
      return y;
    });
    const kernels::Taps taps({7, 11, kernels::TapAxis::Kind::half_pixel},
                             {9, 4, kernels::TapAxis::Kind::half_pixel});
    check_rounded({x}, [&](CudaContext ctx, const Tensors& in) {
      const Tensor y = made({2, 11, 4, c}, in[0].dtype());
      kernels::upsample_bilinear(ctx, in[0], taps, y);
      return y;
    });
    check_rounded({x}, [&](CudaContext ctx, const Tensors& in) {
      const Tensor y = made(in[0].shape(), in[0].dtype());
      kernels::softmax(ctx, in[0], c, false, y);
      return y;
    });
    check_rounded({x}, [&](CudaContext ctx, const Tensors& in) {
      const Tensor y = made({c}, in[0].dtype());
      kernels::column_sum(ctx, in[0], y);
      return y;
    });
    check_rounded({x}, [&](CudaContext ctx, const Tensors& in) {
      const Tensor y = made({14}, in[0].dtype());
      kernels::sum(ctx, in[0], {14, 9 * c, 1}, 2, y);
      return y;
    });
  }
}
