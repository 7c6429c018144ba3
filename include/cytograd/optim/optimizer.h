#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/core/tensor.h"

namespace cytograd::optim {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// Parameters that share multiples of the optimiser's learning rate and weight decay, for instance
/// a pre-trained body (lr_scale 0.1) and norms and biases (weight_decay_scale 0).
struct ParameterGroup {
  NamedTensors parameters;  ///< names key the saved state
  double lr_scale = 1;
  double weight_decay_scale = 1;
};

/// Base of the optimisers. Steps change parameters in place; those without a gradient, or with
/// requires_grad off, are left alone. float32 and float64. Same bits for any number of threads.
/// Single-threaded per object.
///
/// On CUDA a step is one launch for all parameters. It reads the learning rate and counts the steps
/// in device memory, so that it can be part of a captured graph (core/cuda.h): then call `set_lr`
/// before each replay and `count_replay` after it.
class Optimizer {
 public:
  virtual ~Optimizer() = default;
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;

  /// One update from the gradients at learning rate `lr()`.
  /// @throws DtypeError if a gradient does not fit its parameter, DeviceError unless all parameters
  ///         are on one device
  void step();
  /// A captured graph that holds one step has run again: counts it.
  void count_replay();
  /// Forgets all gradients.
  void zero_grad() const;

  double lr() const { return lr_; }
  /// @throws ValueError unless lr is finite and >= 0
  void set_lr(double lr);
  /// Updates so far.
  int64_t step_count() const { return step_; }

  /// What the next steps depend on: "step" (int64 scalar, per parameter where it has begun) and the
  /// moments as "NAME.momentum" and so on. Shared handles; with the parameters and the learning
  /// rate of each step it resumes exactly.
  NamedTensors state_dict() const;
  /// Restores `state_dict()`.
  /// @throws ValueError naming the tensor if one is unknown or has another shape or dtype
  void load_state_dict(const NamedTensors& state);

 protected:
  struct Slot {
    std::string name;
    Tensor parameter;
    double lr_scale, weight_decay_scale;
    int64_t steps = 0;  ///< updates of this parameter; moments exist from the first
    Tensors moments;
  };

  /// @param moment_names  one per moment, e.g. {"m", "v"}
  Optimizer(std::vector<ParameterGroup> groups, double lr, std::vector<const char*> moment_names);
  /// The parameter of this name. @throws ValueError if there is none
  const Tensor& parameter(const std::string& name) { return find(name).parameter; }
  /// One parameter that takes part in a step; `slot.steps` counts it already.
  struct Update {
    const Slot& slot;
    Tensor grad;  ///< packed
  };
  /// @param control  kernels::StepControl
  virtual void update(const std::vector<Update>& updates, const Tensor& control) = 0;

 private:
  void begin(Slot& slot);
  Slot& find(const std::string& name);
  void ready_control(Device device);

  std::vector<Slot> slots_;
  std::vector<const char*> moment_names_;
  double lr_;
  int64_t step_ = 0;
  Tensor control_;  // CUDA: the learning rate and the number of steps, as the kernels see them
  double control_lr_ = 0;  // what was written there last
  int64_t control_step_ = 0;
};

}  // namespace cytograd::optim
