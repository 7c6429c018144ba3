#pragma once

#include <stdint.h>

/// @file
/// Max pooling for each instruction set. As in gemm_table.h, the units that fill these tables hold
/// only code with internal linkage. All give the same bits.

namespace cytograd::simd {

/// One window of a strip of channels.
template <class T, class Position>
struct MaxWindow {
  const T* x;  ///< first pixel
  int64_t rows, columns, row_stride, pixel_stride, channels;
  T* best;             ///< the first largest value of each channel, or the last NaN
  Position* position;  ///< where it was, counting the window's pixels row by row
};

struct MaxPoolTable {
  void (*f32)(const MaxWindow<float, int32_t>&);
  void (*f64)(const MaxWindow<double, int64_t>&);
};

extern const MaxPoolTable max_pool_portable;
#if defined(__x86_64__)
extern const MaxPoolTable max_pool_avx2;
inline constexpr const MaxPoolTable& max_pool_avx512 = max_pool_avx2;  // serves both
#endif

}  // namespace cytograd::simd
