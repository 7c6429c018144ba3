#include "cytograd/multimodal/trainer.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/safetensors.h"
#include "cytograd/losses/alignment.h"
#include "cytograd/train/stop.h"
#include "multimodal/fake_cells.h"

using namespace cytograd;
using namespace cytograd::test;
namespace fs = std::filesystem;

namespace {

const std::vector<std::string> kinds = {"monocyte", "neutrophil", "myeloblast"};

TrainingData rna_only(bool reference = false) {
  TrainingData out;
  out.rna = fake_rna(kinds, 72, reference);
  return out;
}

TrainingData both() {
  TrainingData out = rna_only();
  out.images = fake_images(kinds, 32);
  out.map = equal_map(kinds);
  return out;
}

std::vector<double> column(const std::string& file, const std::string& name) {
  const CsvTable table = read_csv(file);
  std::vector<double> out;
  for (size_t row = 0; row < table.rows(); ++row) {
    const std::string text(table.at(row, table.column(name)));
    out.push_back(text == "n/a" ? std::nan("") : std::stod(text));
  }
  return out;
}

void check_same(const std::string& a, const std::string& b, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    CAPTURE(name);
    CHECK(read_file(a + "/" + name) == read_file(b + "/" + name));
  }
}

// A process that dies after a step, and one that is asked to stop there.
struct Killed {};
StageHooks ending_at(const std::string& stage, int64_t step, bool asked) {
  return [=](const std::string& name) {
    TrainHooks hooks;
    hooks.step = [=](const StepInfo& info) {
      if (name != stage || info.step != step) return;
      if (asked) throw StopRequested("stopped", 143);
      throw Killed{};
    };
    return hooks;
  };
}

template <class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("RNA alone trains, ends the same after a stop or a kill, and for other threads") {
  const TempFolder folder;
  const RunConfig config = fake_config();
  const TrainingData data = rna_only(true);
  const std::vector<std::string> files = {
      "rna.csv", "rna.safetensors", "latents.safetensors",  "cells.json",          "results.json",
      "DONE",    "config.toml",     "checkpoints/rna/last", "checkpoints/rna/best"};
  const std::string whole = folder / "whole";
  const auto results = nlohmann::json::parse(train_in(whole, config, data));
  const std::vector<double> loss = column(whole + "/rna.csv", "loss");
  REQUIRE(loss.size() == 3);
  CHECK(loss[2] < loss[0]);
  // 54 training cells in batches of 16.
  CHECK(column(whole + "/rna.csv", "step") == std::vector<double>{4, 8, 12});
  CHECK(column(whole + "/rna.csv", "cosine")[2] < column(whole + "/rna.csv", "cosine")[0]);
  CHECK(results["rna"]["part"] == "test");
  CHECK_FALSE(results.contains("image"));
  CHECK_FALSE(fs::exists(whole + "/map.toml"));

  // In the middle of the second epoch, with a checkpoint there; and then killed without one.
  const std::string stopped = folder / "stopped";
  CHECK_THROWS_AS(train_in(stopped, config, data, ending_at("rna", 6, true)), StopRequested);
  CHECK(fs::exists(stopped + "/checkpoints/rna/step-00000006.safetensors"));
  CHECK_FALSE(fs::exists(stopped + "/DONE"));
  CHECK_THROWS_AS(train_in(stopped, config, data, ending_at("rna", 11, false)), Killed);
  train_in(stopped, config, data);
  check_same(whole, stopped, files);

  const int threads = num_threads();
  set_num_threads(threads == 1 ? 2 : 1);
  train_in(folder / "threads", config, data);
  set_num_threads(threads);
  check_same(whole, folder / "threads", files);
}

TEST_CASE("images are aligned with fixed RNA latents, resumable in both stages") {
  const TempFolder folder;
  const RunConfig config = fake_config();
  const TrainingData data = both();
  const std::string whole = folder / "whole";
  const auto results = nlohmann::json::parse(train_in(whole, config, data));
  const SafeTensors latents = read_safetensors(whole + "/latents.safetensors");

  // The targets are the moments of all training cells of a class, in evaluation mode.
  std::vector<int64_t> rows;
  for (const int64_t row : data.rna->rows("train"))
    if (data.rna->labels[static_cast<size_t>(row)] == 1) rows.push_back(row);
  const Tensor index = Tensor::from(rows);
  const losses::ClassMoments moments =
      losses::posterior_moments(index_select(latents.tensors.at("rna.mu"), 0, index),
                                index_select(latents.tensors.at("rna.log_var"), 0, index));
  CHECK(latents.tensors.at("moments.neutrophil.mean").to_vector<float>() ==
        moments.mean.to_vector<float>());
  CHECK(latents.tensors.at("moments.neutrophil.covariance").to_vector<float>() ==
        moments.covariance.to_vector<float>());
  for (const auto& pair : results["pairs"]) CHECK(pair["skipped"] == 0);
  for (const std::string& name : kinds)
    for (const double d : column(whole + "/image.csv", "mean_distance:" + name)) CHECK(d > 0);
  const std::vector<double> image = column(whole + "/image.csv", "image");
  CHECK(image[1] < image[0]);
  CHECK(column(whole + "/image.csv", "empty_masks") == std::vector<double>{0, 0});

  // What the RNA side learned is what it learns alone: no gradient of an image reaches it.
  train_in(folder / "alone", config, rna_only());
  check_same(whole, folder / "alone", {"rna.safetensors", "rna.csv"});

  const std::string stopped = folder / "stopped";
  CHECK_THROWS_AS(train_in(stopped, config, data, ending_at("rna", 5, false)), Killed);
  CHECK_THROWS_AS(train_in(stopped, config, data, ending_at("image", 1, true)), StopRequested);
  set_num_threads(num_threads() == 1 ? 2 : 1);
  train_in(stopped, config, data);
  set_num_threads(num_threads() == 1 ? 2 : 1);
  check_same(whole, stopped,
             {"rna.csv", "image.csv", "rna.safetensors", "image.safetensors", "map.toml",
              "latents.safetensors", "results.json", "checkpoints/image/last"});
}

TEST_CASE("classes that are often left out are counted and warned of") {
  const TempFolder folder;
  RunConfig config = fake_config();
  config.training.balanced = false;
  config.training.image.epochs = 1;
  config.training.image.batch = 8;
  config.training.rna.epochs = 1;
  config.training.min_per_class = 6;  // all of a class, in a batch of eight
  TrainingData data = both();
  data.images = fake_images(kinds, 24);
  const auto moments = nlohmann::json::parse(train_in(folder / "moments", config, data));
  for (const auto& pair : moments["pairs"]) CHECK(pair["skipped"].get<double>() > 0.5);
  CHECK(moments["status"] == "warning");
  CHECK(contains(moments["warnings"].dump(), "pass --balanced-batches true"));
  CHECK(std::isnan(column(folder / "moments/image.csv", "mean_distance:monocyte")[0]));
  // 18 training cells: three steps, in which no class had six cells.
  CHECK(column(folder / "moments/image.csv", "skipped") == std::vector<double>{9});
  CHECK(column(folder / "moments/image.csv", "alignment") == std::vector<double>{0});

  config.training.align = "mmd";
  config.training.min_per_class = 2;
  const auto mmd = nlohmann::json::parse(train_in(folder / "mmd", config, data));
  CHECK(column(folder / "mmd/image.csv", "mmd:monocyte")[0] > 0);

  // What the means of two cells miss by chance is not counted.
  const auto first_distance = [&](const std::string& align) {
    config.training.align = align;
    const std::string run = folder / ("of two, " + align);
    train_in(run, config, data);
    return column(run + "/image.csv", "mean_distance:monocyte")[0];
  };
  CHECK(first_distance("moments_unbiased") < first_distance("moments"));
}

TEST_CASE("the published coefficients collapse, and the run says so") {
  const TempFolder folder;
  RunConfig config = fake_config();
  config.training = preset_options("rna_published");
  config.training.rna.epochs = 12;
  config.training.rna.batch = 8;
  const auto results = nlohmann::json::parse(train_in(folder / "run", config, rna_only()));
  CHECK(results["rna"]["quality"]["active_units"] == 0);
  CHECK(results["rna"]["quality"]["collapsed"] == true);
  CHECK(contains(results["warnings"].dump(), "the latent of the RNA VAE collapsed"));
}

TEST_CASE("data that cannot be trained on are refused, naming the side") {
  const TempFolder folder;
  int runs = 0;
  const auto error_of = [&](const TrainingData& data, const RunConfig& config = fake_config()) {
    return message_of([&] { train_in(folder / std::to_string(runs++), config, data); });
  };
  CHECK(contains(error_of({}), "at least one side"));
  TrainingData data = both();
  data.map.pairs[0].rna = {"Monocytes"};
  CHECK(contains(error_of(data), "[class.unmapped]"));
  data = both();
  data.map.pairs[1].image = {"basophil"};
  data.images->classes.push_back("basophil");
  CHECK(contains(error_of(data), "pair neutrophil: 0 training cells on the side of the images"));
  data = both();
  bool first = true;
  for (int64_t& label : data.rna->labels)
    if (label == 2 && !std::exchange(first, false)) label = 0;
  CHECK(contains(error_of(data), "pair myeloblast: 1 training cells on the side of the RNA"));
  data = rna_only();
  data.rna->reference = Tensor::zeros({72, 30});
  CHECK(contains(error_of(data), "reference latents [72, 30]; expected [72, 50]"));
  data = rna_only();
  data.rna->split.assign(72, "val");
  CHECK(contains(error_of(data), "[data.empty]"));

  // NaN in one cell: step, cells and terms are named, and what was there stays good.
  data = rna_only();
  const auto good = data.rna->batch;
  data.rna->batch = [good](const std::vector<int64_t>& rows) {
    const Tensor x = good(rows);
    for (size_t i = 0; i < rows.size(); ++i)
      if (rows[i] == 5)
        x.data<float>()[i * static_cast<size_t>(fake_genes)] =
            std::numeric_limits<float>::quiet_NaN();
    return x;
  };
  RunConfig config = fake_config();
  config.training.rna.batch = 54;
  const std::string text = error_of(data, config);
  CHECK(contains(text, "diverged at epoch 1, step 1: loss nan mse nan kl nan"));
  CHECK(contains(text, "first value that is not finite in the input x; cells rna-"));
  CHECK(contains(text, "batch saved to "));
  CHECK(contains(text, "[nan]"));
}

TEST_CASE("a run goes on with its own settings and cells only") {
  const TempFolder folder;
  RunConfig config = fake_config();
  const TrainingData data = rna_only();
  CHECK_THROWS_AS(train_in(folder / "run", config, data, ending_at("rna", 5, true)), StopRequested);
  config.training.rna.lr = 2e-3;
  CHECK(contains(message_of([&] { train_in(folder / "run", config, data); }),
                 "settings that this run was not begun with"));
  TrainingData other = rna_only();
  other.rna->hash = "others";
  CHECK(contains(message_of([&] { train_in(folder / "run", fake_config(), other); }), "[change]"));
}
