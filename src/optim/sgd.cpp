#include "cytograd/optim/sgd.h"

#include "cytograd/core/error.h"
#include "kernels/optimizer.h"

namespace cytograd::optim {

Sgd::Sgd(std::vector<ParameterGroup> groups, const SgdOptions& options)
    : Optimizer(std::move(groups), options.lr,
                options.momentum != 0 ? std::vector{"momentum"} : std::vector<const char*>{}),
      options_(options) {
  check<ValueError>(options.momentum >= 0 && options.weight_decay >= 0, "sgd",
                    "momentum and weight_decay expect >= 0, got ", options.momentum, " and ",
                    options.weight_decay);
  check<ValueError>(!options.nesterov || options.momentum > 0, "sgd",
                    "nesterov expects a momentum > 0, got ", options.momentum);
}

Sgd::Sgd(NamedTensors parameters, const SgdOptions& options)
    : Sgd(std::vector<ParameterGroup>{{std::move(parameters)}}, options) {}

void Sgd::update(const std::vector<Update>& updates, const Tensor& control) {
  kernels::ParameterUpdates items;
  for (const auto& [slot, grad] : updates)
    items.push_back({slot.parameter, grad, slot.moments.empty() ? Tensor{} : slot.moments[0],
                     Tensor{}, slot.lr_scale, options_.weight_decay * slot.weight_decay_scale,
                     slot.steps});
  const kernels::SgdStep step{lr(), options_.momentum, options_.nesterov};
  on_device(items[0].weight, [&](auto ctx) { kernels::sgd_step(ctx, items, step, control); });
}

}  // namespace cytograd::optim
