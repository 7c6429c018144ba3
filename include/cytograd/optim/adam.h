#pragma once

#include <functional>
#include <map>

#include "cytograd/optim/optimizer.h"

namespace cytograd::optim {

struct AdamOptions {
  double lr = 1e-3;
  double beta1 = 0.9, beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;  ///< weight decay apart from the gradient (AdamW)
};

/// Adam (Kingma and Ba 2015) as torch.optim.Adam: m += (1 - beta1) (g - m),
/// v = beta2 v + (1 - beta2) g^2, w -= lr m' / (sqrt(v') + eps) with m' = m / (1 - beta1^t),
/// v' = v / (1 - beta2^t); weight decay is added to g.
class Adam : public Optimizer {
 public:
  /// @throws ValueError for an option out of range
  Adam(std::vector<ParameterGroup> groups, const AdamOptions& options);
  Adam(NamedTensors parameters, const AdamOptions& options);

  /// Rows of the parameter `name` count their own steps: row r is left alone for the first start(r)
  /// updates, and its first update is then as large as that of a new parameter. Otherwise, with a
  /// gradient of 0 until then, its size depends on the shared count of steps.
  /// @throws ValueError if there is no such parameter
  void set_row_starts(const std::string& name, const std::function<int64_t(int64_t row)>& start);

 private:
  void update(const std::vector<Update>& updates, const Tensor& control) override;
  AdamOptions options_;
  std::map<std::string, std::vector<int64_t>> row_starts_;
};

/// AdamW (Loshchilov and Hutter 2019) as torch.optim.AdamW: w *= 1 - lr weight_decay, then Adam
/// without decay in the gradient.
class AdamW : public Adam {
 public:
  AdamW(std::vector<ParameterGroup> groups, AdamOptions options)
      : Adam(std::move(groups), decouple(options)) {}
  AdamW(NamedTensors parameters, AdamOptions options)
      : Adam(std::move(parameters), decouple(options)) {}

 private:
  static AdamOptions decouple(AdamOptions options) {
    options.decoupled = true;
    return options;
  }
};

}  // namespace cytograd::optim
