#include "cytograd/train/method.h"

#include "cytograd/core/error.h"
#include "train/guided_method.h"
#include "train/methods.h"

namespace cytograd {
namespace {

// What a method is; everything else asks this table.
struct MethodRow {
  const char* name;
  MethodTraits traits;
  std::unique_ptr<Method> (*make)(const MethodContext&);
  void (*defaults)(const TrainConfig&, const GiveDefault&) = nullptr;
  void (*check)(const TrainConfig&) = nullptr;
};

std::unique_ptr<Method> make_embedding(const MethodContext& context) {
  return make_guided(context, nullptr);
}

constexpr bool yes = true, no = false;

const MethodRow rows[] = {
    //                                    head guided domains blocks views
    {"ce", {"CE", yes, no, no, no}, make_cross_entropy},
    {"triplet", {"triplet", no, yes, no, no}, make_embedding},
    {"center-triplet", {"centre triplet", no, yes, no, no}, make_embedding},
    {"guide2d", {"guide2D", no, yes, no, no}, make_embedding},
    {"distance", {"distance", no, yes, no, no}, make_embedding},
    {"guide-umap", {"guideUMAP", no, yes, no, no}, make_embedding},
    {"erm", {"ERM", yes, no, yes, no}, make_cross_entropy},
    {"coral", {"CORAL", yes, no, yes, yes}, make_coral, nullptr, coral_check},
    {"dann", {"DANN", yes, no, yes, no}, make_dann, dann_defaults, dann_check},
    {"boda", {"BoDA", yes, no, yes, yes}, make_boda, nullptr, boda_check},
    {"boda-plus", {"BoDA+", yes, no, yes, yes}, make_boda_plus, boda_plus_defaults, boda_check},
    {"simclr", {"SimCLR", no, no, no, no, 2}, make_simclr, views_defaults, views_check},
    {"byol", {"BYOL", no, no, no, no, 2}, make_byol, views_defaults, byol_check},
};

const MethodRow& row_of(const std::string& method) {
  for (const MethodRow& row : rows)
    if (method == row.name) return row;
  throw ConfigError("unknown method " + method);
}

// The protocol of docs/domains.md.
void domain_defaults(const TrainConfig& c, const GiveDefault& give) {
  give("optimizer.name", "adam");
  give("optimizer.weight_decay", "0");
  give("schedule.name", "constant");
  give("train.order", "domains");
  give("train.batch", "24");
  if (c.order != "shuffle") give("train.steps_per_epoch", "100");
  give("train.epochs", "50");
  give("train.best_by", "domain_accuracy");
  // Statistics of single domains in training, of their mixture afterwards: that costs accuracy.
  if (!c.domain_bn) give("model.joint_bn", "true");
  // A network that has learned elsewhere moves slowly, with the statistics that it came with.
  if (c.weights.empty()) return;
  give("optimizer.lr", "5e-05");
  if (!c.domain_bn) give("model.freeze_bn", "true");
}

void check_class_loss(const TrainConfig& c) {
  const bool shaped =
      c.focal_gamma > 0 || c.logit_adjust > 0 || c.label_smoothing > 0 || c.class_weights != "none";
  if (c.ce == "onehot_bce" && shaped)
    refuse_settings(
        "method.ce onehot_bce with a focal exponent, logit adjustment, smoothing or "
        "class weights",
        "softmax", "they are defined for the softmax");
  if (c.focal_gamma > 0 && c.label_smoothing > 0)
    refuse_settings("method.focal_gamma with method.label_smoothing", "one of them");
}

}  // namespace

const MethodTraits& method_traits(const std::string& method) { return row_of(method).traits; }

bool self_supervised(const TrainConfig& config) { return method_traits(config.method).views > 1; }

bool has_head(const TrainConfig& config) { return method_traits(config.method).head; }

bool is_guided(const TrainConfig& config) {
  return method_traits(config.method).guided || config.growing;
}

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

bool over_domains(const TrainConfig& config) { return config.order.starts_with("domains"); }

bool trains_head_alone(const TrainConfig& config) {
  return config.method == "boda-plus" && config.boda_plus == "crt";
}

TrainConfig first_stage(const TrainConfig& config) {
  check<ValueError>(trains_head_alone(config), "first_stage", "the method ", config.method,
                    " has one stage");
  TrainConfig out = config;
  out.method = "boda";
  out.order = "domains";
  out.stage1.clear();
  return out;
}

std::vector<int64_t> training_domains(const std::vector<std::vector<int64_t>>& counts) {
  std::vector<int64_t> out;
  const size_t domains = counts.empty() ? 0 : counts[0].size();
  for (size_t d = 0; d < domains; ++d)
    for (const auto& row : counts)
      if (row[d] > 0) {
        out.push_back(static_cast<int64_t>(d));
        break;
      }
  return out;
}

std::vector<std::string> method_names() {
  std::vector<std::string> out;
  for (const MethodRow& row : rows) out.emplace_back(row.name);
  return out;
}

void method_defaults(const TrainConfig& config, const GiveDefault& give) {
  const MethodRow& row = row_of(config.method);
  if (row.defaults) row.defaults(config, give);
  if (row.traits.domains) domain_defaults(config, give);
}

void check_method(const TrainConfig& c) {
  const MethodRow& row = row_of(c.method);
  if (row.traits.domains && c.growing)
    refuse_settings("method.growing with " + c.method, "ce or a guided method");
  if (row.traits.head) check_class_loss(c);
  if (row.traits.blocks && !over_domains(c))
    refuse_settings("train.order " + c.order + " with " + c.method, "domains or domains_balanced",
                    "the method compares the domains of a batch");
  if (!c.stage1.empty() && !trains_head_alone(c))
    refuse_settings("method.stage1 with " + c.method, "boda-plus with method.boda_plus crt");
  if (row.check) row.check(c);
}

std::unique_ptr<Method> make_method(const MethodContext& context) {
  return row_of(context.config.method).make(context);
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
