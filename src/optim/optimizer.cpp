#include "cytograd/optim/optimizer.h"

#include <cmath>
#include <set>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/cuda.h"
#include "cytograd/core/error.h"

namespace cytograd::optim {

Optimizer::Optimizer(std::vector<ParameterGroup> groups, double lr,
                     std::vector<const char*> moment_names)
    : moment_names_(std::move(moment_names)), lr_(lr) {
  set_lr(lr);
  std::set<std::string> names;
  for (ParameterGroup& group : groups)
    for (auto& [name, parameter] : group.parameters) {
      check<ValueError>(names.insert(name).second, "optimizer", "the parameter ",
                        escape_control(name), " is given twice");
      check<ValueError>(parameter.is_contiguous(), "optimizer", "the parameter ",
                        escape_control(name), " is not contiguous");
      slots_.push_back({name, parameter, group.lr_scale, group.weight_decay_scale, 0, {}});
    }
}

void Optimizer::set_lr(double lr) {
  check<ValueError>(std::isfinite(lr) && lr >= 0, "optimizer",
                    "lr expects a finite number >= 0, got ", lr);
  lr_ = lr;
  if (!control_.defined() || control_lr_ == lr) return;
  control_.as_strided({1}, {1}, 0).copy_(Tensor::full({1}, lr, Dtype::float64));
  control_lr_ = lr;
}

void Optimizer::begin(Slot& slot) {
  for (size_t i = 0; i < moment_names_.size(); ++i)
    slot.moments.push_back(Tensor::zeros_like(slot.parameter));
}

void Optimizer::step() {
  const NoGrad no_grad;
  std::vector<Update> updates;
  ++step_;
  for (Slot& slot : slots_) {
    if (!slot.parameter.requires_grad()) continue;
    const Tensor grad = slot.parameter.grad();
    if (!grad.defined()) continue;
    check<DtypeError>(grad.dtype() == slot.parameter.dtype(), "optimizer", "the gradient of ",
                      escape_control(slot.name), " expects ", slot.parameter.dtype(), ", got ",
                      grad.dtype());
    if (!updates.empty()) {
      const Device first = updates[0].slot.parameter.device();
      check<DeviceError>(slot.parameter.device() == first, "optimizer", "the parameter ",
                         escape_control(slot.name), " expects ", first, " like the others, got ",
                         slot.parameter.device());
    }
    if (slot.moments.empty()) begin(slot);
    ++slot.steps;
    updates.push_back({slot, grad.contiguous()});
    slot.parameter.storage()->bump_version();
  }
  if (updates.empty()) return;
  ready_control(updates[0].slot.parameter.device());
  update(updates, control_);
  if (!cuda_capturing()) return;
  // It has not run: replays count.
  --step_;
  --control_step_;
  for (const Update& u : updates) --slots_[static_cast<size_t>(&u.slot - slots_.data())].steps;
}

// The numbers of this step where a kernel reads them; nothing to do if it counted them itself.
void Optimizer::ready_control(Device device) {
  if (device.type == DeviceType::cpu) return;
  if (!control_.defined() || control_.device() != device || control_lr_ != lr_ ||
      control_step_ != step_ - 1) {
    const Tensor now = Tensor::from(std::vector{lr_, static_cast<double>(step_ - 1)});
    if (control_.defined() && control_.device() == device)
      control_.copy_(now);
    else
      control_ = now.to(device);
    control_lr_ = lr_;
  }
  control_step_ = step_;
}

void Optimizer::count_replay() {
  ++step_;
  ++control_step_;
  for (Slot& slot : slots_) {
    if (!slot.parameter.requires_grad() || !slot.parameter.grad().defined()) continue;
    ++slot.steps;
    slot.parameter.storage()->bump_version();
  }
}

void Optimizer::zero_grad() const {
  for (const Slot& slot : slots_) slot.parameter.zero_grad();
}

NamedTensors Optimizer::state_dict() const {
  const auto count = [](int64_t n) { return Tensor::from<int64_t>(std::vector{n}, {}); };
  NamedTensors out{{"step", count(step_)}};
  for (const Slot& slot : slots_) {
    if (slot.steps == 0) continue;
    out.emplace_back(slot.name + ".step", count(slot.steps));
    for (size_t i = 0; i < slot.moments.size(); ++i)
      out.emplace_back(slot.name + "." + moment_names_[i], slot.moments[i]);
  }
  return out;
}

Optimizer::Slot& Optimizer::find(const std::string& name) {
  for (Slot& slot : slots_)
    if (slot.name == name) return slot;
  check<ValueError>(false, "optimizer", "the state of ", escape_control(name),
                    " belongs to no parameter");
  return slots_.front();
}

void Optimizer::load_state_dict(const NamedTensors& state) {
  const auto count = [](const std::string& name, const Tensor& tensor) {
    check<ValueError>(tensor.dtype() == Dtype::int64 && tensor.numel() == 1, "optimizer",
                      escape_control(name), " expects one int64, got ", tensor.dtype(), " ",
                      tensor.shape());
    const int64_t value = *tensor.data<int64_t>();
    check<ValueError>(value >= 0, "optimizer", escape_control(name), " expects >= 0, got ", value);
    return value;
  };
  step_ = 0;
  for (Slot& slot : slots_) {
    slot.steps = 0;
    slot.moments.clear();
  }
  for (const auto& [name, tensor] : state) {
    if (name == "step") {
      step_ = count(name, tensor);
      continue;
    }
    const size_t dot = name.rfind('.');
    check<ValueError>(dot != std::string::npos, "optimizer", "the state ", escape_control(name),
                      " is unknown");
    Slot& slot = find(name.substr(0, dot));
    const std::string part = name.substr(dot + 1);
    if (slot.moments.empty()) begin(slot);
    if (part == "step") {
      slot.steps = count(name, tensor);
      continue;
    }
    size_t i = 0;
    while (i < moment_names_.size() && part != moment_names_[i]) ++i;
    check<ValueError>(i < moment_names_.size(), "optimizer", "the state ", escape_control(name),
                      " is unknown");
    const Tensor& moment = slot.moments[i];
    check<ValueError>(tensor.shape() == moment.shape() && tensor.dtype() == moment.dtype(),
                      "optimizer", escape_control(name), " expects ", moment.dtype(), " ",
                      moment.shape(), ", got ", tensor.dtype(), " ", tensor.shape());
    const NoGrad no_grad;
    moment.copy_(tensor);
  }
}

}  // namespace cytograd::optim
