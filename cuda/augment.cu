#include "kernels/augment.h"

#include "cuda/core/launch.cuh"
#include "cuda/core/reduce.cuh"
#include "kernels/pixel.h"

/// @file
/// Decoded pixels to network input: the steps of data/transform.cpp by the same formulas
/// (kernels/pixel.h). Resampling has a thread per pixel; colours have a block per image, because
/// contrast needs the mean of the image and blur its neighbours.

namespace cytograd {
namespace cuda::inline CYTOGRAD_NS {
namespace {

using kernels::AugmentSizes;
using kernels::ImageChange;

constexpr unsigned threads = 256;

// Of each image, rows then columns: the first pixel that output i is made of and their weights.
struct Axes {
  int32_t* first;  // [n, 2, widest]
  int32_t* count;
  float* weight;  // [n, 2, widest, taps]
};

__global__ void __launch_bounds__(threads)
    axes_kernel(int64_t n, const ImageChange* changes, AugmentSizes sizes, Axes axes) {
  for (int64_t at : grid_stride(n * 2 * sizes.widest)) {
    const int64_t line = at / sizes.widest, i = at - line * sizes.widest;
    const ImageChange& c = changes[line / 2];
    if (i >= c.wide) continue;
    const pixel::Window window(line % 2 ? c.width : c.height, c.wide, i);
    double sum = 0;
    for (int64_t j = window.begin; j < window.end; ++j) sum += window.weight(j);
    axes.first[at] = static_cast<int32_t>(window.begin);
    axes.count[at] = static_cast<int32_t>(window.end - window.begin);
    float* w = axes.weight + at * sizes.taps;
    for (int64_t j = window.begin; j < window.end; ++j)
      w[j - window.begin] = static_cast<float>(window.weight(j) / sum);
  }
}

// planes [n, 3, widest, widest]: the first wide x wide of each plane.
__global__ void __launch_bounds__(threads)
    resize_kernel(int64_t n, const uint8_t* pixels, const ImageChange* changes, AugmentSizes sizes,
                  Axes axes, float* planes) {
  const int64_t area = int64_t{sizes.widest} * sizes.widest;
  for (int64_t at : grid_stride(n * area)) {
    const int64_t image = at / area, y = (at - image * area) / sizes.widest,
                  x = at - image * area - y * sizes.widest;
    const ImageChange& c = changes[image];
    if (y >= c.wide || x >= c.wide) continue;
    const int64_t row = image * 2 * sizes.widest + y, column = (image * 2 + 1) * sizes.widest + x;
    const float *wy = axes.weight + row * sizes.taps, *wx = axes.weight + column * sizes.taps;
    const int channels = c.channels, rows = axes.count[row], columns = axes.count[column];
    const int64_t pitch = int64_t{c.width} * channels;
    const uint8_t* from =
        pixels + c.offset + axes.first[row] * pitch + int64_t{axes.first[column]} * channels;
    // Down first, as on the CPU.
    float sum[3] = {0, 0, 0};
    for (int kx = 0; kx < columns; ++kx, from += channels) {
      float line[3] = {0, 0, 0};
      const uint8_t* p = from;
      for (int ky = 0; ky < rows; ++ky, p += pitch)
        for (int k = 0; k < 3; ++k)
          line[k] += wy[ky] * static_cast<float>(p[channels == 3 ? k : 0]);
      for (int k = 0; k < 3; ++k) sum[k] += wx[kx] * line[k];
    }
    for (int k = 0; k < 3; ++k) planes[(image * 3 + k) * area + y * sizes.widest + x] = sum[k];
  }
}

// squares [n, 3, size, size] = the planes, turned.
__global__ void __launch_bounds__(threads)
    turn_kernel(int64_t n, const ImageChange* changes, AugmentSizes sizes, const float* planes,
                float* squares) {
  const int64_t area = int64_t{sizes.size} * sizes.size,
                wide_area = int64_t{sizes.widest} * sizes.widest;
  for (int64_t at : grid_stride(n * area)) {
    const int64_t image = at / area, y = (at - image * area) / sizes.size,
                  x = at - image * area - y * sizes.size;
    const ImageChange& c = changes[image];
    const float* from = planes + image * 3 * wide_area;
    float* to = squares + image * 3 * area + y * sizes.size + x;
    if (!c.turned) {
      for (int k = 0; k < 3; ++k) to[k * area] = from[k * wide_area + y * sizes.widest + x];
      continue;
    }
    const pixel::Turned p(c.wide, sizes.size, c.cosine, c.sine, y, x);
    const int64_t down = p.y + 1 < c.wide ? sizes.widest : 0, right = p.x + 1 < c.wide ? 1 : 0;
    for (int k = 0; k < 3; ++k)
      to[k * area] = p.of(from + k * wide_area + p.y * sizes.widest + p.x, right, down);
  }
}

// One image; every thread of the block holds one.
struct Square {
  float *r, *g, *b;
  int64_t area;

  // Calls f(r, g, b) for the pixels of this thread.
  template <class F>
  CYTOGRAD_DEVICE void each(const F& f) const {
    for (int64_t i = threadIdx.x; i < area; i += threads) f(r[i], g[i], b[i]);
  }
};

CYTOGRAD_DEVICE void contrast(const Square& s, float factor) {
  double sum = 0;
  s.each([&](float r, float g, float b) { sum += static_cast<double>(pixel::grey(r, g, b)); });
  sum = block_reduce(sum);
  const float shift = (1 - factor) * static_cast<float>(sum / static_cast<double>(s.area));
  s.each([&](float& r, float& g, float& b) {
    r = pixel::clamp_byte(r * factor + shift);
    g = pixel::clamp_byte(g * factor + shift);
    b = pixel::clamp_byte(b * factor + shift);
  });
}

CYTOGRAD_DEVICE void saturation(const Square& s, float factor) {
  float m[9];
  pixel::saturation_matrix(factor, m);
  s.each([&](float& r, float& g, float& b) { pixel::matrix(m, r, g, b); });
}

CYTOGRAD_DEVICE void change_colours(const ImageChange& c, const Square& s) {
  const float white = pixel::fast_log(256.0f);
  if (c.normal == ImageChange::densities)
    s.each([&](float& r, float& g, float& b) {
      pixel::stain(c.normal_matrix, c.normal_offset, white, r, g, b);
    });
  if (c.normal == ImageChange::cones)
    s.each([&](float& r, float& g, float& b) {
      pixel::cones(c.normal_matrix, c.normal_offset, r, g, b);
    });
  if (c.stained) {
    s.each([&](float& r, float& g, float& b) {
      pixel::stain(c.stain, c.stain_offset, white, r, g, b);
    });
  }
  for (int i = 0; i < 4; ++i) {
    const float amount = c.amounts[i];
    if (c.steps[i] == ImageChange::brightness)
      s.each([&](float& r, float& g, float& b) {
        r = pixel::clamp_byte(r * amount);
        g = pixel::clamp_byte(g * amount);
        b = pixel::clamp_byte(b * amount);
      });
    if (c.steps[i] == ImageChange::contrast) contrast(s, amount);
    if (c.steps[i] == ImageChange::saturation) saturation(s, amount);
    if (c.steps[i] == ImageChange::hue) {
      const float shift = pixel::hue_shift(amount);
      s.each([&](float& r, float& g, float& b) { pixel::hue(shift, r, g, b); });
    }
  }
  if (c.gray) saturation(s, 0);
}

// to = from blurred along an axis of `size` pixels that are `step` apart; `other` along the other.
CYTOGRAD_DEVICE void blur_axis(const ImageChange& c, int size, int64_t step, int64_t other,
                               const float* from, float* to) {
  for (int i = static_cast<int>(threadIdx.x); i < size * size; i += threads) {
    const int y = i / size, x = i - y * size;
    const int64_t along = step == 1 ? x : y, line = (step == 1 ? y : x) * other;
    float sum = c.blur[0] * from[line + along * step];
    for (int k = 1; k <= c.blur_radius; ++k)
      sum += c.blur[k] * (from[line + pixel::reflect(along - k, size) * step] +
                          from[line + pixel::reflect(along + k, size) * step]);
    to[line + along * step] = sum;
  }
}

// A block per image. `scratch` [n, 3, widest, widest] is used up.
__global__ void __launch_bounds__(threads)
    colour_kernel(const ImageChange* changes, AugmentSizes sizes, float* squares, float* scratch,
                  float* out) {
  const int size = sizes.size, pixels = size * size;
  const int64_t image = blockIdx.x, area = pixels;
  const ImageChange& c = changes[image];
  float* planes = squares + image * 3 * area;
  change_colours(c, {planes, planes + area, planes + 2 * area, area});
  if (c.blur_radius > 0) {
    float* between = scratch + image * 3 * sizes.widest * sizes.widest;
    for (int k = 0; k < 3; ++k) {
      __syncthreads();
      blur_axis(c, sizes.size, 1, size, planes + k * area, between);
      __syncthreads();
      blur_axis(c, sizes.size, size, 1, between, planes + k * area);
    }
  }
  __syncthreads();
  for (int i = static_cast<int>(threadIdx.x); i < pixels; i += threads) {
    const int y = i / size, x = i - y * size;
    const int64_t at = c.start + y * c.down + x * c.right;
    for (int k = 0; k < 3; ++k)
      out[(image * area + i) * 3 + k] = planes[k * area + at] * sizes.scale[k] + sizes.shift[k];
  }
}

}  // namespace
}  // namespace cuda::inline CYTOGRAD_NS

namespace kernels {

void augment(CudaContext ctx, const Tensor& pixels, const Tensor& changes,
             const AugmentSizes& sizes, const Tensor& out) {
  constexpr const char* op = "augment";
  const int64_t n = out.size(0), widest = sizes.widest, size = sizes.size;
  if (n == 0) return;
  const Device device = Device::cuda(ctx.device);
  const auto* table = reinterpret_cast<const ImageChange*>(changes.data<uint8_t>());
  const auto scratch = [&](int64_t count) {
    return Tensor::empty({count}, Dtype::float32, device);
  };
  const int64_t lines = n * 2 * widest;
  const Tensor weights = scratch(lines * (sizes.taps + 2));
  const Tensor planes = scratch(n * 3 * widest * widest), squares = scratch(n * 3 * size * size);
  auto* first = reinterpret_cast<int32_t*>(weights.data<float>());
  const cuda::Axes axes{first, first + lines, weights.data<float>() + 2 * lines};
  const dim3 block(cuda::threads);
  const auto grid = [&](int64_t items) { return cuda::grid_for(items, cuda::threads, ctx); };
  cuda::launch(op, cuda::axes_kernel, grid(lines), block, 0, ctx, n, table, sizes, axes);
  cuda::launch(op, cuda::resize_kernel, grid(n * widest * widest), block, 0, ctx, n,
               pixels.data<uint8_t>(), table, sizes, axes, planes.data<float>());
  cuda::launch(op, cuda::turn_kernel, grid(n * size * size), block, 0, ctx, n, table, sizes,
               planes.data<float>(), squares.data<float>());
  cuda::launch(op, cuda::colour_kernel, dim3(static_cast<unsigned>(n)), block, 0, ctx, table, sizes,
               squares.data<float>(), planes.data<float>(), out.data<float>());
}

}  // namespace kernels
}  // namespace cytograd
