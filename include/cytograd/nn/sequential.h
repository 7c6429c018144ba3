#pragma once

#include <string>
#include <type_traits>
#include <utility>

#include "cytograd/nn/batch_norm.h"
#include "cytograd/nn/conv2d.h"
#include "cytograd/nn/module.h"

namespace cytograd::nn {

/// Layers one after the other; a Conv2d and the BatchNorm2d behind it as one
/// (ops/conv2d_batch_norm.h).
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
    for (size_t i = 0; i < children().size(); ++i) {
      const Module* next = i + 1 < children().size() ? children()[i + 1].second.get() : nullptr;
      const auto* conv = dynamic_cast<const Conv2d*>(children()[i].second.get());
      const auto* norm = dynamic_cast<const BatchNorm2d*>(next);
      if (conv && norm) {
        y = norm->forward_after(*conv, y);
        ++i;
      } else {
        y = static_cast<const Layer&>(*children()[i].second).forward(y);
      }
    }
    return y;
  }
};

}  // namespace cytograd::nn
