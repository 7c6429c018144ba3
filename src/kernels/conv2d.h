#pragma once

#include <cstdint>

#include "cytograd/core/tensor.h"
#include "kernels/context.h"
#include "kernels/gemm.h"

namespace cytograd::kernels {

/// Sizes of a 2-D convolution. Images are [n, h, w, c_in], filters [c_out, kh, kw, c_in/groups],
/// outputs [n, out_h(), out_w(), c_out]. The caller has checked that groups divides c_in and
/// c_out, that strides and dilations are >= 1, and that the output is not negative.
struct Conv2dShape {
  int64_t n, h, w, c_in, c_out, kh, kw;
  int64_t stride_h = 1, stride_w = 1;
  int64_t pad_h = 0, pad_w = 0;  ///< zeros on both sides
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t groups = 1;
  int64_t x_pitch = 0, y_pitch = 0;  ///< elements between pixels; 0: packed. Forward only, not
                                     ///< for depthwise convolutions

  int64_t x_pitch_or_packed() const { return x_pitch ? x_pitch : c_in; }
  int64_t y_pitch_or_packed() const { return y_pitch ? y_pitch : c_out; }

  int64_t out_h() const { return (h + 2 * pad_h - dilation_h * (kh - 1) - 1) / stride_h + 1; }
  int64_t out_w() const { return (w + 2 * pad_w - dilation_w * (kw - 1) - 1) / stride_w + 1; }
};

// On tensors: packed, of one floating dtype and the sizes that `shape` says; pitches as in `shape`.

/// y = the convolution of x with weight (+ bias [c_out] if defined). Overwritten.
void conv2d_forward(CpuContext, const Conv2dShape& shape, const Tensor& x, const Tensor& weight,
                    const Tensor& bias, const Tensor& y);
void conv2d_forward(CudaContext, const Conv2dShape& shape, const Tensor& x, const Tensor& weight,
                    const Tensor& bias, const Tensor& y);

/// dx = the gradient of sum(y * dy) by x, or dx += it.
void conv2d_backward_data(CpuContext, const Conv2dShape& shape, const Tensor& dy,
                          const Tensor& weight, const Tensor& dx, bool accumulate = false);
void conv2d_backward_data(CudaContext, const Conv2dShape& shape, const Tensor& dy,
                          const Tensor& weight, const Tensor& dx, bool accumulate = false);

/// dw = the gradient of sum(y * dy) by the filters. Overwritten.
void conv2d_backward_weight(CpuContext, const Conv2dShape& shape, const Tensor& x, const Tensor& dy,
                            const Tensor& dw);
void conv2d_backward_weight(CudaContext, const Conv2dShape& shape, const Tensor& x,
                            const Tensor& dy, const Tensor& dw);

// On the elements, for the CPU.

/// y[n, oh, ow, co] = sum over i, j, c of x[n, oh*stride_h - pad_h + i*dilation_h, ..., c] *
/// weight[co, i, j, c], with zeros outside the image; then the epilogue (bias [c_out], relu).
/// y is overwritten. Deterministic as `gemm`. float and double.
template <class T>
void conv2d_forward(const Conv2dShape& shape, const T* x, const T* weight, T* y,
                    const Epilogue<T>& epilogue = {});

/// What a pointwise convolution (1x1, stride 1, no padding) makes of its input while reading it.
template <class T>
struct Conv2dInput {
  const T *scale = nullptr, *shift = nullptr;  ///< [c_in]: max(x*scale + shift, 0); null: x itself
};

/// Filters in the order conv2d_fused reads them, for this process's instruction set.
struct PackedFilters {
  Tensor data;
  bool winograd = false;
};

/// Packs filters [c_out, kh, kw, c_in]; groups must be 1. `shape.n` is the usual number of images:
/// it chooses the algorithm, any number may then be run.
template <class T>
PackedFilters pack_filters(const Conv2dShape& shape, const T* weight);

/// conv2d_forward for inference: packed filters, a map of the input, and `accumulate`: the sum is
/// added to what y holds (then bias, then relu). groups must be 1.
template <class T>
void conv2d_fused(const Conv2dShape& shape, const T* x, const PackedFilters& filters, T* y,
                  const Conv2dInput<T>& input, bool accumulate, const Epilogue<T>& epilogue);

/// dx [n, h, w, c_in] = the gradient of sum(y * dy) by x. Overwritten.
template <class T>
void conv2d_backward_data(const Conv2dShape& shape, const T* dy, const T* weight, T* dx);

/// dw [c_out, kh, kw, c_in/groups] = the gradient of sum(y * dy) by the filters. Overwritten.
template <class T>
void conv2d_backward_weight(const Conv2dShape& shape, const T* x, const T* dy, T* dw);

}  // namespace cytograd::kernels
