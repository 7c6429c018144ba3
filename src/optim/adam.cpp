#include "cytograd/optim/adam.h"

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

void Adam::update(const std::vector<Update>& updates, const Tensor& control) {
  kernels::ParameterUpdates items;
  for (const auto& [slot, grad] : updates)
    items.push_back({slot.parameter, grad, slot.moments[0], slot.moments[1], slot.lr_scale,
                     options_.weight_decay * slot.weight_decay_scale, slot.steps});
  const kernels::AdamStep step{lr(),         options_.beta1,     options_.beta2,
                               options_.eps, options_.decoupled, step_count()};
  on_device(items[0].weight, [&](auto ctx) { kernels::adam_step(ctx, items, step, control); });
}

}  // namespace cytograd::optim
