#pragma once

#include "cytograd/nn/module.h"
#include "cytograd/ops/pool2d.h"
#include "cytograd/ops/shape.h"

namespace cytograd::nn {

/// Largest value of each window (ops/pool2d.h).
class MaxPool2d : public Layer {
 public:
  explicit MaxPool2d(const Pool2dOptions& pool) : options(pool) {}
  Tensor forward(const Tensor& x) const override { return max_pool2d(x, options); }
  Pool2dOptions options;
};

/// Mean of each window (ops/pool2d.h).
class AvgPool2d : public Layer {
 public:
  explicit AvgPool2d(const Pool2dOptions& pool) : options(pool) {}
  Tensor forward(const Tensor& x) const override { return avg_pool2d(x, options); }
  Pool2dOptions options;
};

/// Mean over the image: [N, H, W, C] -> [N, C].
inline Tensor global_avg_pool(const Tensor& x) { return flatten(adaptive_avg_pool2d(x, 1, 1), 1); }

/// The same as a layer.
class GlobalAvgPool : public Layer {
 public:
  Tensor forward(const Tensor& x) const override { return global_avg_pool(x); }
};

}  // namespace cytograd::nn
