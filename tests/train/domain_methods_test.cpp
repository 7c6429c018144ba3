#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/models/stages.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/train/trainer.h"
#include "train/labs.h"

using namespace cytograd;
using namespace cytograd::test;

/// @file
/// Methods over domains, trained for moments on drawn cells of several laboratories.

namespace {

bool is_statistic(const std::string& name) {
  return name.find("running_") != std::string::npos || name.ends_with("num_batches_tracked");
}

struct Variant {
  const char* name;
  std::function<void(TrainConfig&)> change;
  std::vector<const char*> terms;
};

}  // namespace

TEST_CASE("every method over domains trains") {
  const Labs labs;
  const std::vector<Variant> variants = {
      {"erm", [](TrainConfig& c) { c.method = "erm"; }, {"ce"}},
      {"bce", [](TrainConfig& c) { c.method = "erm", c.ce = "onehot_bce"; }, {"ce"}},
      {"focal",
       [](TrainConfig& c) {
         c.method = "ce", c.focal_gamma = 2, c.class_weights = "balanced", c.order = "balanced";
       },
       {"ce"}},
      {"adjusted", [](TrainConfig& c) { c.method = "erm", c.logit_adjust = 1; }, {"ce"}},
      {"coral", [](TrainConfig& c) { c.method = "coral"; }, {"ce", "ce_0", "ce_2", "coral"}},
      {"deep_coral",
       [](TrainConfig& c) { c.method = "coral", c.coral = "deep_coral"; },
       {"ce", "coral"}},
      {"dann", [](TrainConfig& c) { c.method = "dann"; }, {"ce", "domain"}},
      {"penalty",
       [](TrainConfig& c) { c.method = "dann", c.dann_gp = 0.1, c.dann_d_steps = 2; },
       {"ce", "domain", "penalty"}},
      {"grl", [](TrainConfig& c) { c.method = "dann", c.dann_mode = "grl"; }, {"ce", "domain"}},
      {"boda", [](TrainConfig& c) { c.method = "boda"; }, {"ce", "ce_1", "boda", "macro"}},
      {"mahalanobis",
       [](TrainConfig& c) {
         c.method = "boda", c.boda_distance = "mahalanobis", c.count_unit = "median";
       },
       {"boda"}},
      {"diagonal",
       [](TrainConfig& c) {
         c.method = "boda", c.boda_distance = "mahalanobis_diag", c.boda_reduce = "sum";
         c.stat_augment = false, c.macro_weight = 0, c.freeze_bn = true;
       },
       {"boda"}},
      {"resamp",
       [](TrainConfig& c) {
         c.method = "boda-plus", c.boda_plus = "resamp", c.order = "domains_balanced";
       },
       {"boda", "macro"}},
      {"domain norms", [](TrainConfig& c) { c.method = "erm", c.domain_bn = true; }, {"ce"}},
      {"domain norms of boda",
       [](TrainConfig& c) { c.method = "boda", c.domain_bn = true, c.ema = 0.5; },
       {"boda"}},
  };
  for (const Variant& v : variants) {
    CAPTURE(v.name);
    TrainConfig config = labs.base;
    v.change(config);
    int steps = 0;
    TrainHooks hooks;
    hooks.step = [&](const StepInfo& s) {
      CHECK(std::isfinite(s.loss));
      ++steps;
    };
    labs.train(v.name, config, hooks);
    CHECK(steps == 8);
    // boda's term begins at step 3, the last of the first epoch.
    for (const char* term : v.terms)
      for (const double value : labs.column(v.name, std::string("loss_") + term))
        CHECK(std::isfinite(value));
  }
}

TEST_CASE("methods over domains go on from a checkpoint with the same bytes") {
  const Labs labs;
  struct Stop {};
  for (const char* method : {"dann", "boda", "coral"}) {
    CAPTURE(method);
    TrainConfig config = labs.with(method);
    config.epochs = 3;
    config.ema = 0.5;
    config.domain_bn = config.method == "boda";
    const std::string whole = std::string(method) + "-whole", broken = std::string(method) + "-b";
    labs.train(whole, config);
    TrainHooks hooks;
    // Within the second epoch; what is kept is the end of the first.
    hooks.step = [](const StepInfo& s) {
      if (s.step == 6) throw Stop{};
    };
    CHECK_THROWS_AS(labs.train(broken, config, hooks), Stop);
    labs.go_on(broken, config);
    CHECK(read_file(labs.last(broken)) == read_file(labs.last(whole)));
    CHECK(read_file(labs.path(broken) + "/metrics.csv") ==
          read_file(labs.path(whole) + "/metrics.csv"));
  }
}

TEST_CASE("dann: in turns one side learns and the other stays (G3)") {
  const Labs labs;
  TrainConfig config = labs.with("dann");
  config.steps_per_epoch = 1;
  config.epochs = 4;
  std::vector<Tensors64> network, adversary;
  TrainHooks hooks;
  const auto look = [&] {
    Tensors64 weights;
    for (const auto& [name, values] : values_of(labs.last("run")))
      if (!is_statistic(name)) weights[name] = values;
    network.push_back(weights);
    Tensors64 other;
    for (const auto& [name, values] : values_of(labs.last("run"), "method/"))
      if (name.starts_with("domain_classifier.")) other[name] = values;
    CHECK(other.size() == 6);
    adversary.push_back(other);
  };
  hooks.step = [&](const StepInfo& s) {
    if (s.step == 1) look();  // still the checkpoint from before the first step
  };
  hooks.epoch = [&](const EpochInfo&) { look(); };
  labs.train("run", config, hooks);
  REQUIRE(network.size() == 5);
  for (size_t step = 0; step < 4; ++step) {
    const bool generator = step % 2 == 0;
    CAPTURE(step);
    CHECK((network[step] == network[step + 1]) == !generator);
    CHECK((adversary[step] == adversary[step + 1]) == generator);
  }
}

TEST_CASE("dann: with lambda 0 the network's step is that of erm") {
  const Labs labs;
  TrainConfig config = labs.with("dann");
  config.dann_lambda = 0;
  config.steps_per_epoch = 1;
  config.epochs = 1;
  labs.train("dann", config);
  config.method = "erm";
  labs.train("erm", config);
  CHECK(values_of(labs.last("dann")) == values_of(labs.last("erm")));
}

TEST_CASE("joint norms: coral's pass is that of erm; apart it is not") {
  const Labs labs;
  const auto statistics = [&](const char* run, const char* method, bool joint) {
    TrainConfig config = labs.with(method);
    config.joint_bn = joint;
    config.steps_per_epoch = 1;
    config.epochs = 1;
    labs.train(run, config);
    Tensors64 out = values_of(labs.last(run));
    std::erase_if(out, [](const auto& entry) { return !is_statistic(entry.first); });
    return out;
  };
  const Tensors64 erm = statistics("erm", "erm", false);
  CHECK(erm.size() > 2);
  CHECK(statistics("joint", "coral", true) == erm);
  CHECK(statistics("apart", "coral", false) != erm);
}

TEST_CASE("frozen stages, frozen statistics, learning rates by stage") {
  const Labs labs;
  const auto trained = [&](const std::string& run,
                           const std::function<void(TrainConfig&)>& change) {
    TrainConfig config = labs.with("erm");
    config.epochs = 1;
    change(config);
    labs.train(run, config);
    return values_of(labs.last(run));
  };
  TrainConfig config = labs.with("erm");
  const Task task = load_task(config, {});
  Tensors64 start;
  for (const auto& [name, tensor] : nn::to_torch_layout(Trainer(config, task).model().state_dict()))
    start[name] = tensor.to_vector<double>();

  const Tensors64 frozen = trained("frozen", [](TrainConfig& c) { c.freeze = 2; });
  for (const auto& entry : frozen) {
    const std::string& name = entry.first;
    const auto& values = entry.second;
    CAPTURE(name);
    const int64_t stage = models::stage_of(name);
    CHECK((values == start.at(name)) == (stage >= 0 && stage <= 2));
  }
  const Tensors64 norms = trained("norms", [](TrainConfig& c) { c.freeze_bn = true; });
  for (const auto& entry : norms) {
    const std::string& name = entry.first;
    const auto& values = entry.second;
    CAPTURE(name);
    CHECK((values == start.at(name)) == is_statistic(name));
  }
  const Tensors64 slow = trained("slow", [](TrainConfig& c) { c.backbone_lr_factor = 0; });
  const Tensors64 graded = trained("graded", [](TrainConfig& c) { c.stage_lr_decay = 0; });
  for (const auto& entry : slow) {
    const std::string& name = entry.first;
    const auto& values = entry.second;
    if (is_statistic(name)) continue;
    CAPTURE(name);
    const int64_t stage = models::stage_of(name);
    CHECK((values == start.at(name)) == (stage != models::classifier_stage));
    CHECK((graded.at(name) == start.at(name)) == (stage >= 0 && stage < 3));
  }
  config.freeze = 4;
  CHECK_THROWS_WITH_AS(Trainer(config, task), doctest::Contains("at most 3"), ConfigError);
}

TEST_CASE(
    "norms by domain: common statistics are those of all domains, each evaluated by its own") {
  const Labs labs;
  TrainConfig config = labs.with("erm");
  config.domain_bn = true;
  labs.train("run", config);
  write_file_atomically(labs.path("run") + "/config.toml", config_toml(config));
  const Tensors64 state = values_of(labs.last("run"));
  const auto &mean = state.at("bn1.domain_mean"), &var = state.at("bn1.domain_var");
  const size_t channels = state.at("bn1.running_mean").size();
  REQUIRE(mean.size() == 3 * channels);
  for (size_t c = 0; c < channels; ++c) {
    const double a = mean[c], b = mean[channels + c], d = mean[2 * channels + c];
    CHECK(a != b);
    const double m = (a + b + d) / 3;
    CHECK(state.at("bn1.running_mean")[c] == doctest::Approx(m).epsilon(1e-5));
    const double v = (var[c] + var[channels + c] + var[2 * channels + c]) / 3 +
                     ((a - m) * (a - m) + (b - m) * (b - m) + (d - m) * (d - m)) / 3;
    CHECK(state.at("bn1.running_var")[c] == doctest::Approx(v).epsilon(1e-5));
  }
  const TrainedModel trained = load_trained(labs.path("run"), "last");
  CHECK(trained.domains == std::vector<std::string>{"lab0", "lab1", "lab2"});
  const Task task = load_task(config, {});
  const auto probabilities = [&](const Dataset& dataset) {
    LoaderOptions options;
    options.preprocess = trained.preprocess;
    options.batch_size = 7;
    return predict(trained, dataset, task.split.train, options).probabilities;
  };
  Dataset renamed = task.dataset;
  renamed.domains[1] = "elsewhere";
  const auto own = probabilities(task.dataset), unknown = probabilities(renamed);
  const size_t classes = task.dataset.classes.size();
  REQUIRE(own.size() == unknown.size());
  for (size_t i = 0; i < task.split.train.size(); ++i) {
    const auto at = static_cast<size_t>(task.split.train[i]);
    const bool same = std::equal(own.begin() + static_cast<std::ptrdiff_t>(i * classes),
                                 own.begin() + static_cast<std::ptrdiff_t>((i + 1) * classes),
                                 unknown.begin() + static_cast<std::ptrdiff_t>(i * classes));
    CHECK(same == (task.dataset.samples[at].domain != 1));
  }
}

TEST_CASE("the best epoch by the mean over domains of the accuracy") {
  const Labs labs({{12, 12}, {6, 6}});
  TrainConfig config = labs.with("erm");
  config.val_fraction = 0.4;
  config.best_by = "domain_accuracy";
  config.epochs = 6;
  config.lr = 0.01;
  std::vector<bool> best;
  TrainHooks hooks;
  hooks.epoch = [&](const EpochInfo& e) { best.push_back(e.best); };
  labs.train("run", config, hooks);
  double highest = -1;
  const std::vector<double> scores = labs.column("run", "val_accuracy_domains");
  REQUIRE(scores.size() == 6);
  for (size_t e = 0; e < 6; ++e) {
    CHECK(best[e] == (scores[e] > highest));
    highest = std::max(highest, scores[e]);
  }
}

TEST_CASE("nan: a loss that runs away") {
  const Labs labs;
  TrainConfig config = labs.with("coral");
  config.coral_gamma = 1e9;
  CHECK_THROWS_WITH_AS(labs.train("run", config), doctest::Contains("loss ce "), DivergedError);
}
