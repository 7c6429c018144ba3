#pragma once

#include "cytograd/core/tensor.h"
#include "kernels/context.h"

namespace cytograd::kernels {

/// What cross_entropy works on; everything contiguous. On the CPU the labels are in range; on CUDA,
/// where looking at them would wait for the device, one that is not makes its loss NaN. The weight
/// is [C] or undefined.
struct CrossEntropyInput {
  Tensor logits, labels, class_weight;
  double label_smoothing = 0;
};

/// losses[n] and the row's log(sum(exp)) that backward needs, both [N].
void cross_entropy(CpuContext, const CrossEntropyInput& in, const Tensor& losses,
                   const Tensor& lse);
void cross_entropy(CudaContext, const CrossEntropyInput& in, const Tensor& losses,
                   const Tensor& lse);
/// total (a float64 scalar) = the summed weight of the targets.
void cross_entropy_weight(CpuContext, const CrossEntropyInput& in, const Tensor& total);
void cross_entropy_weight(CudaContext, const CrossEntropyInput& in, const Tensor& total);
/// y (a scalar) = sum(losses), divided by `total` if that is defined.
void cross_entropy_reduce(CpuContext, const Tensor& losses, const Tensor& total, const Tensor& y);
void cross_entropy_reduce(CudaContext, const Tensor& losses, const Tensor& total, const Tensor& y);
/// grad[n, c] = d loss_n / d logits[n, c] * dy[n] (dy has one element or N), divided by `total` if
/// that is defined.
void cross_entropy_backward(CpuContext, const CrossEntropyInput& in, const Tensor& lse,
                            const Tensor& dy, const Tensor& total, const Tensor& grad);
void cross_entropy_backward(CudaContext, const CrossEntropyInput& in, const Tensor& lse,
                            const Tensor& dy, const Tensor& total, const Tensor& grad);

}  // namespace cytograd::kernels
