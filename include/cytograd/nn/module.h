#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/core/tensor.h"
#include "cytograd/nn/init.h"

namespace cytograd::nn {

/// Tensors with names, in order.
using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

/// A part of a network: parameters, buffers (state that is not trained, such as running statistics)
/// and children, each under a name. Full names join the path with dots ("layer1.0.conv1.weight")
/// and are those of torchvision for the models here.
///
/// A class registers its tensors and children in its constructor; children are owned by the parent
/// and live as long as it does. Modules are neither copied nor moved. `forward` is const: models in
/// evaluation mode run on many threads at once; in training mode batch normalisation changes its
/// buffers through their shared handles, so one thread trains.
class Module {
 public:
  Module() = default;
  Module(const Module&) = delete;
  Module& operator=(const Module&) = delete;
  virtual ~Module() = default;

  /// All parameters with full names: those of a module before those of its children.
  NamedTensors named_parameters() const { return collect(true, false); }
  NamedTensors named_buffers() const { return collect(false, true); }
  /// Parameters and buffers in PyTorch's order. The handles are shared, in Cytograd's layout; files
  /// hold PyTorch's (nn/state_dict.h converts and loads).
  NamedTensors state_dict() const { return collect(true, true); }
  int64_t parameter_count() const {
    int64_t count = 0;
    for (const auto& [name, tensor] : named_parameters()) count += tensor.numel();
    return count;
  }

  /// Fills every parameter from the streams of `seed` and resets buffers.
  void initialize(uint64_t seed) {
    for_each([&](const std::string& name, Module& m) { m.reset_parameters({seed, name}); });
  }

  /// Training mode: batch statistics and dropout. Recursive. Starts true.
  void train(bool on = true) {
    for_each([on](const std::string&, Module& m) { m.training_ = on; });
  }
  void eval() { train(false); }
  bool training() const { return training_; }

  /// Forgets the gradients of all parameters.
  void zero_grad() const {
    for (const auto& [name, tensor] : named_parameters()) tensor.zero_grad();
  }

  /// Converts parameters and floating buffers; gradients are dropped.
  void to(Dtype dtype) {
    for_each([dtype](const std::string&, Module& m) {
      for (auto* slots : {&m.parameters_, &m.buffers_, &m.constants_})
        for (Slot& slot : *slots) {
          if (!is_floating(slot.tensor->dtype())) continue;
          const bool trained = slot.tensor->requires_grad();
          *slot.tensor = slot.tensor->to(dtype).detach();
          slot.tensor->set_requires_grad(trained);
        }
    });
  }

  /// Moves parameters and buffers; counters (int64 scalars) stay on the host. Gradients are
  /// dropped, and handles taken before refer to the old tensors: make optimisers afterwards.
  /// @throws DeviceError
  void to(Device device) {
    for_each([device](const std::string&, Module& m) {
      for (auto* slots : {&m.parameters_, &m.buffers_, &m.constants_})
        for (Slot& slot : *slots) {
          if (slot.tensor->dtype() == Dtype::int64 && slot.tensor->ndim() == 0) continue;
          const bool trained = slot.tensor->requires_grad();
          *slot.tensor = slot.tensor->detach().to(device);
          slot.tensor->set_requires_grad(trained);
        }
    });
  }

  /// Calls f(full name, module) for this module (name "") and all below, parents first.
  template <class F>
  void for_each(F&& f) {
    walk(*this, "", f);
  }
  template <class F>
  void for_each(F&& f) const {
    walk(*this, "", f);
  }
  /// The same for modules of type M: f(module).
  template <class M, class F>
  void for_each_of(F&& f) {
    for_each([&f](const std::string&, Module& module) {
      if (auto* match = dynamic_cast<M*>(&module)) f(*match);
    });
  }

 protected:
  /// Makes `member` the parameter `name`, trained by default; nothing if `value` is undefined.
  void parameter(const char* name, Tensor& member, Tensor value) {
    if (!value.defined()) return;
    member = std::move(value);
    member.set_requires_grad(true);
    parameters_.push_back({name, &member});
  }
  void buffer(const char* name, Tensor& member, Tensor value) {
    member = std::move(value);
    buffers_.push_back({name, &member});
  }
  /// A value that is neither trained nor stored; it moves with the module.
  void constant(Tensor& member, Tensor value) {
    member = std::move(value);
    constants_.push_back({"", &member});
  }
  /// Constructs a child and registers it.
  /// @throws ValueError if the name is empty, has a dot or is taken
  template <class M, class... Args>
  M& add(const std::string& name, Args&&... args) {
    check<ValueError>(!name.empty() && name.find('.') == std::string::npos, "module",
                      "a child's name expects no dot, got \"", name, "\"");
    for (const auto& [taken, child] : children_)
      check<ValueError>(taken != name, "module", "the name ", name, " is taken");
    auto child = std::make_unique<M>(std::forward<Args>(args)...);
    M& out = *child;
    children_.emplace_back(name, std::move(child));
    return out;
  }
  /// Fills this module's own parameters; children have their own turn.
  virtual void reset_parameters(const init::Stream& stream) { (void)stream; }

  const std::vector<std::pair<std::string, std::unique_ptr<Module>>>& children() const {
    return children_;
  }

 private:
  struct Slot {
    const char* name;
    Tensor* tensor;
  };

  template <class Self, class F>
  static void walk(Self& self, const std::string& name, F& f) {
    f(name, self);
    for (const auto& [child_name, child] : self.children_)
      walk(static_cast<Self&>(*child), name.empty() ? child_name : name + "." + child_name, f);
  }

  NamedTensors collect(bool parameters, bool buffers) const {
    NamedTensors out;
    for_each([&](const std::string& name, const Module& m) {
      const std::string prefix = name.empty() ? "" : name + ".";
      if (parameters)
        for (const Slot& slot : m.parameters_) out.emplace_back(prefix + slot.name, *slot.tensor);
      if (buffers)
        for (const Slot& slot : m.buffers_) out.emplace_back(prefix + slot.name, *slot.tensor);
    });
    return out;
  }

  std::vector<Slot> parameters_, buffers_, constants_;
  std::vector<std::pair<std::string, std::unique_ptr<Module>>> children_;
  bool training_ = true;
};

/// A module that maps one tensor to one tensor.
class Layer : public Module {
 public:
  virtual Tensor forward(const Tensor& x) const = 0;
  Tensor operator()(const Tensor& x) const { return forward(x); }
};

}  // namespace cytograd::nn
