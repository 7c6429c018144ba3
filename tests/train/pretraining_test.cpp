#include "cytograd/train/pretraining.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/weights.h"
#include "cytograd/models/stages.h"
#include "cytograd/nn/state_dict.h"
#include "cytograd/train/method.h"
#include "cytograd/train/trainer.h"
#include "support/run_values.h"
#include "support/stained_cells.h"
#include "support/temp_folder.h"

using namespace cytograd;
namespace fs = std::filesystem;

/// @file
/// Training without labels and on drawn cells, for moments on small pictures.

namespace {

// Drawn cells of one laboratory, in class folders.
class Lab {
 public:
  explicit Lab(const std::vector<int>& counts = {14, 10, 6, 6}) {
    config.data = test::write_labs(folder.path().string(), {counts});
    config.method = "simclr";
    config.model = "resnet20";
    config.image_size = 16;
    config.augment = "views";
    config.test_fraction = 0;
    config.val_fraction = 0.2;
    config.val_grouped = false;
    config.temperature = 0.2;
    config.batch = 8;
    config.epochs = 2;
    config.projection = 16;
  }
  // All pictures in one folder, with nothing that tells their classes.
  void forget_labels() {
    const std::string loose = folder / "loose";
    fs::create_directories(loose);
    int k = 0;
    for (const auto& entry : fs::recursive_directory_iterator(config.data[0]))
      if (entry.is_regular_file())
        fs::copy_file(entry.path(), loose + "/" + std::to_string(k++) + ".png");
    config.data = {loose};
  }
  std::string path(const std::string& run) const { return folder / run; }
  std::string last(const std::string& run) const {
    return CheckpointStore(path(run)).resolve("last");
  }
  std::vector<double> column(const std::string& run, const std::string& name) const {
    return test::metrics_column(path(run), name);
  }
  void train(const std::string& run, const TrainConfig& c, const TrainHooks& hooks = {}) const {
    check_config(c);
    const Task task = load_task(c, {});
    Trainer trainer(c, task);
    const RunFolder made = RunFolder::create(path(run), true);
    made.prepare();
    write_file_atomically(path(run) + "/config.toml", config_toml(c));
    trainer.run(made, hooks);
  }
  void go_on(const std::string& run, const TrainConfig& c) const {
    const Task task = load_task(c, {});
    Trainer trainer(c, task);
    const RunFolder made = RunFolder::resume(path(run));
    trainer.restore(read_checkpoint(last(run)), last(run));
    trainer.run(made, {});
  }

  TempFolder folder;
  TrainConfig config;
};

std::string refusal(const std::function<void(TrainConfig&)>& change) {
  TrainConfig c;
  c.method = "simclr";
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

}  // namespace

TEST_CASE("simclr: monitors in metrics.csv, and the last epoch is what is kept") {
  const Lab lab;
  TrainConfig c = lab.config;
  c.epochs = 3;
  int steps = 0, rows = 0;
  TrainHooks hooks;
  hooks.step = [&](const StepInfo& s) {
    CHECK(std::isfinite(s.loss));
    ++steps;
  };
  hooks.epoch = [&](const EpochInfo& e) {
    CHECK(!e.best);
    ++rows;
  };
  lab.train("run", c, hooks);
  CHECK(rows == 3);
  CHECK(steps == 9);  // of 29 training images 24 fill whole batches
  for (const char* name : {"loss", "loss_nt_xent", "loss_alignment", "loss_uniformity",
                           "loss_spread", "val_accuracy", "val_f1_macro"}) {
    CAPTURE(name);
    for (const double value : lab.column("run", name)) CHECK(std::isfinite(value));
  }
  for (const double value : lab.column("run", "loss_alignment")) CHECK((value >= 0 && value <= 4));
  for (const double value : lab.column("run", "loss_uniformity"))
    CHECK((value <= 0 && value >= -8));
  for (const double value : lab.column("run", "loss_spread")) CHECK((value >= 0 && value <= 1.2));
  for (const double value : lab.column("run", "val_accuracy")) CHECK((value >= 0 && value <= 1));
  for (const double value : lab.column("run", "train_accuracy")) CHECK(std::isnan(value));
  const CheckpointStore store(lab.path("run"));
  CHECK(!store.has("best"));
  const TrainedModel trained = load_trained(lab.path("run"));
  CHECK(trained.epoch == 3);
  CHECK(!trained.by_head);
  const TensorMap all = read_checkpoint(lab.last("run")).tensors;
  CHECK(all.contains("method/projection.2.weight"));
  CHECK(!all.contains("linear.weight"));
}

TEST_CASE("simclr: learns to tell images apart, and its step is that of the loss") {
  const Lab lab;
  TrainConfig c = lab.config;
  c.epochs = 20;
  c.augment = "light";
  c.lr = 3e-3;
  lab.train("run", c);
  const std::vector<double> loss = lab.column("run", "loss");
  CHECK(loss == lab.column("run", "loss_nt_xent"));
  CHECK(loss.back() < 0.9 * loss.front());
  // A batch of 8 in which nothing can be told apart costs log 15.
  CHECK(loss.back() < std::log(15.0));
}

TEST_CASE("methods without labels go on from a checkpoint with the same bytes") {
  const Lab lab;
  struct Stop {};
  for (const char* method : {"simclr", "byol"}) {
    CAPTURE(method);
    TrainConfig c = lab.config;
    c.method = method;
    c.epochs = 3;
    c.ema = 0.5;
    const std::string whole = std::string(method) + "-whole", broken = std::string(method) + "-b";
    lab.train(whole, c);
    TrainHooks hooks;
    hooks.step = [](const StepInfo& s) {
      if (s.step == 5) throw Stop{};
    };
    CHECK_THROWS_AS(lab.train(broken, c, hooks), Stop);
    lab.go_on(broken, c);
    CHECK(read_file(lab.last(broken)) == read_file(lab.last(whole)));
    CHECK(read_file(lab.path(broken) + "/metrics.csv") ==
          read_file(lab.path(whole) + "/metrics.csv"));
  }
}

TEST_CASE("byol: trains, and its copy follows as slowly as it is told") {
  const Lab lab;
  TrainConfig c = lab.config;
  c.method = "byol";
  const Task task = load_task(c, {});
  std::map<std::string, std::vector<double>> start;
  for (const auto& [name, tensor] : Trainer(c, task).model().named_parameters())
    start[name] = tensor.to_vector<double>();
  for (const double momentum : {1.0, 0.9}) {
    CAPTURE(momentum);
    const std::string run = momentum == 1 ? "still" : "moving";
    c.byol_momentum = momentum;
    lab.train(run, c);
    for (const double value : lab.column(run, "loss_byol")) CHECK((value >= 0 && value <= 8));
    for (const double value : lab.column(run, "loss_spread")) CHECK(value > 0);
    const Checkpoint last = read_checkpoint(lab.last(run));
    const auto target = last.tensors.find("method/target.conv1.weight");
    REQUIRE(target != last.tensors.end());
    const bool same = target->second.to_vector<double>() == start.at("conv1.weight");
    CHECK(same == (momentum == 1));
    CHECK(last.tensors.contains("method/predictor.0.weight"));
    CHECK(last.tensors.contains("method/predictor.1.running_mean"));
    // Nothing of it is in the result.
    write_backbone(lab.path("weights.safetensors"), load_trained(lab.path(run)));
    for (const auto& entry : load_weights(lab.path("weights.safetensors")).tensors)
      CHECK(start.contains(entry.first) ==
            (!has(entry.first, "running_") && !has(entry.first, "num_batches")));
  }
  c.freeze = 1;
  CHECK_THROWS_WITH_AS(check_config(c), doctest::Contains("model.freeze"), ConfigError);
}

TEST_CASE("simclr: images without labels, all of them trained on") {
  Lab lab;
  lab.forget_labels();
  const Task task = load_task(lab.config, {});
  CHECK(task.dataset.classes == std::vector<std::string>{"unlabelled"});
  CHECK(task.split.train.size() == 36);
  CHECK(task.split.val.empty());
  lab.train("run", lab.config);
  for (const double value : lab.column("run", "val_accuracy")) CHECK(std::isnan(value));
  for (const double value : lab.column("run", "loss_spread")) CHECK(std::isfinite(value));
  // The same images with a part held back by a file: there is nothing to judge it by.
  std::string splits = "sample,fold,role,group,class\n";
  for (int k = 0; k < 36; ++k)
    splits += std::to_string(k) + ".png,0," + (k < 20 ? "train" : "val") + ",,unlabelled\n";
  write_file_atomically(lab.path("splits.csv"), splits);
  TrainConfig c = lab.config;
  c.splits = lab.path("splits.csv");
  lab.train("part", c);
  for (const double value : lab.column("part", "val_accuracy")) CHECK(std::isnan(value));
}

TEST_CASE("simclr: over domains, in parts and with norms by domain") {
  Lab lab;
  lab.config.data = test::write_labs(lab.path("two"), {{6, 6}, {4, 6}});
  TrainConfig c = lab.config;
  c.order = "domains";
  c.batch = 4;
  c.steps_per_epoch = 2;
  lab.train("mixed", c);
  c.domain_bn = true;
  lab.train("apart", c);
  for (const char* run : {"mixed", "apart"})
    for (const double value : lab.column(run, "loss")) CHECK(std::isfinite(value));
  // Statistics by domain are no part of the result.
  const TrainedModel trained = load_trained(lab.path("apart"));
  const std::string file = lab.path("weights.safetensors");
  write_backbone(file, trained);
  for (const auto& entry : load_weights(file).tensors) CHECK(!has(entry.first, "domain_"));
}

TEST_CASE("the weight file holds the body under torchvision's names, and training starts from it") {
  const Lab lab;
  TrainConfig c = lab.config;
  c.ema = 0.5;
  c.embedding = 8;
  lab.train("run", c);
  const TrainedModel trained = load_trained(lab.path("run"));
  const std::string file = lab.path("weights.safetensors");
  const int64_t written = write_backbone(file, trained);
  const Weights weights = load_weights(file);
  CHECK(static_cast<int64_t>(weights.tensors.size()) == written);
  CHECK(weights.metadata.at("cytograd.model") == "resnet20");
  CHECK(weights.metadata.at("cytograd.method") == "simclr");
  const Checkpoint last = read_checkpoint(lab.last("run"));
  int64_t body = 0;
  for (const auto& entry : last.part("")) {
    const std::string& name = entry.first;
    CAPTURE(name);
    const int64_t stage = models::stage_of(name);
    CHECK(weights.tensors.contains(name) == (stage >= 0));
    if (stage < 0) continue;
    ++body;
    // The averages, where they are kept.
    const auto averaged = last.tensors.find("ema/" + name);
    const Tensor& expected = averaged == last.tensors.end() ? entry.second : averaged->second;
    CHECK(weights.tensors.at(name).shape() == expected.shape());
    CHECK(weights.tensors.at(name).to_vector<double>() == expected.to_vector<double>());
  }
  CHECK(body == written);

  TrainConfig tuned = lab.config;
  tuned.method = "ce";
  tuned.augment = "light";
  tuned.weights = file;
  tuned.epochs = 1;
  const Task task = load_task(tuned, {});
  Trainer trainer(tuned, task);
  CHECK(trainer.load_weights(file).empty());
  for (const auto& entry : nn::to_torch_layout(trainer.model().state_dict()))
    if (models::stage_of(entry.first) >= 0)
      CHECK(entry.second.to_vector<double>() ==
            weights.tensors.at(entry.first).to_vector<double>());
  // Another network is refused.
  tuned.model = "resnet18";
  Trainer other(tuned, task);
  CHECK_THROWS_WITH_AS(other.load_weights(file), doctest::Contains("pt.keys"), DataError);
}

TEST_CASE("simclr: a collapse is told once") {
  const Lab lab;
  TrainConfig c = lab.config;
  const Task task = load_task(c, {});
  const auto counts = class_counts(task.dataset, task.split.train);
  const auto method = make_method({c, static_cast<int64_t>(counts.size()), 1, 64, Device::cpu(),
                                   counts, task.dataset.classes, task.dataset.domains});
  const std::map<std::string, double> good = {{"spread", 0.8}}, bad = {{"spread", 0.01}},
                                      unknown = {{"spread", std::nan("")}};
  CHECK(method->remarks(bad).empty());  // untrained
  CHECK(method->remarks(good).empty());
  CHECK(method->remarks(unknown).empty());
  const auto said = method->remarks(bad);
  REQUIRE(said.size() == 1);
  CHECK(has(said[0], "collapse"));
  CHECK(has(said[0], "0.010"));
  CHECK(method->remarks(bad).empty());
}

TEST_CASE("cfg: what simclr and drawn cells refuse") {
  CHECK(refusal([](TrainConfig&) {}).empty());
  CHECK(has(refusal([](TrainConfig& c) { c.batch = 1; }), "two images or more"));
  CHECK(has(refusal([](TrainConfig& c) { c.patience = 3; }), "train.patience"));
  CHECK(has(refusal([](TrainConfig& c) { c.augment = "none"; }), "input.augment none"));
  CHECK(refusal([](TrainConfig& c) { c.augment = "none", c.hue = 0.1; }).empty());
  CHECK(has(refusal([](TrainConfig& c) { c.growing = true; }), "growing"));
  CHECK(has(refusal([](TrainConfig& c) { c.val_classifier = "head"; }), "head"));
  CHECK(has(refusal([](TrainConfig& c) { c.synthetic = 10; }), "at least 60"));
  CHECK(
      has(refusal([](TrainConfig& c) { c.synthetic = 100, c.method = "erm", c.order = "domains"; }),
          "one domain"));
  // One image has nothing to be told from.
  const Lab lab({1});
  TrainConfig c = lab.config;
  c.val_fraction = 0;
  const Task task = load_task(c, {});
  CHECK_THROWS_WITH_AS(Trainer(c, task), doctest::Contains("two or more"), ConfigError);
}

TEST_CASE("cfg: simclr brings settings of its own") {
  ResolvedConfig out;
  set_config(out, config_field("method.name"), "simclr", "test");
  set_config(out, config_field("train.epochs"), "40", "test");
  apply_method_defaults(out);
  check_config(out.config);
  CHECK(out.config.augment == "views");
  CHECK(out.config.batch == 128);
  CHECK(out.config.epochs == 40);
  CHECK(out.config.warmup_epochs == 2);
  CHECK(out.config.temperature == 0.2);
  CHECK(out.config.test_fraction == 0);
  CHECK(out.config.schedule == "cosine");
  CHECK(self_supervised(out.config));
  CHECK(is_pretraining(out.config));
  CHECK(!has_head(out.config));
  CHECK(!is_pretraining(TrainConfig{}));
}

TEST_CASE("drawn cells: once, the same bytes, and a network learns from them") {
  const TempFolder folder;
  TrainConfig c;
  c.synthetic = 60;
  c.seed = 4;
  c.image_size = 16;
  c.model = "resnet20";
  c.epochs = 1;
  c.data = {folder / "drawn/manifest.csv"};
  draw_world(c);
  const std::string manifest = read_file(c.data[0]);
  const Task task = load_task(c, {});
  CHECK(task.dataset.size() == 60);
  CHECK(task.dataset.classes.size() == 15);
  CHECK(!task.split.test.empty());
  CHECK(world_image_size(c) == 32);
  const std::string picture = task.dataset.samples[7].path, pixels = read_file(picture);
  // What is complete stays; what is drawn again is the same.
  write_file_atomically(picture, "x");
  draw_world(c);
  CHECK(read_file(picture) == "x");
  fs::remove_all(folder / "drawn");
  draw_world(c);
  CHECK(read_file(c.data[0]) == manifest);
  CHECK(read_file(picture) == pixels);
  Trainer trainer(c, task);
  const RunFolder run = RunFolder::create(folder / "run", false);
  run.prepare();
  CHECK_NOTHROW(trainer.run(run, {}));
  // Nobody's files are touched.
  fs::create_directories(folder / "mine");
  write_file_atomically(folder / "mine/photo.jpg", "x");
  c.data = {folder / "mine/manifest.csv"};
  CHECK_THROWS_AS(draw_world(c), FileError);
  CHECK(fs::exists(folder / "mine/photo.jpg"));
}
