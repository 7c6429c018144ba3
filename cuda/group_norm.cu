#include "kernels/group_norm.h"

#include "cuda/channel_norm_launch.cuh"
#include "kernels/elementwise.h"

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

constexpr const char* op = "group_norm";

struct Sizes {
  int64_t batch, rows, channels;
  explicit Sizes(const Tensor& x)
      : batch(x.size(0)),
        rows(x.size(0) * x.size(-1) == 0 ? 0 : x.numel() / x.size(0) / x.size(-1)),
        channels(x.size(-1)) {}
};

template <class A>
A* data_or_null(const Tensor& t) {
  return t.defined() ? t.data<A>() : nullptr;
}

// A value per sample and group.
template <class A>
ChannelValues<A> of_groups(const A* data, int64_t groups, int64_t channels) {
  return {data, groups, channels / groups};
}

template <class A>
ChannelAffine<A> affine_of(const Tensor& mean, const Tensor& rstd, const Tensor& weight,
                           const Tensor& bias, int64_t channels) {
  const int64_t groups = mean.size(1);
  return {of_groups<A>(mean.data<A>(), groups, channels),
          of_groups<A>(rstd.data<A>(), groups, channels),
          {data_or_null<A>(weight)},
          {data_or_null<A>(bias)}};
}

// Keeps what belongs to a channel for the kernels of the groups.
template <class Value>
struct Keep {
  Value* to;
  int64_t channels;
  __device__ void operator()(int64_t outer, int64_t channel, const Value& value) const {
    to[outer * channels + channel] = value;
  }
};

// Joins the `width` channels of each group, a warp per group.
template <class A>
__global__ void __launch_bounds__(row_threads, 4)
    group_statistics(int64_t groups, int64_t width, const Moments<double>* __restrict__ channels,
                     double eps, A* __restrict__ mean, A* __restrict__ rstd) {
  for (int64_t g = first_group<32>(); g < groups; g += group_count<32>()) {
    Moments<double> m{};
    for (int64_t i = group_rank<32>(); i < width; i += 32)
      m = JoinMoments{}(m, channels[g * width + i]);
    m = group_reduce<32>(m, JoinMoments{});
    if (group_rank<32>() != 0) continue;
    mean[g] = static_cast<A>(m.mean);
    rstd[g] = static_cast<A>(1 / std::sqrt(m.deviations / m.count + eps));
  }
}

// The factors of dx = scale dy + of_x (x - mean) + constant, [2, N * groups].
template <class A>
__global__ void __launch_bounds__(row_threads, 4)
    group_factors(int64_t all_groups, int64_t groups, int64_t width, double count,
                  const Products<double>* __restrict__ sums, const A* __restrict__ weight,
                  const A* __restrict__ rstd, A* __restrict__ factors) {
  for (int64_t g = first_group<32>(); g < all_groups; g += group_count<32>()) {
    Products<double> total{};
    for (int64_t i = group_rank<32>(); i < width; i += 32) {
      const Products<double> p = sums[g * width + i];
      const double w = weight ? static_cast<double>(weight[g % groups * width + i]) : 1.0;
      total = {total.dy + w * p.dy, total.dy_x + w * p.dy_x};
    }
    total = group_reduce<32>(total, AddProducts{});
    if (group_rank<32>() != 0) continue;
    const auto r = static_cast<double>(rstd[g]);
    factors[g] = static_cast<A>(-r * r * r * total.dy_x / count);
    factors[all_groups + g] = static_cast<A>(-r * total.dy / count);
  }
}

// Gradients of weight and bias: sums over the samples, in their order.
template <class A>
__global__ void __launch_bounds__(row_threads, 4)
    group_parameters(int64_t batch, int64_t channels, int64_t groups,
                     const Products<double>* __restrict__ sums, const A* __restrict__ rstd,
                     A* __restrict__ dweight, A* __restrict__ dbias) {
  const int64_t c = int64_t{blockIdx.x} * row_threads + threadIdx.x;
  if (c >= channels) return;
  const int64_t group = quotient(c, channels / groups);
  double dw = 0, db = 0;
  for (int64_t n = 0; n < batch; ++n) {
    const Products<double> p = sums[n * channels + c];
    dw += p.dy_x * static_cast<double>(rstd[n * groups + group]);
    db += p.dy;
  }
  if (dweight) dweight[c] = static_cast<A>(dw);
  if (dbias) dbias[c] = static_cast<A>(db);
}

dim3 blocks_for(int64_t items, int64_t per_block) {
  return dim3(
      static_cast<unsigned>(std::min<int64_t>(1 << 16, (items + per_block - 1) / per_block)));
}

template <class T>
void forward(CudaContext ctx, const Tensor& x, const Tensor& weight, const Tensor& bias, double eps,
             const Tensor& y, const Tensor& mean, const Tensor& rstd) {
  using A = Accumulator<T>;
  const Sizes s(x);
  const int64_t groups = mean.numel(), width = s.channels / mean.size(1);
  const Tensor kept = Tensor::empty({s.batch * s.channels, 3}, Dtype::float64, x.device());
  auto* moments = reinterpret_cast<Moments<double>*>(kept.raw_data());
  launch_moments<T>(ctx, x.device(), op, s.batch, s.rows, s.channels, {x.data<T>(), s.channels},
                    Keep<Moments<double>>{moments, s.channels});
  launch(op, group_statistics<A>, blocks_for(groups, row_threads / 32), dim3(row_threads), 0, ctx,
         groups, width, moments, eps, mean.data<A>(), rstd.data<A>());
  launch_forward<T>(ctx, op, s.batch, s.rows, s.channels,
                    {.x = {x.data<T>(), s.channels},
                     .residual = {},
                     .affine = affine_of<A>(mean, rstd, weight, bias, s.channels),
                     .relu = false,
                     .y = {y.data<T>(), s.channels}});
}

template <class T>
void backward(CudaContext ctx, const Tensor& x, const Tensor& weight, const Tensor& mean,
              const Tensor& rstd, const Tensor& dy, const Tensor& dx, const Tensor& dweight,
              const Tensor& dbias) {
  using A = Accumulator<T>;
  const Sizes s(x);
  const int64_t per_sample = mean.size(1), groups = mean.numel(), width = s.channels / per_sample;
  const ChannelAffine<A> affine = affine_of<A>(mean, rstd, weight, {}, s.channels);
  const Tensor kept = Tensor::empty({s.batch * s.channels, 2}, Dtype::float64, x.device());
  auto* sums = reinterpret_cast<Products<double>*>(kept.raw_data());
  launch_products<T>(ctx, x.device(), op, s.batch, s.rows, s.channels, Mask::none,
                     {.x = {x.data<T>(), s.channels},
                      .dy = {dy.data<T>(), s.channels},
                      .y = {},
                      .affine = affine,
                      .masked = {}},
                     Keep<Products<double>>{sums, s.channels});
  if (dweight.defined() || dbias.defined())
    launch(op, group_parameters<A>, blocks_for(s.channels, row_threads), dim3(row_threads), 0, ctx,
           s.batch, s.channels, per_sample, sums, rstd.data<A>(), data_or_null<A>(dweight),
           data_or_null<A>(dbias));
  if (!dx.defined()) return;
  const Tensor factors = Tensor::empty({2, groups}, dtype_of<A>, x.device());
  A* of_x = factors.data<A>();
  launch(op, group_factors<A>, blocks_for(groups, row_threads / 32), dim3(row_threads), 0, ctx,
         groups, per_sample, width, static_cast<double>(s.rows * width), sums,
         data_or_null<A>(weight), rstd.data<A>(), of_x);
  launch_gradient<T>(ctx, op, s.batch, s.rows, s.channels, false, false,
                     {.x = {x.data<T>(), s.channels},
                      .dy = {dy.data<T>(), s.channels},
                      .affine = affine,
                      .of_x = of_groups<A>(of_x, per_sample, s.channels),
                      .constant = of_groups<A>(of_x + groups, per_sample, s.channels),
                      .dx = {dx.data<T>(), s.channels}});
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

using namespace cuda;  // what kernels share

void group_norm(CudaContext ctx, const Tensor& x, const Tensor& weight, const Tensor& bias,
                double eps, const Tensor& y, const Tensor& mean, const Tensor& rstd) {
  if (x.numel() == 0) {
    for (const Tensor& t : {mean, rstd}) fill(ctx, t, std::numeric_limits<double>::quiet_NaN());
    return;
  }
  dispatch_storage(x.dtype(), op,
                   [&]<class T>() { forward<T>(ctx, x, weight, bias, eps, y, mean, rstd); });
}

void group_norm_backward(CudaContext ctx, const Tensor& x, const Tensor& weight, const Tensor& mean,
                         const Tensor& rstd, const Tensor& dy, const Tensor& dx,
                         const Tensor& dweight, const Tensor& dbias) {
  if (x.numel() == 0) {
    for (const Tensor& t : {dweight, dbias})
      if (t.defined()) fill(ctx, t, 0);
    return;
  }
  dispatch_storage(x.dtype(), op, [&]<class T>() {
    backward<T>(ctx, x, weight, mean, rstd, dy, dx, dweight, dbias);
  });
}

}  // namespace kernels
}  // namespace cytograd
