#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "cytograd/nn/module.h"

namespace cytograd::nn {

/// Layers one after the other.
class Sequential : public Layer {
 public:
  /// Constructs a layer at the end under `name`. @throws ValueError as Module::add
  template <class L, class... Args>
  L& add(const std::string& name, Args&&... args) {
    static_assert(std::is_base_of_v<Layer, L>, "a Sequential holds layers");
    return Module::add<L>(name, std::forward<Args>(args)...);
  }
  /// The same under the next number: "0", "1", ...
  template <class L, class... Args>
  L& push(Args&&... args) {
    return add<L>(std::to_string(children().size()), std::forward<Args>(args)...);
  }

  Tensor forward(const Tensor& x) const override {
    Tensor y = x;
    for (const auto& [name, child] : children()) y = static_cast<const Layer&>(*child).forward(y);
    return y;
  }
};

}  // namespace cytograd::nn
