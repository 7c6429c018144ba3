#include "cytograd/ops/cross_entropy.h"

#include "cytograd/autograd/record.h"
#include "kernels/cross_entropy.h"
#include "ops/common.h"

namespace cytograd {
namespace {

constexpr const char* op = "cross_entropy";

void validate(const Tensor& logits, const Tensor& labels, const CrossEntropyOptions& options) {
  check<ShapeError>(logits.ndim() == 2, op, "logits expect [N, C], got ", logits.shape());
  check<ShapeError>(logits.size(1) >= 1, op, "logits expect at least one class, got ",
                    logits.shape());
  check<DtypeError>(logits.dtype() == Dtype::float32 || logits.dtype() == Dtype::float64, op,
                    "logits expect float32 or float64, got ", logits.dtype());
  check<DtypeError>(labels.dtype() == Dtype::int64, op, "labels expect int64, got ",
                    labels.dtype());
  check<ShapeError>(labels.shape() == Shape{logits.size(0)}, op, "labels expect ",
                    Shape{logits.size(0)}, " for logits ", logits.shape(), ", got ",
                    labels.shape());
  check<ValueError>(options.label_smoothing >= 0 && options.label_smoothing <= 1, op,
                    "label_smoothing must be in [0, 1], got ", options.label_smoothing);
  check_device(op, logits, labels, "labels");
  check_device(op, logits, options.class_weight, "class_weight");
  if (!options.class_weight.defined()) return;
  check<ShapeError>(options.class_weight.shape() == Shape{logits.size(1)}, op,
                    "class_weight expects ", Shape{logits.size(1)}, ", got ",
                    options.class_weight.shape());
  check<DtypeError>(options.class_weight.dtype() == logits.dtype(), op, "class_weight expects ",
                    logits.dtype(), ", got ", options.class_weight.dtype());
  check<StateError>(!options.class_weight.requires_grad(), op,
                    "class_weight takes no gradient; detach it first");
}

// Values, which only the host can look at.
void check_values(const kernels::CrossEntropyInput& in) {
  const int64_t classes = in.logits.size(1);
  if (in.class_weight.defined()) {
    const std::vector<double> weight = in.class_weight.to_vector<double>();
    for (int64_t c = 0; c < classes; ++c)
      check<ValueError>(weight[static_cast<size_t>(c)] >= 0, op, "class_weight must be >= 0, got ",
                        weight[static_cast<size_t>(c)], " for class ", c);
  }
  const int64_t* labels = in.labels.data<int64_t>();
  for (int64_t n = 0; n < in.labels.numel(); ++n)
    check<ValueError>(labels[n] >= 0 && labels[n] < classes, op, "label ", labels[n],
                      " at position ", n, " is not in 0..", classes - 1);
}

}  // namespace

Tensor cross_entropy(const Tensor& given, const Tensor& labels,
                     const CrossEntropyOptions& options) {
  const Tensor logits = widened(given);
  validate(logits, labels, options);
  const Tensor weight = options.class_weight.defined() ? packed(options.class_weight) : Tensor{};
  const kernels::CrossEntropyInput in{packed(logits), packed(labels), weight,
                                      options.label_smoothing};
  const bool average = options.reduction == Reduction::mean;
  const bool on_host = logits.device().type == DeviceType::cpu;
  check<ValueError>(!average || logits.size(0) > 0, op, "the mean expects at least one sample");
  if (on_host) check_values(in);
  Tensor total;
  if (average) {
    total = Tensor::empty({}, Dtype::float64, logits.device());
    on_device(logits, [&](auto ctx) { kernels::cross_entropy_weight(ctx, in, total); });
    check<ValueError>(!on_host || total.item() > 0, op,
                      "the weights of the targets sum to 0; the mean is not defined");
  }
  Tensor losses = Tensor::empty(labels.shape(), logits.dtype(), logits.device());
  const Tensor lse = Tensor::empty_like(losses);
  on_device(logits, [&](auto ctx) { kernels::cross_entropy(ctx, in, losses, lse); });
  Tensor y = losses;
  if (options.reduction != Reduction::none) {
    y = Tensor::empty({}, logits.dtype(), logits.device());
    on_device(logits, [&](auto ctx) { kernels::cross_entropy_reduce(ctx, losses, total, y); });
  }
  return record(op, {logits}, y, {in.logits, in.labels, weight, lse, total},
                options.label_smoothing, [](const auto& back, const Tensor& dy) -> Grads {
                  const kernels::CrossEntropyInput saved{back.saved[0], back.saved[1],
                                                         back.saved[2], back.params};
                  const Tensor g = packed(dy);
                  Tensor dx = Tensor::empty_like(saved.logits);
                  on_device(g, [&](auto ctx) {
                    kernels::cross_entropy_backward(ctx, saved, back.saved[3], g, back.saved[4],
                                                    dx);
                  });
                  return {dx};
                });
}

}  // namespace cytograd
