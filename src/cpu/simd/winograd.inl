// Transforms of F(4x4, 3x3) (Lavin and Gray, "Fast algorithms for convolutional neural networks",
// 2016) with the points 0, a, -a, b, -b and infinity; docs/ops/conv2d.md derives them and says why
// a = 5/8 and b = 3/2. The including unit has defined VecF and multiply_add.
#include "cpu/simd/winograd_table.h"

namespace cytograd::simd {
namespace {

// All constants but the reciprocals are exact in float32.
constexpr float wg_a = 0.625f, wg_b = 1.5f;
constexpr float wg_a2 = wg_a * wg_a, wg_b2 = wg_b * wg_b;
constexpr float wg_a3 = wg_a2 * wg_a, wg_b3 = wg_b2 * wg_b;
constexpr float wg_product = wg_a2 * wg_b2, wg_sum = wg_a2 + wg_b2;
// 1 / product of the distances of a point to the others.
constexpr float wg_at_0 = 1 / wg_product;
constexpr float wg_at_a = 1 / (2 * wg_a2 * (wg_a2 - wg_b2));
constexpr float wg_at_b = 1 / (2 * wg_b2 * (wg_b2 - wg_a2));

constexpr int64_t winograd_lanes = sizeof(VecF) / sizeof(float);

template <class V>
inline V load_lanes(const float* p) {
  V v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <class V>
inline void store_lanes(float* p, V v) {
  __builtin_memcpy(p, &v, sizeof v);
}

// factor * x + y, rounded once where the instruction set can: vectors and single channels alike.
inline VecF add_times(float factor, VecF x, VecF y) {
  return multiply_add(broadcast(factor), x, y);
}
inline float add_times(float factor, float x, float y) {
#if defined(__FMA__)
  return __builtin_fmaf(factor, x, y);
#else
  return factor * x + y;
#endif
}

// One row or column of B^T d.
struct InputLine {
  template <class V>
  void operator()(const V (&d)[6], V (&out)[6]) const {
    const V a_even = add_times(-wg_b2, d[2], d[4]), a_odd = add_times(-wg_b2, d[1], d[3]);
    const V b_even = add_times(-wg_a2, d[2], d[4]), b_odd = add_times(-wg_a2, d[1], d[3]);
    out[0] = add_times(wg_product, d[0], add_times(-wg_sum, d[2], d[4]));
    out[1] = add_times(wg_a, a_odd, a_even);
    out[2] = add_times(-wg_a, a_odd, a_even);
    out[3] = add_times(wg_b, b_odd, b_even);
    out[4] = add_times(-wg_b, b_odd, b_even);
    out[5] = add_times(wg_product, d[1], add_times(-wg_sum, d[3], d[5]));
  }
};

// One row or column of A^T m.
struct OutputLine {
  template <class V>
  void operator()(const V (&m)[6], V (&out)[4]) const {
    const V p = m[1] + m[2], q = m[1] - m[2], r = m[3] + m[4], s = m[3] - m[4];
    out[0] = m[0] + (p + r);
    out[1] = add_times(wg_a, q, wg_b * s);
    out[2] = add_times(wg_a2, p, wg_b2 * r);
    out[3] = add_times(wg_a3, q, add_times(wg_b3, s, m[5]));
  }
};

// One row or column of A y.
struct OutputGradientLine {
  template <class V>
  void operator()(const V (&y)[4], V (&out)[6]) const {
    const V a_even = add_times(wg_a2, y[2], y[0]), a_odd = add_times(wg_a2, y[3], y[1]);
    const V b_even = add_times(wg_b2, y[2], y[0]), b_odd = add_times(wg_b2, y[3], y[1]);
    out[0] = y[0];
    out[1] = add_times(wg_a, a_odd, a_even);
    out[2] = add_times(-wg_a, a_odd, a_even);
    out[3] = add_times(wg_b, b_odd, b_even);
    out[4] = add_times(-wg_b, b_odd, b_even);
    out[5] = y[3];
  }
};

// One row or column of G w.
struct FilterLine {
  template <class V>
  void operator()(const V (&w)[3], V (&out)[6]) const {
    const V a_even = add_times(wg_a2, w[2], w[0]), b_even = add_times(wg_b2, w[2], w[0]);
    out[0] = wg_at_0 * w[0];
    out[1] = wg_at_a * add_times(wg_a, w[1], a_even);
    out[2] = wg_at_a * add_times(-wg_a, w[1], a_even);
    out[3] = wg_at_b * add_times(wg_b, w[1], b_even);
    out[4] = wg_at_b * add_times(-wg_b, w[1], b_even);
    out[5] = w[2];
  }
};

// One row or column of G^T m.
struct FilterGradientLine {
  template <class V>
  void operator()(const V (&m)[6], V (&out)[3]) const {
    const V p = wg_at_a * (m[1] + m[2]), q = wg_at_a * (m[1] - m[2]);
    const V r = wg_at_b * (m[3] + m[4]), s = wg_at_b * (m[3] - m[4]);
    out[0] = add_times(wg_at_0, m[0], p + r);
    out[1] = add_times(wg_a, q, wg_b * s);
    out[2] = add_times(wg_a2, p, add_times(wg_b2, r, m[5]));
  }
};

// Takes a square of N x N vectors, load(i, j), through `line` along both axes; store(i, j, value)
// of M x M.
template <int N, int M, class V, class Line, class Load, class Store>
__attribute__((always_inline)) inline void transform_square(const Line& line, const Load& load,
                                                            const Store& store) {
  V half[N][M];  // columns done: half[j][i] is row i of column j
  for (int j = 0; j < N; ++j) {
    V column[N];
    for (int i = 0; i < N; ++i) column[i] = load(i, j);
    line(column, half[j]);
  }
  for (int i = 0; i < M; ++i) {
    V row[N], out[M];
    for (int j = 0; j < N; ++j) row[j] = half[j][i];
    line(row, out);
    for (int j = 0; j < M; ++j) store(i, j, out[j]);
  }
}

// The tasks are taken by value: through a reference they would be read anew after every store.
// Reads fetch the tile after the next one, and writes its destination, from memory meanwhile.

template <class V>
inline void transform_input(const WinogradInput t, int64_t channel) {
  transform_square<6, 6, V>(
      InputLine{},
      [=](int i, int j) {
        const float* x = t.x + i * t.row_stride + j * t.pixel_stride + channel;
        if (j < 4) __builtin_prefetch(x + 10 * t.pixel_stride);
        const bool inside = i >= t.row_begin && i < t.row_end && j >= t.col_begin && j < t.col_end;
        return inside ? load_lanes<V>(x) : V{};
      },
      [=](int i, int j, V value) { store_lanes(t.v + (i * 6 + j) * t.v_stride + channel, value); });
}

template <class V>
inline void transform_output(const WinogradOutput t, int64_t channel) {
  const V bias = t.bias ? load_lanes<V>(t.bias + channel) : V{};
  transform_square<6, 4, V>(
      OutputLine{},
      [=](int i, int j) { return load_lanes<V>(t.m + (i * 6 + j) * t.m_stride + channel); },
      [=](int i, int j, V value) {
        if (i >= t.rows || j >= t.cols) return;
        float* y = t.y + i * t.row_stride + j * t.pixel_stride + channel;
        __builtin_prefetch(y + 8 * t.pixel_stride, 1);
        if (t.accumulate) value += load_lanes<V>(y);
        value += bias;
        if (t.relu) value = value < V{} ? V{} : value;
        store_lanes(y, value);
      });
}

template <class V>
inline void transform_filter(const WinogradFilter t, int64_t channel) {
  transform_square<3, 6, V>(
      FilterLine{},
      [=](int i, int j) { return load_lanes<V>(t.w + (i * 3 + j) * t.tap_stride + channel); },
      [=](int i, int j, V value) { store_lanes(t.u + (i * 6 + j) * t.u_stride + channel, value); });
}

template <class V>
inline void transform_output_gradient(const WinogradOutputGradient t, int64_t channel) {
  transform_square<4, 6, V>(
      OutputGradientLine{},
      [=](int i, int j) {
        const float* dy = t.dy + i * t.row_stride + j * t.pixel_stride + channel;
        __builtin_prefetch(dy + 8 * t.pixel_stride);
        return i < t.rows && j < t.cols ? load_lanes<V>(dy) : V{};
      },
      [=](int i, int j, V value) { store_lanes(t.u + (i * 6 + j) * t.u_stride + channel, value); });
}

template <class V>
inline void transform_filter_gradient(const WinogradFilterGradient t, int64_t channel) {
  transform_square<6, 3, V>(
      FilterGradientLine{},
      [=](int i, int j) { return load_lanes<V>(t.m + (i * 6 + j) * t.m_stride + channel); },
      [=](int i, int j, V value) {
        store_lanes(t.dw + (i * 3 + j) * t.tap_stride + channel, value);
      });
}

#define CYTOGRAD_FOR_CHANNELS(name, Task)                                                       \
  void winograd_##name(const Task& t) {                                                         \
    int64_t c = 0;                                                                              \
    for (; c + winograd_lanes <= t.channels; c += winograd_lanes) transform_##name<VecF>(t, c); \
    for (; c < t.channels; ++c) transform_##name<float>(t, c);                                  \
  }
CYTOGRAD_FOR_CHANNELS(input, WinogradInput)
CYTOGRAD_FOR_CHANNELS(output, WinogradOutput)
CYTOGRAD_FOR_CHANNELS(filter, WinogradFilter)
CYTOGRAD_FOR_CHANNELS(output_gradient, WinogradOutputGradient)
CYTOGRAD_FOR_CHANNELS(filter_gradient, WinogradFilterGradient)
#undef CYTOGRAD_FOR_CHANNELS

constexpr WinogradTable winograd_transforms = {&winograd_input, &winograd_output, &winograd_filter,
                                               &winograd_output_gradient,
                                               &winograd_filter_gradient};

}  // namespace
}  // namespace cytograd::simd
