#include <doctest/doctest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/train/method.h"

using namespace cytograd;

/// @file
/// Methods over domains without a network: what they refuse, when they look at statistics, and the
/// settings that they bring.

namespace {

TrainConfig config_of(const std::string& method) {
  TrainConfig c;
  c.method = method;
  c.order = "domains";
  c.batch = 2;
  return c;
}

std::string refusal(const std::string& method, const std::function<void(TrainConfig&)>& change) {
  TrainConfig c = config_of(method);
  change(c);
  try {
    check_config(c);
  } catch (const ConfigError& e) {
    return e.what();
  }
  return "";
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Counts [class][domain] of two domains and two classes, and what goes with them.
MethodContext context_of(const TrainConfig& config,
                         const std::vector<std::vector<int64_t>>& counts = {{3, 1}, {1, 2}}) {
  return {config,
          static_cast<int64_t>(counts.size()),
          static_cast<int64_t>(counts[0].size()),
          2,
          {},
          counts,
          std::vector<std::string>(counts.size(), "class"),
          std::vector<std::string>(counts[0].size(), "domain")};
}

Batch batch_of(const std::vector<int64_t>& domains, const std::vector<int64_t>& labels) {
  Batch out;
  out.domains = domains;
  out.labels = Tensor::from(labels);
  for (size_t i = 0; i < labels.size(); ++i) out.indices.push_back(static_cast<int64_t>(i));
  return out;
}

ModelOutput output_of(int64_t n, int64_t classes) {
  Rng rng(3);
  const auto draw = [&](int64_t columns) {
    std::vector<float> values(static_cast<size_t>(n * columns));
    for (float& v : values) v = static_cast<float>(rng.normal());
    const Tensor out = Tensor::from(values, {n, columns});
    out.set_requires_grad(true);
    return out;
  };
  return {draw(2), draw(classes)};
}

std::vector<std::string> names_of(const std::vector<LossTerm>& terms) {
  std::vector<std::string> out;
  for (const LossTerm& term : terms) out.push_back(term.name);
  return out;
}

}  // namespace

TEST_CASE("cfg: settings of methods over domains that contradict each other") {
  const auto none = [](TrainConfig&) {};
  for (const char* method : {"erm", "coral", "dann", "boda", "boda-plus"})
    CHECK(refusal(method, none).empty());
  CHECK(has(refusal("coral", [](TrainConfig& c) { c.order = "shuffle"; }),
            "train.order shuffle with coral"));
  CHECK(has(refusal("boda", [](TrainConfig& c) { c.order = "balanced"; }), "with boda"));
  CHECK(has(refusal("coral", [](TrainConfig& c) { c.batch = 1; }), "at least two samples"));
  CHECK(has(refusal("boda", [](TrainConfig& c) { c.batch = 1; }), "at least two samples"));
  CHECK(refusal("boda", [](TrainConfig& c) { c.batch = 1, c.macro_weight = 0; }).empty());
  CHECK(has(refusal("boda", [](TrainConfig& c) { c.boda_start = 119; }),
            "the statistics would be undefined"));
  CHECK(refusal("boda", [](TrainConfig& c) { c.boda_start = 120; }).empty());
  CHECK(
      has(refusal("dann", [](TrainConfig& c) { c.dann_mode = "grl", c.dann_gp = 1; }), "dann_gp"));
  CHECK(has(refusal("erm", [](TrainConfig& c) { c.growing = true; }), "growing with erm"));
  CHECK(has(refusal("boda", [](TrainConfig& c) { c.stage1 = "/a"; }), "stage1 with boda"));
  CHECK(has(refusal("erm", [](TrainConfig& c) { c.ce = "onehot_bce", c.focal_gamma = 1; }),
            "onehot_bce"));
  CHECK(has(refusal("erm", [](TrainConfig& c) { c.label_smoothing = 0.1, c.focal_gamma = 1; }),
            "focal_gamma"));
  CHECK(has(refusal("ce", [](TrainConfig& c) { c.order = "shuffle", c.steps_per_epoch = 3; }),
            "steps_per_epoch"));
  CHECK(has(refusal("ce", [](TrainConfig& c) { c.order = "shuffle", c.domain_bn = true; }),
            "domain_bn"));
  CHECK(has(refusal("coral", [](TrainConfig& c) { c.joint_bn = c.domain_bn = true; }),
            "domain_bn with model.joint_bn"));
  CHECK(has(refusal("erm", [](TrainConfig& c) { c.freeze_bn = c.domain_bn = true; }),
            "domain_bn with model.freeze_bn"));
}

TEST_CASE("cfg: methods over domains bring the settings of their protocol") {
  const auto resolved = [](const std::vector<std::pair<std::string, std::string>>& given) {
    ResolvedConfig out;
    for (const auto& [key, text] : given) set_config(out, config_field(key), text, "test");
    apply_method_defaults(out, true);
    check_config(out.config);
    return out.config;
  };
  const TrainConfig erm = resolved({{"method.name", "erm"}});
  CHECK(erm.order == "domains");
  CHECK(erm.batch == 24);
  CHECK(erm.steps_per_epoch == 100);
  CHECK(erm.epochs == 50);
  CHECK(erm.optimizer == "adam");
  CHECK(erm.weight_decay == 0);
  CHECK(erm.schedule == "constant");
  CHECK(erm.beta1 == 0.9);
  CHECK(erm.lr == 1e-3);
  CHECK(!erm.freeze_bn);
  CHECK(resolved({{"method.name", "boda"}}).joint_bn);
  CHECK(!resolved({{"method.name", "boda"}, {"model.domain_bn", "true"}}).joint_bn);
  const TrainConfig tuned = resolved({{"method.name", "boda"}, {"model.weights", "/w"}});
  CHECK(tuned.lr == 5e-5);
  CHECK(tuned.freeze_bn);
  CHECK(tuned.boda_start == 500);
  CHECK(tuned.feat_freq == 120);
  CHECK(tuned.macro_weight == 1);
  const TrainConfig dann = resolved({{"method.name", "dann"}, {"train.batch", "8"}});
  CHECK(dann.beta1 == 0.5);
  CHECK(dann.beta2 == 0.9);
  CHECK(dann.batch == 8);
  CHECK(resolved({{"method.name", "dann"}, {"method.dann_mode", "grl"}}).beta1 == 0.9);
  CHECK(resolved({{"method.name", "boda-plus"}}).order == "domains_balanced");
  const TrainConfig heavy =
      resolved({{"method.name", "boda-plus"}, {"method.boda_plus", "coral_weighted"}});
  CHECK(heavy.macro_weight == 10);
  CHECK(heavy.order == "domains");
  const TrainConfig first = first_stage(resolved({{"method.name", "boda-plus"}}));
  CHECK(first.method == "boda");
  CHECK(first.order == "domains");
  CHECK_THROWS_AS(first_stage(heavy), ValueError);
}

TEST_CASE("one training domain: coral has nothing to do, dann and boda are refused") {
  const std::vector<std::vector<int64_t>> counts = {{4, 0, 0}, {2, 0, 0}};
  for (const char* method : {"dann", "boda"}) {
    const TrainConfig c = config_of(method);
    CHECK_THROWS_WITH_AS(make_method(context_of(c, counts)),
                         doctest::Contains("one training domain"), ConfigError);
  }
  const TrainConfig c = config_of("coral");
  const auto coral = make_method(context_of(c, counts));
  REQUIRE(coral->notes().size() == 1);
  const auto terms = coral->loss(batch_of({0, 0, 0}, {0, 1, 0}), output_of(3, 2));
  CHECK(names_of(terms) == std::vector<std::string>{"ce", "ce_0", "coral"});
  CHECK(terms[2].value.item() == 0);
  TrainConfig unit = config_of("boda");
  for (const char* wrong : {"0", "-1", "nan", "mean", ""}) {
    unit.count_unit = wrong;
    CHECK_THROWS_WITH_AS(make_method(context_of(unit)), doctest::Contains("count_unit"),
                         ConfigError);
  }
}

TEST_CASE("boda: refreshes come every feat_freq steps, the term from boda_start on") {
  TrainConfig c = config_of("boda");
  c.feat_freq = 2;
  c.boda_start = 3;
  const auto method = make_method(context_of(c, {{2, 1}, {1, 2}}));
  // S1 of two domains and two classes.
  const std::vector<float> z = {1, 0, 3, 0, 0, 2, 0, 4, 2, 2, 4, 0};
  std::vector<int64_t> rounds;
  const auto start = [&](int64_t step) {
    method->before_step({step, 10, [&](int64_t round, const FeatureVisitor& visit) {
                           rounds.push_back(round);
                           visit(
                               batch_of({0, 0, 0}, {0, 0, 1}),
                               Tensor::from(std::vector<float>(z.begin(), z.begin() + 6), {3, 2}));
                           visit(batch_of({1, 1, 1}, {0, 1, 1}),
                                 Tensor::from(std::vector<float>(z.begin() + 6, z.end()), {3, 2}));
                         }});
  };
  const Batch batch = batch_of({0, 0, 1, 1}, {0, 1, 0, 1});
  const auto terms_at = [&](int64_t step) {
    start(step);
    return names_of(method->loss(batch, output_of(4, 2)));
  };
  const std::vector<std::string> without = {"ce", "ce_0", "ce_1", "macro"},
                                 with = {"ce", "ce_0", "ce_1", "boda", "macro"};
  for (int64_t step = 0; step < 7; ++step) CHECK(terms_at(step) == (step < 3 ? without : with));
  CHECK(rounds == std::vector<int64_t>{1, 2, 3});
  const auto mean = method->state().at("psi/mean").to_vector<double>();
  const std::vector<double> expected = {2, 0, 0, 2, 0, 4, 3, 1};
  REQUIRE(mean.size() == expected.size());
  for (size_t i = 0; i < mean.size(); ++i) CHECK(std::abs(mean[i] - expected[i]) <= 1e-15);
  const auto counts = method->state().at("counts").to_vector<int64_t>();
  CHECK(counts == std::vector<int64_t>{0, 0, 2, 0, 1, 1, 1, 0, 1, 1, 1, 2});

  // From a checkpoint without statistics, past their beginning.
  const auto blank = make_method(context_of(c));
  blank->before_step({5, 10, {}});
  CHECK_THROWS_AS(blank->loss(batch, output_of(4, 2)), StateError);
  TensorMap narrow = method->state();
  narrow["psi/mean"] = Tensor::zeros({4, 3}, Dtype::float64);
  CHECK_THROWS_AS(blank->load_state(narrow), ShapeError);
  // Without its term there is nothing to refresh.
  c.boda_weight = 0;
  const auto macro_alone = make_method(context_of(c));
  macro_alone->before_step({2, 10, {}});
  CHECK(names_of(macro_alone->loss(batch, output_of(4, 2))) == without);
}

TEST_CASE("boda: missing pairs, a pair of one image, a batch without positives") {
  TrainConfig c = config_of("boda");
  c.feat_freq = 1;
  c.boda_start = 1;
  // Class 2 is in the second domain alone, class 1 in the first alone and only once.
  const auto method = make_method(context_of(c, {{5, 4}, {1, 0}, {0, 2}}));
  method->before_step({1, 10, [](int64_t, const FeatureVisitor& visit) {
                         visit(batch_of({0, 0, 1, 1}, {0, 1, 0, 2}), output_of(4, 3).embeddings);
                       }});
  CHECK(method->state().at("counts").size(0) == 4);
  const ModelOutput out = output_of(4, 3);
  for (const LossTerm& term : method->loss(batch_of({0, 0, 1, 1}, {0, 1, 2, 0}), out))
    CHECK(std::isfinite(term.value.item()));
  const ModelOutput alone = output_of(4, 3);
  for (const LossTerm& term : method->loss(batch_of({0, 0, 1, 1}, {1, 1, 2, 2}), alone)) {
    if (term.name != "boda") continue;
    CHECK(term.value.item() == 0);
    term.value.backward();
    for (const double g : alone.embeddings.grad().to_vector<double>()) CHECK(g == 0);
  }
}

TEST_CASE("logit adjustment uses the shares that the order draws") {
  // Of a head that says nothing the adjusted loss is -log(share of the label).
  const std::vector<std::vector<int64_t>> counts = {{6, 0}, {2, 4}};
  const auto loss = [&](const std::string& order, double tau) {
    TrainConfig c = config_of("erm");
    c.order = order;
    c.logit_adjust = tau;
    const auto method = make_method(context_of(c, counts));
    ModelOutput out;
    out.embeddings = Tensor::zeros({1, 2});
    out.logits = Tensor::zeros({1, 2});
    return method->loss(batch_of({0}, {0}), out)[0].value.item();
  };
  CHECK(loss("domains", 0) == doctest::Approx(std::log(2.0)));
  // Class 0: 6/8 of domain 0, nothing of domain 1.
  CHECK(loss("domains", 1) == doctest::Approx(-std::log(0.375)));
  CHECK(loss("shuffle", 1) == doctest::Approx(-std::log(0.5)));
  CHECK(loss("domains_balanced", 1) == doctest::Approx(-std::log(0.25)));
}
