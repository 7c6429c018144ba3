#pragma once

#include "cytograd/optim/optimizer.h"

namespace cytograd::optim {

/// Exponential moving average of weights: average += (1 - d) (weight - average) after every step,
/// with d = min(decay, (1 + t) / (10 + t)) at update t = 1, 2, ..., so that early weights are soon
/// forgotten. Integer tensors (batch counts) are copied.
class Ema {
 public:
  /// Starts as a copy of `state`, usually Module::state_dict(): statistics are averaged too.
  /// @throws ValueError unless 0 <= decay < 1
  Ema(NamedTensors state, double decay);

  void update();
  /// The averages under their names; load them into a model to evaluate it.
  const NamedTensors& averages() const { return averages_; }
  /// Exchanges the values of averages and live tensors: once to evaluate with the averages, again
  /// to train on.
  void swap() const;

  /// The averages as "NAME" and "ema.step"; resumes exactly.
  NamedTensors state_dict() const;
  /// @throws ValueError naming a tensor that is missing or does not fit
  void load_state_dict(const NamedTensors& state);

 private:
  NamedTensors live_, averages_;
  double decay_;
  int64_t step_ = 0;
};

}  // namespace cytograd::optim
