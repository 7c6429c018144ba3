#include "cytograd/ops/reverse_gradient.h"

#include "cytograd/autograd/record.h"
#include "cytograd/ops/elementwise.h"

namespace cytograd {

Tensor reverse_gradient(const Tensor& x, double factor) {
  struct Params {
    double factor;
  };
  return record(
      "reverse_gradient", {x}, x.detach(), {}, Params{factor},
      [](const auto& back, const Tensor& dy) -> Grads { return {dy * -back.params.factor}; });
}

}  // namespace cytograd
