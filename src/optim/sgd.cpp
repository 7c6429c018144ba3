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

void Sgd::update(const Slot& slot, const Tensor& grad) {
  const kernels::SgdStep step{.lr = lr() * slot.lr_scale,
                              .momentum = options_.momentum,
                              .weight_decay = options_.weight_decay * slot.weight_decay_scale,
                              .nesterov = options_.nesterov,
                              .first = slot.steps == 1};
  on_device(grad, [&](auto ctx) {
    kernels::sgd_step(ctx, slot.parameter, grad, slot.moments.empty() ? Tensor{} : slot.moments[0],
                      step);
  });
}

}  // namespace cytograd::optim
