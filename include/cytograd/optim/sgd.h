#pragma once

#include "cytograd/optim/optimizer.h"

namespace cytograd::optim {

struct SgdOptions {
  double lr = 0.1;
  double momentum = 0;
  double weight_decay = 0;
  bool nesterov = false;
};

/// Stochastic gradient descent as torch.optim.SGD: g' = g + weight_decay w,
/// b = momentum b + g' (the first b is g'), w -= lr b, or w -= lr (g' + momentum b) with Nesterov.
class Sgd : public Optimizer {
 public:
  /// @throws ValueError for an option out of range, or Nesterov without momentum
  Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options);
  Sgd(NamedTensors parameters, const SgdOptions& options);

 private:
  void update(const std::vector<Update>& updates, const Tensor& control) override;
  SgdOptions options_;
};

}  // namespace cytograd::optim
