#pragma once

#include <cstdint>
#include <numeric>

namespace cytograd::kernels {

/// The filter taps that reach the input rows (or columns) first, first + stride, ...: tap t is
/// last - t*step, and reads output origin + t*output_step for the first of those rows.
struct TapSequence {
  int64_t count, last, step, origin, output_step;
};

inline TapSequence taps_reaching(int64_t first, int64_t taps, int64_t stride, int64_t pad,
                                 int64_t dilation) {
  TapSequence s{};
  s.step = stride / std::gcd(stride, dilation);
  s.output_step = s.step * dilation / stride;
  for (int64_t tap = 0; tap < taps; ++tap) {
    if ((first + pad - tap * dilation) % stride != 0) continue;
    ++s.count;
    s.last = tap;
  }
  s.origin = (first + pad - s.last * dilation) / stride;
  return s;
}

}  // namespace cytograd::kernels
