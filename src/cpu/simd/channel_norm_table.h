#pragma once

#include <stdint.h>

/// @file
/// The loops of batch and group normalisation for each instruction set. As in gemm_table.h, the
/// units that fill these tables hold only code with internal linkage. All give the same bits: a
/// lane is a channel, and no multiplication is joined to an addition.

namespace cytograd::simd {

/// Most channels that the summing functions take at once.
inline constexpr int64_t norm_strip = 512;

/// Rows of channels, each `step` elements after the one before.
template <class T>
struct Rows {
  T* data;
  int64_t step;
};

/// y = (x - center) scale + shift (+ residual), then max(., 0) if `relu`; NaN stays NaN.
template <class T>
struct NormForward {
  int64_t rows, channels;
  Rows<const T> x, residual;  // residual may be null
  const T *center, *scale, *shift;
  bool relu;
  Rows<T> y;
};

/// Which elements of dy reach the input of the ReLU.
enum class Mask {
  none,         // all: there was no ReLU
  from_input,   // where (x - center) scale + shift > 0
  from_output,  // where y > 0
};

/// sum_dy += sum of g, sum_dy_x += sum of g (x - center), g being the masked dy.
template <class T>
struct NormProducts {
  int64_t rows, channels;
  Rows<const T> x, dy, y;           // y for from_output
  const T *center, *scale, *shift;  // scale, shift for from_input
  Mask mask;
  Rows<T> masked;  // for from_output: where g goes; may be dy
  double *sum_dy, *sum_dy_x;
};

/// dx (+)= of_dy g + of_x (x - center) + constant; of_x null: dx (+)= of_dy g.
template <class T>
struct NormGradient {
  int64_t rows, channels;
  Rows<const T> x, dy;
  const T *center, *scale, *shift;  // scale, shift for the mask
  const T *of_dy, *of_x, *constant;
  bool masked;      // g is dy where (x - center) scale + shift > 0, else dy
  bool accumulate;  // add to what dx holds
  Rows<T> dx;       // may be dy
};

template <class T>
struct ChannelNormKernels {
  /// mean, and the sum of squared deviations from it.
  void (*moments)(Rows<const T> x, int64_t rows, int64_t channels, double* mean,
                  double* deviations);
  void (*forward)(const NormForward<T>&);
  void (*products)(const NormProducts<T>&);
  void (*gradient)(const NormGradient<T>&);
};

struct ChannelNormTable {
  ChannelNormKernels<float> f32;
  ChannelNormKernels<double> f64;
};

extern const ChannelNormTable channel_norm_portable;
#if defined(__x86_64__)
extern const ChannelNormTable channel_norm_avx2;
extern const ChannelNormTable channel_norm_avx512;
#endif

}  // namespace cytograd::simd
