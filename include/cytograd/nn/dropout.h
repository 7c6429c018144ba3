#pragma once

#include "cytograd/nn/module.h"
#include "cytograd/ops/dropout.h"

namespace cytograd::nn {

/// Dropout (ops/dropout.h) in training mode; else x. Training needs an open RandomScope.
class Dropout : public Layer {
 public:
  /// @throws ValueError unless 0 <= p < 1
  explicit Dropout(double probability) : p(probability) {
    check<ValueError>(p >= 0 && p < 1, "dropout", "p expects 0 <= p < 1, got ", p);
  }
  Tensor forward(const Tensor& x) const override {
    return training() && p > 0 ? dropout(x, p, true) : x;
  }
  double p;
};

}  // namespace cytograd::nn
