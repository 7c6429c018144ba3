#include "cpu/conv2d_depthwise.h"

#include <algorithm>
#include <vector>

#include "cytograd/core/parallel.h"

namespace cytograd::cpu {
namespace {

using kernels::Conv2dShape;

// [channel][tap] to [tap][channel], so that the inner loops run over channels.
template <class T>
std::vector<T> by_tap(const Conv2dShape& s, const T* weight) {
  const int64_t taps = s.kh * s.kw;
  std::vector<T> out(static_cast<size_t>(taps * s.c_in));
  for (int64_t c = 0; c < s.c_in; ++c)
    for (int64_t t = 0; t < taps; ++t)
      out[static_cast<size_t>(t * s.c_in + c)] = weight[c * taps + t];
  return out;
}

template <class T>
void add_product(T* sum, const T* a, const T* b, int64_t n) {
  for (int64_t c = 0; c < n; ++c) sum[c] += a[c] * b[c];
}

// Calls f(tap, input pixel) for the taps of output pixel (i, j) that lie inside the image.
template <class F>
void for_each_tap(const Conv2dShape& s, int64_t i, int64_t j, const F& f) {
  for (int64_t a = 0; a < s.kh; ++a) {
    const int64_t y = i * s.stride_h - s.pad_h + a * s.dilation_h;
    if (y < 0 || y >= s.h) continue;
    for (int64_t b = 0; b < s.kw; ++b) {
      const int64_t x = j * s.stride_w - s.pad_w + b * s.dilation_w;
      if (x >= 0 && x < s.w) f(a * s.kw + b, y * s.w + x);
    }
  }
}

}  // namespace

template <class T>
void depthwise_forward(const Conv2dShape& s, const T* x, const T* weight, T* y,
                       const kernels::Epilogue<T>& epilogue) {
  const std::vector<T> taps = by_tap(s, weight);
  const int64_t out_h = s.out_h(), out_w = s.out_w(), channels = s.c_in;
  parallel_for(s.n * out_h, 1, [&](int64_t row, int64_t) {
    const T* image = x + row / out_h * s.h * s.w * channels;
    for (int64_t j = 0; j < out_w; ++j) {
      T* out = y + (row * out_w + j) * channels;
      std::fill_n(out, channels, T{0});
      for_each_tap(s, row % out_h, j, [&](int64_t tap, int64_t pixel) {
        add_product(out, image + pixel * channels, taps.data() + tap * channels, channels);
      });
      for (int64_t c = 0; epilogue.bias && c < channels; ++c) out[c] += epilogue.bias[c];
      for (int64_t c = 0; epilogue.relu && c < channels; ++c) out[c] = out[c] < 0 ? T{0} : out[c];
    }
  });
}

template <class T>
void depthwise_backward_data(const Conv2dShape& s, const T* dy, const T* weight, T* dx) {
  const std::vector<T> taps = by_tap(s, weight);
  const int64_t out_h = s.out_h(), out_w = s.out_w(), channels = s.c_in;
  parallel_for(s.n * s.h, 1, [&](int64_t row, int64_t) {
    const T* grad = dy + row / s.h * out_h * out_w * channels;
    for (int64_t x = 0; x < s.w; ++x) {
      T* out = dx + (row * s.w + x) * channels;
      std::fill_n(out, channels, T{0});
      for (int64_t a = 0; a < s.kh; ++a) {
        const int64_t top = row % s.h + s.pad_h - a * s.dilation_h;
        if (top < 0 || top % s.stride_h != 0 || top / s.stride_h >= out_h) continue;
        for (int64_t b = 0; b < s.kw; ++b) {
          const int64_t left = x + s.pad_w - b * s.dilation_w;
          if (left < 0 || left % s.stride_w != 0 || left / s.stride_w >= out_w) continue;
          add_product(out, grad + (top / s.stride_h * out_w + left / s.stride_w) * channels,
                      taps.data() + (a * s.kw + b) * channels, channels);
        }
      }
    }
  });
}

template <class T>
void depthwise_backward_weight(const Conv2dShape& s, const T* x, const T* dy, T* dw) {
  const int64_t out_h = s.out_h(), out_w = s.out_w(), channels = s.c_in, taps = s.kh * s.kw;
  // One partial sum per slice of output rows; the number of slices depends on the shape alone.
  const int64_t rows = s.n * out_h, grain = std::max<int64_t>(1, (rows + 63) / 64);
  const int64_t slices = (rows + grain - 1) / grain;
  std::vector<T> partial(static_cast<size_t>(slices * taps * channels));
  parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
    T* sums = partial.data() + begin / grain * taps * channels;
    for (int64_t row = begin; row < end; ++row) {
      const T* image = x + row / out_h * s.h * s.w * channels;
      for (int64_t j = 0; j < out_w; ++j) {
        for_each_tap(s, row % out_h, j, [&](int64_t tap, int64_t pixel) {
          add_product(sums + tap * channels, image + pixel * channels,
                      dy + (row * out_w + j) * channels, channels);
        });
      }
    }
  });
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t t = 0; t < taps; ++t) {
      T sum = 0;
      for (int64_t slice = 0; slice < slices; ++slice)
        sum += partial[static_cast<size_t>((slice * taps + t) * channels + c)];
      dw[c * taps + t] = sum;
    }
  }
}

#define CYTOGRAD_INSTANTIATE(T)                                                      \
  template void depthwise_forward(const Conv2dShape&, const T*, const T*, T*,        \
                                  const kernels::Epilogue<T>&);                      \
  template void depthwise_backward_data(const Conv2dShape&, const T*, const T*, T*); \
  template void depthwise_backward_weight(const Conv2dShape&, const T*, const T*, T*);
CYTOGRAD_INSTANTIATE(float)
CYTOGRAD_INSTANTIATE(double)
#undef CYTOGRAD_INSTANTIATE

}  // namespace cytograd::cpu
