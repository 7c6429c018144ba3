#include "cytograd/train/method.h"

#include "cytograd/core/error.h"
#include "cytograd/ops/cross_entropy.h"

namespace cytograd {
namespace {

// Softmax cross-entropy.
class CrossEntropyMethod final : public Method {
 public:
  explicit CrossEntropyMethod(const MethodContext& context) {
    options_.label_smoothing = context.config.label_smoothing;
    if (context.config.class_weights != "balanced") return;
    const std::vector<double> weights = balanced_class_weights(context.counts);
    options_.class_weight =
        Tensor::from(std::vector<float>(weights.begin(), weights.end())).to(context.device);
  }

  std::vector<LossTerm> loss(const Batch& batch, const ModelOutput& output) override {
    return {{"ce", cross_entropy(output.logits, batch.labels, options_), 1.0}};
  }

 private:
  CrossEntropyOptions options_;
};

struct MethodRow {
  const char* name;
  std::unique_ptr<Method> (*make)(const MethodContext&);
};

template <class M>
std::unique_ptr<Method> make(const MethodContext& context) {
  return std::make_unique<M>(context);
}

const MethodRow rows[] = {
    {"ce", make<CrossEntropyMethod>},
};

}  // namespace

std::vector<std::string> method_names() {
  std::vector<std::string> out;
  for (const MethodRow& row : rows) out.emplace_back(row.name);
  return out;
}

std::unique_ptr<Method> make_method(const MethodContext& context) {
  for (const MethodRow& row : rows)
    if (context.config.method == row.name) return row.make(context);
  throw ConfigError("unknown method " + context.config.method);
}

std::vector<double> balanced_class_weights(const std::vector<std::vector<int64_t>>& counts) {
  std::vector<double> per_class;
  double total = 0, present = 0;
  for (const auto& domains : counts) {
    double n = 0;
    for (const int64_t d : domains) n += static_cast<double>(d);
    per_class.push_back(n);
    total += n;
    present += n > 0 ? 1 : 0;
  }
  for (double& n : per_class) n = n > 0 ? total / (present * n) : 0.0;
  return per_class;
}

}  // namespace cytograd
