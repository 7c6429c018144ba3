#include "cytograd/train/method.h"

#include "cytograd/core/error.h"
#include "cytograd/ops/cross_entropy.h"
#include "train/guided_method.h"

namespace cytograd {
namespace {

// Softmax cross-entropy.
class CrossEntropyMethod : public Method {
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
  std::vector<std::string> terms() const override { return {"ce"}; }

 private:
  CrossEntropyOptions options_;
};

struct MethodRow {
  const char* name;
  std::unique_ptr<Method> (*make)(const MethodContext&);
};

std::unique_ptr<Method> make_cross_entropy(const MethodContext& context) {
  auto plain = std::make_unique<CrossEntropyMethod>(context);
  if (!context.config.growing) return plain;
  return make_guided(context, std::move(plain));
}
std::unique_ptr<Method> make_embedding(const MethodContext& context) {
  return make_guided(context, nullptr);
}

const MethodRow rows[] = {
    {"ce", make_cross_entropy},  {"triplet", make_embedding},  {"center-triplet", make_embedding},
    {"guide2d", make_embedding}, {"distance", make_embedding}, {"guide-umap", make_embedding},
};

}  // namespace

bool has_head(const TrainConfig& config) { return config.method == "ce"; }

bool is_guided(const TrainConfig& config) { return config.method != "ce" || config.growing; }

bool grows(const TrainConfig& config) {
  if (config.embedding == 2) return false;
  return config.growing || config.method == "guide-umap" || config.method == "distance";
}

bool needs_guide(const TrainConfig& config) {
  return grows(config) || config.method == "guide2d" || config.method == "distance" ||
         config.method == "guide-umap";
}

Growth growth_of(const TrainConfig& config) {
  Growth out;
  out.longest = config.embedding;
  out.factor = config.grow_factor > 0 ? config.grow_factor : Growth::default_factor(out.longest);
  return out;
}

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
