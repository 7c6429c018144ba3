#include "cytograd/optim/adam.h"

#include "cytograd/core/error.h"
#include "cytograd/ops/shape.h"
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

void Adam::set_row_starts(const std::string& name,
                          const std::function<int64_t(int64_t row)>& start) {
  std::vector<int64_t> starts;
  const Tensor& tensor = parameter(name);
  for (int64_t row = 0; row < tensor.size(0); ++row) starts.push_back(start(row));
  row_starts_[name] = std::move(starts);
}

void Adam::update(const std::vector<Update>& updates, const Tensor& control) {
  kernels::ParameterUpdates items;
  for (const auto& [slot, grad] : updates) {
    const kernels::ParameterUpdate all{
        slot.parameter,  grad,          slot.moments[0],
        slot.moments[1], slot.lr_scale, options_.weight_decay * slot.weight_decay_scale,
        slot.steps};
    const auto starts = row_starts_.find(slot.name);
    if (starts == row_starts_.end()) {
      items.push_back(all);
      continue;
    }
    // Neighbours that began together are one item.
    const std::vector<int64_t>& start = starts->second;
    for (size_t begin = 0, end; begin < start.size(); begin = end) {
      for (end = begin; end < start.size() && start[end] == start[begin];) ++end;
      if (slot.steps <= start[begin]) continue;
      const auto rows = [&](const Tensor& x) {
        return slice(x.detach(), 0, static_cast<int64_t>(begin), static_cast<int64_t>(end));
      };
      items.push_back({rows(all.weight), rows(all.grad), rows(all.first), rows(all.second),
                       all.lr_scale, all.weight_decay, slot.steps - start[begin]});
    }
  }
  if (items.empty()) return;
  const kernels::AdamStep step{lr(),         options_.beta1,     options_.beta2,
                               options_.eps, options_.decoupled, step_count()};
  on_device(items[0].weight, [&](auto ctx) { kernels::adam_step(ctx, items, step, control); });
}

}  // namespace cytograd::optim
