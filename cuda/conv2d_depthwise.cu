#include "cuda/conv2d/depthwise.h"

#include <algorithm>

#include "cuda/core/launch.cuh"
#include "cuda/gemm/element.cuh"

/// @file
/// Convolutions with one filter per channel. Neighbouring threads take neighbouring channels, so
/// every access is contiguous across a warp; each element of the output is one thread's sum.

namespace cytograd::cuda::inline CYTOGRAD_NS {
namespace {

using kernels::Conv2dShape;

/// Sizes as the device uses them.
struct Depthwise {
  int h, w, out_h, out_w, channels, kh, kw;
  int stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
};

Depthwise depthwise_of(const Conv2dShape& s) {
  const auto i = [](int64_t v) { return static_cast<int>(v); };
  return {i(s.h),     i(s.w),          i(s.out_h()),   i(s.out_w()),  i(s.c_in),
          i(s.kh),    i(s.kw),         i(s.stride_h),  i(s.stride_w), i(s.pad_h),
          i(s.pad_w), i(s.dilation_h), i(s.dilation_w)};
}

/// Element `index` of images [n, h, w, channels].
struct Pixel {
  int64_t image;
  int y, x, channel;
};
CYTOGRAD_DEVICE Pixel pixel_of(int64_t index, int h, int w, int channels) {
  const int64_t pixel = index / channels, line = pixel / w;
  return {line / h, int(line % h), int(pixel % w), int(index % channels)};
}

/// y = sum over taps of x w (+ bias). @param count  elements of y
template <class T>
__global__ void __launch_bounds__(256)
    forward_kernel(int64_t count, const Depthwise s, const T* __restrict__ x,
                   const T* __restrict__ weight, const T* __restrict__ bias, T* __restrict__ y) {
  for (int64_t i : grid_stride(count)) {
    const Pixel at = pixel_of(i, s.out_h, s.out_w, s.channels);
    const T* filter = weight + int64_t{at.channel} * s.kh * s.kw;
    SumOf<T> sum = 0;
    for (int a = 0; a < s.kh; ++a) {
      const int row = at.y * s.stride_h - s.pad_h + a * s.dilation_h;
      if (row < 0 || row >= s.h) continue;
      for (int b = 0; b < s.kw; ++b) {
        const int col = at.x * s.stride_w - s.pad_w + b * s.dilation_w;
        if (col < 0 || col >= s.w) continue;
        const int64_t from = ((at.image * s.h + row) * s.w + col) * s.channels + at.channel;
        sum += sum_of(x[from]) * sum_of(filter[a * s.kw + b]);
      }
    }
    if (bias) sum += sum_of(bias[at.channel]);
    y[i] = value_of<T>(sum);
  }
}

/// dx gathers: tap (a, b) reaches pixel (y, x) from output ((y + pad - a dilation) / stride, ...)
/// where that is whole. @param count  elements of dx
template <class T>
__global__ void __launch_bounds__(256)
    backward_data_kernel(int64_t count, const Depthwise s, const T* __restrict__ dy,
                         const T* __restrict__ weight, T* __restrict__ dx) {
  for (int64_t i : grid_stride(count)) {
    const Pixel at = pixel_of(i, s.h, s.w, s.channels);
    const T* filter = weight + int64_t{at.channel} * s.kh * s.kw;
    SumOf<T> sum = 0;
    for (int a = 0; a < s.kh; ++a) {
      const int row = at.y + s.pad_h - a * s.dilation_h;
      if (row < 0 || row % s.stride_h != 0 || row / s.stride_h >= s.out_h) continue;
      for (int b = 0; b < s.kw; ++b) {
        const int col = at.x + s.pad_w - b * s.dilation_w;
        if (col < 0 || col % s.stride_w != 0 || col / s.stride_w >= s.out_w) continue;
        const int64_t line = at.image * s.out_h + row / s.stride_h;
        const int64_t from = (line * s.out_w + col / s.stride_w) * s.channels + at.channel;
        sum += sum_of(dy[from]) * sum_of(filter[a * s.kw + b]);
      }
    }
    dx[i] = value_of<T>(sum);
  }
}

inline constexpr int lines = 8;  // of threads that share the pixels of a block

/// Sums over the pixels [z, z + 1) * `share` into partial [splits, taps, channels]. A block is 32
/// channels x 8 lines for one tap (blockIdx.y) and split (blockIdx.z).
template <class T>
__global__ void __launch_bounds__(32 * lines)
    backward_weight_kernel(int64_t pixels, int64_t share, const Depthwise s,
                           const T* __restrict__ x, const T* __restrict__ dy, SumOf<T>* partial) {
  CYTOGRAD_SHARED(SumOf<T>, part, [lines][32]);
  const int lane = int(threadIdx.x) % 32, line = int(threadIdx.x) / 32;
  const int channel = int(blockIdx.x) * 32 + lane, tap = int(blockIdx.y);
  const int64_t begin = blockIdx.z * share, end = begin + share < pixels ? begin + share : pixels;
  SumOf<T> sum = 0;
  for (int64_t p = begin + line; p < end && channel < s.channels; p += lines) {
    const int64_t row_index = p / s.out_w, image = row_index / s.out_h;
    const int row = int(row_index % s.out_h) * s.stride_h - s.pad_h + tap / s.kw * s.dilation_h;
    const int col = int(p % s.out_w) * s.stride_w - s.pad_w + tap % s.kw * s.dilation_w;
    if (row < 0 || row >= s.h || col < 0 || col >= s.w) continue;
    sum += sum_of(x[((image * s.h + row) * s.w + col) * s.channels + channel]) *
           sum_of(dy[p * s.channels + channel]);
  }
  part[line][lane] = sum;
  __syncthreads();
  if (line != 0 || channel >= s.channels) return;
  for (int l = 1; l < lines; ++l) sum += part[l][lane];
  partial[(int64_t{blockIdx.z} * s.kh * s.kw + tap) * s.channels + channel] = sum;
}

/// dw [channels, taps] = the splits added in order. @param count  elements of dw
template <class T>
__global__ void __launch_bounds__(256)
    sum_splits_kernel(int64_t count, int taps, int channels, int splits, const SumOf<T>* partial,
                      T* dw) {
  for (int64_t i : grid_stride(count)) {
    const int64_t from = i % taps * channels + i / taps;
    SumOf<T> sum = 0;
    for (int z = 0; z < splits; ++z) sum += partial[z * count + from];
    dw[i] = value_of<T>(sum);
  }
}

template <class F>
void dispatch_element(Dtype dtype, const char* op, const F& f) {
  if (dtype == Dtype::bfloat16) return f.template operator()<bfloat16>();
  dispatch_floating(dtype, op, f);
}

}  // namespace
}  // namespace cytograd::cuda::inline CYTOGRAD_NS

namespace cytograd::cuda {

void depthwise_forward(CudaContext ctx, const Conv2dShape& shape, const Tensor& x,
                       const Tensor& weight, const Tensor& bias, const Tensor& y) {
  dispatch_element(x.dtype(), "conv2d", [&]<class T>() {
    launch("conv2d", forward_kernel<T>, grid_for(y.numel(), 256, ctx), dim3(256), 0, ctx, y.numel(),
           depthwise_of(shape), x.data<T>(), weight.data<T>(),
           bias.defined() ? bias.data<T>() : nullptr, y.data<T>());
  });
}

void depthwise_backward_data(CudaContext ctx, const Conv2dShape& shape, const Tensor& dy,
                             const Tensor& weight, const Tensor& dx) {
  dispatch_element(dy.dtype(), "conv2d backward", [&]<class T>() {
    launch("conv2d backward", backward_data_kernel<T>, grid_for(dx.numel(), 256, ctx), dim3(256), 0,
           ctx, dx.numel(), depthwise_of(shape), dy.data<T>(), weight.data<T>(), dx.data<T>());
  });
}

void depthwise_backward_weight(CudaContext ctx, const Conv2dShape& shape, const Tensor& x,
                               const Tensor& dy, const Tensor& dw) {
  dispatch_element(dy.dtype(), "conv2d backward", [&]<class T>() {
    const int64_t pixels = shape.n * shape.out_h() * shape.out_w(), taps = shape.kh * shape.kw;
    const int64_t splits = std::clamp<int64_t>(pixels / 2048, 1, 64);
    constexpr Dtype sums = sizeof(T) == 8 ? Dtype::float64 : Dtype::float32;
    const Tensor partial = Tensor::empty(Shape{splits, dw.numel()}, sums, Device::cuda(ctx.device));
    const dim3 grid(unsigned((shape.c_in + 31) / 32), unsigned(taps), unsigned(splits));
    launch("conv2d backward", backward_weight_kernel<T>, grid, dim3(32 * lines), 0, ctx, pixels,
           (pixels + splits - 1) / splits, depthwise_of(shape), x.data<T>(), dy.data<T>(),
           partial.data<SumOf<T>>());
    launch("conv2d backward", sum_splits_kernel<T>, grid_for(dw.numel(), 256, ctx), dim3(256), 0,
           ctx, dw.numel(), static_cast<int>(taps), static_cast<int>(shape.c_in),
           static_cast<int>(splits), partial.data<SumOf<T>>(), dw.data<T>());
  });
}

}  // namespace cytograd::cuda
