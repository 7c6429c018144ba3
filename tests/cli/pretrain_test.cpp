#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "lab.h"

using namespace cytograd;
using test::cyto;
using test::Lab;
using test::Words;
namespace fs = std::filesystem;

namespace {

Words pretrain(const std::string& run, const Words& data, const Words& more = {}) {
  Words out = {"pretrain"};
  out.insert(out.end(), data.begin(), data.end());
  for (const char* word : {"--output", run.c_str(), "--model", "resnet20", "--image-size", "16",
                           "--batch", "8", "--epochs", "3", "--projection", "16"})
    out.emplace_back(word);
  out.insert(out.end(), more.begin(), more.end());
  return out;
}

Words start_from(const Lab& lab, const std::string& run, const std::string& weights) {
  return lab.train(run, {"--epochs", "1", "--weights", weights});
}

}  // namespace

TEST_CASE("pretrain: images without labels become weights that training starts from") {
  const Lab lab;
  const std::string loose = lab.folder / "loose", run = lab.folder / "body",
                    weights = run + "/weights.safetensors";
  fs::create_directories(loose);
  int k = 0;
  for (const auto& entry : fs::recursive_directory_iterator(lab.data))
    if (entry.is_regular_file())
      fs::copy_file(entry.path(), loose + "/" + std::to_string(k++) + ".png");
  const auto done = cyto(pretrain(run, {"--data", loose}, {"--json"}));
  REQUIRE_MESSAGE(done.exit == 0, done.err);
  const auto result = nlohmann::json::parse(done.out);
  CHECK(result["weights"] == weights);
  CHECK(result["epochs"] == 3);
  CHECK(result["loss"].is_number());
  CHECK(result["spread"].is_number());
  CHECK(result["knn_accuracy"].is_null());
  CHECK(result["tensors"] > 50);
  for (const char* name : {"DONE", "results.json", "config.toml", "metrics.csv"})
    CHECK_MESSAGE(lab.has("body", name), name);
  CHECK(!lab.has("body", "checkpoints/best"));
  CHECK(done.err.find("--weights") != std::string::npos);

  const auto tuned = cyto(start_from(lab, "tuned", weights));
  CHECK_MESSAGE(tuned.exit == 0, tuned.err);
  // There is nothing to eval or predict with.
  const auto predicted = cyto({"predict", "--run", run, loose + "/0.png"});
  CHECK(predicted.exit == 2);
  CHECK(predicted.err.find("--weights") != std::string::npos);
  // Finished, existing, foreign.
  CHECK(cyto({"pretrain", "--resume", run}).exit == 0);
  CHECK(cyto(pretrain(run, {"--data", loose})).exit == 4);
  CHECK(cyto(pretrain(run, {"--data", loose}, {"--force", "--epochs", "1"})).exit == 0);
  CHECK(cyto(pretrain(loose, {"--data", loose})).exit == 4);
}

TEST_CASE("pretrain: labels watch, and may be asked to judge") {
  const Lab lab;
  const std::string run = lab.folder / "body";
  const auto done = cyto(pretrain(run, {"--data", lab.data}, {"--val-fraction", "0.2"}));
  REQUIRE_MESSAGE(done.exit == 0, done.err);
  CHECK(done.out.find("knn_accuracy  ") != std::string::npos);
  CHECK(done.out.find("knn_accuracy  n/a") == std::string::npos);
  CHECK(done.err.find("kNN accuracy") != std::string::npos);
  const auto judged = cyto(pretrain(lab.folder / "judged", {"--data", lab.data},
                                    {"--posthoc", "--classifier", "knn", "--json"}));
  REQUIRE_MESSAGE(judged.exit == 0, judged.err);
  CHECK(nlohmann::json::parse(judged.out)["split"] == "val");
  CHECK(lab.has("judged", "weights.safetensors"));
  CHECK(lab.has("judged", "report/index.html"));
}

TEST_CASE("pretrain: drawn cells, with labels and without") {
  const Lab lab;
  const std::string run = lab.folder / "drawn";
  const Words drawn = {"--synthetic", "90"};
  const auto done = cyto(pretrain(run, drawn, {"--json"}));
  REQUIRE_MESSAGE(done.exit == 0, done.err);
  CHECK(nlohmann::json::parse(done.out)["split"] == "test");
  for (const char* name : {"drawn/manifest.csv", "weights.safetensors", "checkpoints/best"})
    CHECK_MESSAGE(lab.has("drawn", name), name);
  const auto tuned = cyto(start_from(lab, "tuned", run + "/weights.safetensors"));
  CHECK_MESSAGE(tuned.exit == 0, tuned.err);
  CHECK(cyto({"eval", "--run", run}).exit == 0);
  const std::string manifest = lab.file("drawn", "drawn/manifest.csv");
  const auto again = cyto(pretrain(run, drawn, {"--force", "--method", "simclr"}));
  REQUIRE_MESSAGE(again.exit == 0, again.err);
  CHECK(lab.file("drawn", "drawn/manifest.csv") == manifest);
  CHECK(!lab.has("drawn", "checkpoints/best"));
  // The settings repeat the run elsewhere, with cells of its own.
  const auto copy =
      cyto({"pretrain", "--config", run + "/config.toml", "--output", lab.folder / "copy"});
  REQUIRE_MESSAGE(copy.exit == 0, copy.err);
  CHECK(lab.has("copy", "drawn/manifest.csv"));
  CHECK(lab.file("copy", "weights.safetensors") == lab.file("drawn", "weights.safetensors"));
  CHECK(lab.file("copy", "metrics.csv") == lab.file("drawn", "metrics.csv"));
}

TEST_CASE("pretrain goes on after SIGTERM and SIGKILL with the same bytes") {
  const Lab lab;
  const std::vector<std::string> names = {"metrics.csv", "checkpoints/last", "weights.safetensors"};
  // Always the same folder: a checkpoint names that of the drawn cells.
  const std::string path = lab.folder / "body";
  std::vector<std::string> whole;
  for (const bool drawn : {false, true}) {
    CAPTURE(drawn);
    const Words data = drawn ? Words{"--synthetic", "90"} : Words{"--data", lab.data};
    const Words longer = {"--epochs", "6"};
    fs::remove_all(path);
    const auto done = cyto(pretrain(path, data, longer));
    REQUIRE_MESSAGE(done.exit == 0, done.err);
    whole.clear();
    for (const std::string& name : names) whole.push_back(lab.file("body", name));
    for (const int sent : {SIGTERM, SIGKILL}) {
      CAPTURE(sent);
      fs::remove_all(path);
      test::Program program(pretrain(path, data, longer), lab.folder.path().string());
      test::wait_for_epoch(path);
      program.send(sent);
      program.wait();
      const auto rest = cyto({"pretrain", "--resume", path});
      REQUIRE_MESSAGE(rest.exit == 0, rest.err);
      for (size_t k = 0; k < names.size(); ++k) {
        CAPTURE(names[k]);
        CHECK((lab.file("body", names[k]) == whole[k]));
      }
    }
  }
  // Stopped while cells are drawn: what is there is not taken for whole.
  fs::remove(path + "/drawn/manifest.csv");
  for (const char* name : {"checkpoints", "DONE", "weights.safetensors", "metrics.jsonl"})
    fs::remove_all(path + "/" + name);
  fs::create_directory(path + "/checkpoints");
  const auto rest = cyto({"pretrain", "--resume", path});
  REQUIRE_MESSAGE(rest.exit == 0, rest.err);
  CHECK((lab.file("body", "weights.safetensors") == whole.back()));
}

TEST_CASE("pretrain: what is refused") {
  const Lab lab;
  const std::string run = lab.folder / "body";
  const auto refused = [&](const Words& data, const Words& more, const std::string& text) {
    CAPTURE(text);
    const auto result = cyto(pretrain(run, data, more));
    CHECK(result.exit == 2);
    CHECK_MESSAGE(result.err.find(text) != std::string::npos, result.err);
    CHECK(!fs::exists(run + "/config.toml"));
  };
  const Words data = {"--data", lab.data};
  refused({}, {}, "no data set");
  refused(data, {"--synthetic", "90"}, "exclude each other");
  refused(data, {"--method", "ce"}, "cyto train");
  refused(data, {"--batch", "1"}, "two images or more");
  refused(data, {"--augment", "none"}, "input.augment none");
  refused({"--synthetic", "5"}, {}, "at least 60");
  refused({"--synthetic", "90"}, {"--dry-run"}, "--dry-run");
  refused({"--synthetic", "90"}, {"--method", "boda"}, "one domain");
  const std::string one = lab.folder / "one";
  fs::create_directories(one);
  fs::copy_file(lab.data + "/tiny/0.png", one + "/0.png");
  refused({"--data", one}, {}, "two or more");
  // A run of a grid is scored by labels.
  const auto grid = cyto({"crossval", "--data", lab.data, "--method", "simclr", "--output",
                          lab.folder / "grid", "--model", "resnet20", "--image-size", "16"});
  CHECK(grid.exit == 2);
  CHECK(grid.err.find("is a pretraining") != std::string::npos);
  CHECK(cyto(pretrain(run, data, {"--dry-run"})).exit == 0);
  CHECK(!fs::exists(run));
  const auto help = cyto({"help", "pretrain"});
  CHECK(help.exit == 0);
  CHECK(help.out.find("--synthetic") != std::string::npos);
}
