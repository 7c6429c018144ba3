// Transforms of F(4x4, 3x3) with the points 0, 1, -1, 2, -2 and infinity (Lavin and Gray, "Fast
// algorithms for convolutional neural networks", 2016); docs/ops/conv2d.md derives them. The
// including unit has defined VecF.
#include "cpu/simd/winograd_table.h"

namespace cytograd::simd {
namespace {

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

// One row or column of B^T d.
template <class V>
inline void input_line(const V (&d)[6], V (&out)[6]) {
  const V a = d[4] - 4 * d[2], b = d[3] - 4 * d[1], c = d[4] - d[2], e = 2 * (d[3] - d[1]);
  out[0] = 4 * d[0] - 5 * d[2] + d[4];
  out[1] = a + b;
  out[2] = a - b;
  out[3] = c + e;
  out[4] = c - e;
  out[5] = 4 * d[1] - 5 * d[3] + d[5];
}

// One row or column of A^T m.
template <class V>
inline void output_line(const V (&m)[6], V (&out)[4]) {
  const V a = m[1] + m[2], b = m[1] - m[2], c = m[3] + m[4], d = m[3] - m[4];
  out[0] = m[0] + a + c;
  out[1] = b + 2 * d;
  out[2] = a + 4 * c;
  out[3] = b + 8 * d + m[5];
}

template <class V>
inline void transform_input(const WinogradInput& t, int64_t channel) {
  V half[6][6];  // columns done: half[j][i] is row i of column j
  for (int j = 0; j < 6; ++j) {
    V column[6];
    for (int i = 0; i < 6; ++i) {
      const bool inside = i >= t.row_begin && i < t.row_end && j >= t.col_begin && j < t.col_end;
      column[i] =
          inside ? load_lanes<V>(t.x + i * t.row_stride + j * t.pixel_stride + channel) : V{};
    }
    input_line(column, half[j]);
  }
  for (int i = 0; i < 6; ++i) {
    V row[6], out[6];
    for (int j = 0; j < 6; ++j) row[j] = half[j][i];
    input_line(row, out);
    for (int j = 0; j < 6; ++j) store_lanes(t.v + (i * 6 + j) * t.v_stride + channel, out[j]);
  }
}

template <class V>
inline void transform_output(const WinogradOutput& t, int64_t channel) {
  V half[6][4];  // columns done
  for (int j = 0; j < 6; ++j) {
    V column[6];
    for (int i = 0; i < 6; ++i) column[i] = load_lanes<V>(t.m + (i * 6 + j) * t.m_stride + channel);
    output_line(column, half[j]);
  }
  const V bias = t.bias ? load_lanes<V>(t.bias + channel) : V{};
  for (int i = 0; i < t.rows; ++i) {
    V row[6], out[4];
    for (int j = 0; j < 6; ++j) row[j] = half[j][i];
    output_line(row, out);
    float* y = t.y + i * t.row_stride + channel;
    for (int j = 0; j < t.cols; ++j, y += t.pixel_stride) {
      V value = out[j];
      if (t.accumulate) value += load_lanes<V>(y);
      value += bias;
      if (t.relu) value = value < V{} ? V{} : value;
      store_lanes(y, value);
    }
  }
}

void winograd_input(const WinogradInput& t) {
  int64_t c = 0;
  for (; c + winograd_lanes <= t.channels; c += winograd_lanes) transform_input<VecF>(t, c);
  for (; c < t.channels; ++c) transform_input<float>(t, c);
}

void winograd_output(const WinogradOutput& t) {
  int64_t c = 0;
  for (; c + winograd_lanes <= t.channels; c += winograd_lanes) transform_output<VecF>(t, c);
  for (; c < t.channels; ++c) transform_output<float>(t, c);
}

}  // namespace
}  // namespace cytograd::simd
