#pragma once

#include "cytograd/nn/module.h"
#include "cytograd/ops/elementwise.h"

namespace cytograd::nn {

/// max(x, 0).
class ReLU : public Layer {
 public:
  Tensor forward(const Tensor& x) const override { return relu(x); }
};

/// x for x > 0, else slope * x.
class LeakyReLU : public Layer {
 public:
  explicit LeakyReLU(double negative_slope = 0.01) : slope(negative_slope) {}
  Tensor forward(const Tensor& x) const override { return leaky_relu(x, slope); }
  double slope;
};

class Sigmoid : public Layer {
 public:
  Tensor forward(const Tensor& x) const override { return sigmoid(x); }
};

class Tanh : public Layer {
 public:
  Tensor forward(const Tensor& x) const override { return tanh(x); }
};

}  // namespace cytograd::nn
