#include "cytograd/train/trainer.h"

#include <doctest/doctest.h>

#include <map>

#include "cytograd/core/cuda.h"
#include "cytograd/io/file.h"
#include "support/program.h"
#include "support/stained_cells.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

TrainConfig small_config(const std::string& data) {
  TrainConfig c;
  c.data = {data};
  c.model = "resnet20";
  c.image_size = 8;
  c.epochs = 2;
  c.batch = 4;
  c.device = "cuda";
  c.augment = "full";
  c.ema = 0.9;
  c.clip_norm = 0.5;
  c.label_smoothing = 0.1;
  return c;
}

struct Outcome {
  std::string metrics, weights;
  std::vector<std::string> notes;
  std::vector<double> losses;
};

Outcome train(const std::string& run, const TrainConfig& config) {
  const Task task = load_task(config, {});
  Trainer trainer(config, task);
  RunFolder folder = RunFolder::create(run, false);
  folder.prepare();
  Outcome out;
  TrainHooks hooks;
  hooks.step = [&](const StepInfo& s) { out.losses.push_back(s.loss); };
  hooks.note = [&](const std::string& text) { out.notes.push_back(text); };
  trainer.run(folder, hooks);
  out.metrics = read_file(folder.file("metrics.csv"));
  out.weights = read_file(folder.path() + "/checkpoints/last");
  return out;
}

}  // namespace

TEST_CASE("a recorded step gives the bytes of single kernels") {
  const TempFolder folder;
  const std::string data = folder / "data";
  test::write_discs(data, {"large", "small"}, 9, 12);
  for (const char* optimizer : {"adamw", "sgd"}) {
    TrainConfig config = small_config(data);
    config.optimizer = optimizer;
    const std::string name = optimizer;
    const Outcome replayed = train(folder / (name + "1"), config);
    config.capture = false;
    const Outcome eager = train(folder / (name + "2"), config);
    CHECK(replayed.losses.size() > 4);
    CHECK(replayed.losses == eager.losses);
    CHECK(replayed.metrics == eager.metrics);
    CHECK(replayed.notes.empty());
    // Checkpoints hold their settings, which differ.
    CHECK(replayed.weights.size() > 1000000);
    const TensorMap a = read_checkpoint(folder / (name + "1/checkpoints/last")).tensors,
                    b = read_checkpoint(folder / (name + "2/checkpoints/last")).tensors;
    CHECK(a.size() == b.size());
    for (const auto& entry : a) {
      INFO(entry.first);
      CHECK(entry.second.to_vector<double>() == b.at(entry.first).to_vector<double>());
    }
  }
}

TEST_CASE("what cannot be recorded runs kernel by kernel and says why") {
  const TempFolder folder;
  const std::string data = folder / "data";
  test::write_discs(data, {"large", "small"}, 8, 12);
  TrainConfig config = small_config(data);
  config.epochs = 1;
  config.method = "triplet";
  config.embedding = 4;
  const Outcome out = train(folder / "run", config);
  REQUIRE(out.notes.size() == 1);
  CHECK(out.notes[0].find("triplet looks at values") != std::string::npos);
}

TEST_CASE("training images that are changed on the host or the device train alike") {
  const TempFolder folder;
  const std::string data = folder / "data";
  test::write_discs(data, {"large", "small"}, 9, 12);
  TrainConfig config = small_config(data);
  config.epochs = 1;
  std::map<std::string, Outcome> out;
  for (const char* where : {"host", "device", "auto"}) {
    config.augment_on = where;
    out[where] = train(folder / where, config);
  }
  CHECK(out["device"].losses == out["auto"].losses);
  REQUIRE(out["host"].losses.size() == out["device"].losses.size());
  for (size_t i = 0; i < out["host"].losses.size(); ++i)
    CHECK(out["host"].losses[i] == doctest::Approx(out["device"].losses[i]).epsilon(1e-3));
  config.device = "cpu";
  config.augment_on = "device";
  const Task task = load_task(config, {});
  CHECK_THROWS_WITH_AS(Trainer(config, task), doctest::Contains("augment_on device on the CPU"),
                       ConfigError);
}

TEST_CASE("methods over domains train on the device as on the host") {
  const TempFolder folder;
  TrainConfig config = small_config("");
  config.data = test::write_labs(folder.path().string(), {{4, 4}, {5, 3}}, 16);
  config.order = "domains";
  config.batch = 2;
  config.steps_per_epoch = 3;
  config.epochs = 1;
  config.test_fraction = config.val_fraction = 0;
  config.label_smoothing = 0;
  config.augment = "none";
  config.boda_start = config.feat_freq = 1;
  const std::vector<std::string> methods = {"coral", "dann", "boda"};
  for (const std::string& method : methods) {
    CAPTURE(method);
    config.method = method;
    config.domain_bn = method == "dann";
    config.device = "cuda";
    const Outcome device = train(folder / (method + "-device"), config);
    // What coral does in a step is always the same.
    CHECK(device.notes.empty() == (method == "coral"));
    config.capture = false;
    const Outcome eager = train(folder / (method + "-eager"), config);
    config.capture = true;
    CHECK(device.losses == eager.losses);
    CHECK(device.metrics == eager.metrics);
    config.device = "cpu";
    const Outcome host = train(folder / (method + "-host"), config);
    REQUIRE(host.losses.size() == 3);
    for (size_t i = 0; i < 3; ++i)
      CHECK(device.losses[i] == doctest::Approx(host.losses[i]).epsilon(5e-3));
  }
}

TEST_CASE("methods without labels train on the device as on the host") {
  const TempFolder folder;
  const std::string data = folder / "data";
  test::write_discs(data, {"large", "small"}, 8, 16);
  TrainConfig config = small_config(data);
  config.augment = "light";
  config.test_fraction = config.val_fraction = 0;
  config.label_smoothing = 0;
  config.projection = 8;
  const std::vector<std::string> methods = {"simclr", "byol"};
  for (const std::string& method : methods) {
    CAPTURE(method);
    config.method = method;
    config.device = "cuda";
    const Outcome device = train(folder / (method + "-device"), config);
    // The step of simclr is always the same; the copy in byol follows by a changing share.
    CHECK(device.notes.empty() == (method == "simclr"));
    config.capture = false;
    const Outcome eager = train(folder / (method + "-eager"), config);
    config.capture = true;
    CHECK(device.losses == eager.losses);
    CHECK(device.metrics == eager.metrics);
    config.device = "cpu";
    const Outcome host = train(folder / (method + "-host"), config);
    REQUIRE(host.losses.size() == 8);
    // Both views of an image are what the host shows; later steps add up what rounds differently.
    for (size_t i = 0; i < 3; ++i)
      CHECK(device.losses[i] == doctest::Approx(host.losses[i]).epsilon(2e-2));
  }
}
