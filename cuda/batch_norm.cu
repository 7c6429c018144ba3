#include "kernels/batch_norm.h"

#include "cuda/batch_norm.h"
#include "cuda/channel_norm_launch.cuh"
#include "kernels/elementwise.h"
#include "kernels/row_stride.h"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

constexpr const char* op = "batch_norm";

struct Sizes {
  int64_t rows, channels;
  explicit Sizes(const Tensor& x)
      : rows(x.shape().back() == 0 ? 0 : x.numel() / x.shape().back()),
        channels(x.shape().back()) {}
};

template <class T>
Rows<T> rows_of(const Tensor& x) {
  if (!x.defined()) return {};
  return {x.data<std::remove_const_t<T>>(), row_stride(x)};
}

template <class A>
A* data_or_null(const Tensor& t) {
  return t.defined() ? t.data<A>() : nullptr;
}

template <class A>
ChannelAffine<A> affine_of(const kernels::BatchNormVectors& v) {
  return {{data_or_null<A>(v.mean)},
          {data_or_null<A>(v.rstd)},
          {data_or_null<A>(v.weight)},
          {data_or_null<A>(v.bias)}};
}

// One channel's mean and rstd; the running statistics move towards the batch's.
template <class A>
struct FinishStatistics {
  double rows, momentum, eps;
  A *mean, *rstd, *running_mean, *running_var;  // the last two may be null

  __device__ void operator()(int64_t, int64_t c, const Moments<double>& m) const {
    const double variance = m.deviations / rows;
    mean[c] = static_cast<A>(m.mean);
    rstd[c] = static_cast<A>(1 / std::sqrt(variance + eps));
    if (running_mean) running_mean[c] = moved(running_mean[c], m.mean);
    if (running_var) running_var[c] = moved(running_var[c], variance * rows / (rows - 1));
  }
  __device__ A moved(A from, double to) const {
    return static_cast<A>((1 - momentum) * static_cast<double>(from) + momentum * to);
  }
};

template <class A>
FinishStatistics<A> finish_of(double rows, const kernels::BatchStatistics& s) {
  return {rows,
          s.momentum,
          s.eps,
          s.mean.data<A>(),
          s.rstd.data<A>(),
          data_or_null<A>(s.running_mean),
          data_or_null<A>(s.running_var)};
}

// mean may be that of `finish`.
template <class M, class A>
__global__ void batch_norm_finish(int64_t channels, const M* mean, const M* variance,
                                  FinishStatistics<A> finish) {
  const int64_t c = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  finish(
      0, c,
      {finish.rows, static_cast<double>(mean[c]), static_cast<double>(variance[c]) * finish.rows});
}

struct WriteMoments {
  double rows;
  double *mean, *variance;
  __device__ void operator()(int64_t, int64_t c, const Moments<double>& m) const {
    mean[c] = m.mean;
    variance[c] = m.deviations / rows;
  }
};

// weight and bias may be null.
__global__ void batch_norm_as_map(int64_t channels, const float* __restrict__ mean,
                                  const float* __restrict__ rstd, const float* __restrict__ weight,
                                  const float* __restrict__ bias, float* __restrict__ scale,
                                  float* __restrict__ shift) {
  const int64_t c = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  const float factor = weight ? weight[c] * rstd[c] : rstd[c];
  scale[c] = factor;
  shift[c] = (bias ? bias[c] : 0.0f) - mean[c] * factor;
}

dim3 vector_grid(int64_t channels) { return dim3(static_cast<unsigned>((channels + 255) / 256)); }

template <class A>
__global__ void batch_norm_from_running(int64_t channels, const A* __restrict__ running_mean,
                                        const A* __restrict__ running_var, double eps,
                                        A* __restrict__ mean, A* __restrict__ rstd) {
  const int64_t c = int64_t{blockIdx.x} * blockDim.x + threadIdx.x;
  if (c >= channels) return;
  mean[c] = running_mean[c];
  rstd[c] = static_cast<A>(1 / std::sqrt(static_cast<double>(running_var[c]) + eps));
}

// One channel's gradients, and the factors of dx = scale g + of_x (x - mean) + constant.
template <class A>
struct FinishProducts {
  double rows;
  const A *weight, *rstd;                // weight may be null
  A *dweight, *dbias, *of_x, *constant;  // each may be null

  __device__ void operator()(int64_t, int64_t c, const Products<double>& sum) const {
    const double r = static_cast<double>(rstd[c]),
                 scale = (weight ? static_cast<double>(weight[c]) : 1.0) * r;
    if (dweight) dweight[c] = static_cast<A>(sum.dy_x * r);
    if (dbias) dbias[c] = static_cast<A>(sum.dy);
    if (!of_x) return;
    of_x[c] = static_cast<A>(-scale * r * r * sum.dy_x / rows);
    constant[c] = static_cast<A>(-scale * sum.dy / rows);
  }
};

template <class T>
void backward(CudaContext ctx, const kernels::BatchNormBackward& b) {
  using A = Accumulator<T>;
  const Sizes s(b.x);
  const bool from_output = b.relu && b.y.defined(), from_input = b.relu && !from_output;
  const Tensor factors = Tensor::empty({2, s.channels}, dtype_of<A>, b.x.device());
  A* of_x = b.training && b.dx.defined() ? factors.data<A>() : nullptr;
  A* constant = of_x ? of_x + s.channels : nullptr;
  if (of_x || b.dweight.defined() || b.dbias.defined() || from_output)
    launch_products<T>(ctx, b.x.device(), op, 1, s.rows, s.channels,
                       from_output  ? Mask::from_output
                       : from_input ? Mask::from_input
                                    : Mask::none,
                       {.x = rows_of<const T>(b.x),
                        .dy = rows_of<const T>(b.dy),
                        .y = rows_of<const T>(from_output ? b.y : Tensor{}),
                        .affine = affine_of<A>(b.v),
                        .masked = rows_of<T>(from_output ? b.masked : Tensor{})},
                       FinishProducts<A>{static_cast<double>(s.rows), data_or_null<A>(b.v.weight),
                                         b.v.rstd.data<A>(), data_or_null<A>(b.dweight),
                                         data_or_null<A>(b.dbias), of_x, constant});
  if (!b.dx.defined()) return;
  launch_gradient<T>(ctx, op, 1, s.rows, s.channels, from_input, b.accumulate,
                     {.x = rows_of<const T>(b.x),
                      .dy = rows_of<const T>(from_output ? b.masked : b.dy),
                      .affine = affine_of<A>(b.v),
                      .of_x = {of_x},
                      .constant = {constant},
                      .dx = rows_of<T>(b.dx)});
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

using namespace cuda;  // what kernels share

void batch_norm_statistics(CudaContext ctx, const Tensor& x, const BatchStatistics& statistics) {
  dispatch_storage(x.dtype(), op, [&]<class T>() {
    using A = Accumulator<T>;
    const Sizes s(x);
    launch_moments<T>(ctx, x.device(), op, 1, s.rows, s.channels, rows_of<const T>(x),
                      finish_of<A>(static_cast<double>(s.rows), statistics));
  });
}

void channel_moments(CudaContext ctx, const Tensor& x, const Tensor& mean, const Tensor& variance) {
  dispatch_storage(x.dtype(), op, [&]<class T>() {
    const Sizes s(x);
    launch_moments<T>(
        ctx, x.device(), op, 1, s.rows, s.channels, rows_of<const T>(x),
        WriteMoments{static_cast<double>(s.rows), mean.data<double>(), variance.data<double>()});
  });
}

void batch_norm_from_moments(CudaContext ctx, int64_t rows, const Tensor& mean,
                             const Tensor& variance, const BatchStatistics& statistics) {
  const int64_t channels = variance.numel();
  if (channels == 0) return;
  dispatch_floating(mean.dtype(), op, [&]<class M>() {
    dispatch_floating(statistics.mean.dtype(), op, [&]<class A>() {
      launch(op, batch_norm_finish<M, A>, vector_grid(channels), dim3(256), 0, ctx, channels,
             mean.data<M>(), variance.data<M>(),
             finish_of<A>(static_cast<double>(rows), statistics));
    });
  });
}

void batch_norm_map(CudaContext ctx, const BatchNormVectors& v, const Tensor& scale,
                    const Tensor& shift) {
  const int64_t channels = scale.numel();
  if (channels == 0) return;
  launch(op, batch_norm_as_map, vector_grid(channels), dim3(256), 0, ctx, channels,
         v.mean.data<float>(), v.rstd.data<float>(), data_or_null<float>(v.weight),
         data_or_null<float>(v.bias), scale.data<float>(), shift.data<float>());
}

void batch_norm_running(CudaContext ctx, const Tensor& running_mean, const Tensor& running_var,
                        double eps, const Tensor& mean, const Tensor& rstd) {
  const int64_t channels = mean.numel();
  if (channels == 0) return;
  dispatch_floating(mean.dtype(), op, [&]<class A>() {
    launch(op, batch_norm_from_running<A>, vector_grid(channels), dim3(256), 0, ctx, channels,
           running_mean.data<A>(), running_var.data<A>(), eps, mean.data<A>(), rstd.data<A>());
  });
}

void batch_norm_apply(CudaContext ctx, const Tensor& x, const BatchNormVectors& v,
                      const Tensor& residual, bool relu, const Tensor& y) {
  dispatch_storage(x.dtype(), op, [&]<class T>() {
    const Sizes s(x);
    launch_forward<T>(ctx, op, 1, s.rows, s.channels,
                      {.x = rows_of<const T>(x),
                       .residual = rows_of<const T>(residual),
                       .affine = affine_of<Accumulator<T>>(v),
                       .relu = relu,
                       .y = rows_of<T>(y)});
  });
}

void batch_norm_backward(CudaContext ctx, const BatchNormBackward& b) {
  if (b.x.numel() == 0) {
    for (const Tensor& t : {b.dweight, b.dbias})
      if (t.defined()) fill(ctx, t, 0);
    return;
  }
  dispatch_storage(b.x.dtype(), op, [&]<class T>() { backward<T>(ctx, b); });
}

}  // namespace kernels
}  // namespace cytograd
