#include "cytograd/optim/adam.h"

#include <cmath>

#include "cytograd/core/error.h"
#include "kernels/optimizer.h"

namespace cytograd::optim {

Adam::Adam(std::vector<ParameterGroup> groups, const AdamOptions& options)
    : Optimizer(std::move(groups), options.lr, {"m", "v"}), options_(options) {
  const auto is_beta = [](double beta) { return beta >= 0 && beta < 1; };
  check<ValueError>(is_beta(options.beta1) && is_beta(options.beta2), "adam",
                    "betas expect 0 <= beta < 1, got ", options.beta1, " and ", options.beta2);
  check<ValueError>(options.eps >= 0 && options.weight_decay >= 0, "adam",
                    "eps and weight_decay expect >= 0, got ", options.eps, " and ",
                    options.weight_decay);
}

Adam::Adam(NamedTensors parameters, const AdamOptions& options)
    : Adam(std::vector<ParameterGroup>{{std::move(parameters)}}, options) {}

void Adam::update(const Slot& slot, const Tensor& grad) {
  const auto t = static_cast<double>(slot.steps);
  const kernels::AdamStep step{.lr = lr() * slot.lr_scale,
                               .beta1 = options_.beta1,
                               .beta2 = options_.beta2,
                               .eps = options_.eps,
                               .weight_decay = options_.weight_decay * slot.weight_decay_scale,
                               .decoupled = options_.decoupled,
                               .correction1 = 1 - std::pow(options_.beta1, t),
                               .correction2 = 1 - std::pow(options_.beta2, t)};
  on_device(grad, [&](auto ctx) {
    kernels::adam_step(ctx, slot.parameter, grad, slot.moments[0], slot.moments[1], step);
  });
}

}  // namespace cytograd::optim
