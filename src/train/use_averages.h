#pragma once

#include "cytograd/nn/module.h"
#include "cytograd/optim/ema.h"

/// @file
/// Private: what trainings share around averaged weights and checkpoints.

namespace cytograd {

/// Averaged weights take the model's place for a scope, also when validation throws.
class UseAverages {
 public:
  explicit UseAverages(const optim::Ema* ema) : ema_(ema) {
    if (ema_) ema_->swap();
  }
  ~UseAverages() {
    if (ema_) ema_->swap();
  }
  UseAverages(const UseAverages&) = delete;
  UseAverages& operator=(const UseAverages&) = delete;

 private:
  const optim::Ema* ema_;
};

/// Layouts are changed on the host: a full device can still write a checkpoint.
inline nn::NamedTensors on_host(nn::NamedTensors tensors) {
  for (auto& [name, tensor] : tensors) tensor = tensor.to(Device::cpu());
  return tensors;
}

}  // namespace cytograd
