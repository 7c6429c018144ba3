#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>

#include "cli/multimodal_world.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/image.h"

using namespace cytograd;
using test::cyto;
using test::kinds;
using test::Words;
using test::World;
namespace fs = std::filesystem;

namespace {

using Json = nlohmann::json;

// Decoded images of cells: a data set that `cyto train` reads.
void check_decoded(const World& world) {
  const std::string shown = world.folder / "decoded";
  Words words = {"multimodal", "embed", "--run", world.folder / "run",
                 "--pictures", shown,   "-o",    world.folder / "cells.h5ad"};
  const auto with = [&](Words more) {
    more.insert(more.begin(), words.begin(), words.end());
    return cyto(more);
  };
  const auto misplaced = with({"--rna", world.folder / "rna.h5ad"});
  CHECK(misplaced.exit == 2);
  CHECK(misplaced.err.find("--pictures goes with --images") != std::string::npos);

  const Words images = {"--images", world.folder / "cells.h5", "--image-labels",
                        world.folder / "labels.csv", "--force"};
  fs::create_directories(shown);
  write_file_atomically(shown + "/mine.txt", "");
  const auto taken = with({images.begin(), images.end() - 1});
  CHECK(taken.exit == 4);
  CHECK(taken.err.find("the folder is not empty") != std::string::npos);
  CHECK_FALSE(fs::exists(world.folder / "cells.h5ad"));
  write_file_atomically(shown + "/000061.png", "of an earlier call");
  const auto decoded = with(images);
  REQUIRE_MESSAGE(decoded.exit == 0, decoded.err);
  CHECK(fs::exists(shown + "/mine.txt"));
  CHECK_FALSE(fs::exists(shown + "/000061.png"));
  CHECK(read_image(shown + "/000060.png").width == 128);
  const CsvTable pictures = read_csv(shown + "/cells.csv");
  CHECK(pictures.rows() == 60);
  CHECK(pictures.at(0, pictures.column("label")) == kinds[0]);
  std::map<std::string, int> parts;  // as the run was trained
  for (size_t i = 0; i < pictures.rows(); ++i)
    ++parts[std::string(pictures.at(i, pictures.column("split")))];
  CHECK(parts.size() == 3);
  CHECK(parts["train"] > parts["test"]);
  const auto read = cyto({"data", shown, "--json"});
  CHECK_MESSAGE(read.exit == 0, read.err);
}

// Decoded frames as a classifier of pictures sees them.
void check_classified(const World& world) {
  for (size_t kind = 0; kind < kinds.size(); ++kind)
    for (int64_t i = 0; i < 6; ++i) {
      Image image(32, 32, 3);
      for (int64_t k = 0; k < 32 * 32 * 3; ++k)
        image.at(k / 96, k / 3 % 32)[k % 3] =
            static_cast<uint8_t>(60 * static_cast<int64_t>(kind) + (k + i) % 7);
      const std::string to = world.folder / "pictures" + "/" + kinds[kind];
      fs::create_directories(to);
      write_png(to + "/" + std::to_string(i) + ".png", image);
    }
  const auto trained =
      cyto({"train", "--data", world.folder / "pictures", "--model", "resnet18", "--image-size",
            "32", "--epochs", "1", "--batch", "8", "-o", world.folder / "classifier"});
  REQUIRE_MESSAGE(trained.exit == 0, trained.err);
  Words words = world.path("run", "seen", {"--force", "--points", "12", "--no-drivers"});
  words.insert(words.end(), {"--classifier", world.folder / "classifier"});
  const auto seen = cyto(words);
  REQUIRE_MESSAGE(seen.exit == 0, seen.err);
  CHECK(world.has("seen", "frames/000.png"));
  CHECK(world.has("seen", "frames/011.png"));
  CHECK_FALSE(world.has("seen", "frames/012.png"));
  const CsvTable stages = read_csv(world.folder / "seen/stages.csv");
  REQUIRE(stages.rows() == 12);
  std::map<std::string, double> share;
  for (size_t row = 0; row < 12; ++row) {
    double sum = 0;
    for (const std::string& kind : kinds) {
      const double part = stages.number(row, stages.column("classifier_" + kind));
      share[kind] += part / 12;
      sum += part;
    }
    CHECK(sum == doctest::Approx(1).epsilon(1e-5));
  }
  const Json found = Json::parse(world.file("seen", "trajectory.json"));
  CHECK(found["stages"]["classifier"]["peak_t"].size() == 3);
  // Two stages at a time: it is noted where most is given to the third.
  for (const std::string& left_out : kinds) {
    std::string two;
    for (const std::string& kind : kinds)
      if (kind != left_out) two += (two.empty() ? "" : ",") + kind;
    Words asked = words;
    asked.insert(asked.end(), {"--stages", two});
    const auto result = cyto(asked);
    REQUIRE_MESSAGE(result.exit == 0, result.err);
    CHECK((result.err.find("for other classes than these stages") != std::string::npos) ==
          (share[left_out] > 0.5));
  }
  const auto refused = [&](const std::string& stages, int exit, const std::string& text) {
    Words asked = words;
    *std::find(asked.begin(), asked.end(), world.folder / "seen") = world.folder / "refused";
    asked.insert(asked.end(), {"--stages", stages});
    const auto result = cyto(asked);
    CHECK(result.exit == exit);
    CHECK(result.err.find(text) != std::string::npos);
    CHECK_FALSE(fs::exists(world.folder / "refused"));
  };
  refused("myelocyte", 2, "--stages expects two stages");
  refused("myelocyte,bnad", 3, "no images are of a stage \"bnad\"");
  REQUIRE(fs::remove_all(world.folder / "classifier") > 0);
  fs::remove_all(world.folder / "pictures/band");
  REQUIRE(cyto({"train", "--data", world.folder / "pictures", "--model", "resnet18", "--image-size",
                "32", "--epochs", "1", "--batch", "8", "-o", world.folder / "classifier"})
              .exit == 0);
  refused("myelocyte,band", 3, "no class of the stage \"band\"");
}

// The masks of cells are not in the run.
void check_moved(const World& world) {
  fs::rename(world.folder / "cells.h5", world.folder / "moved.h5");
  const auto path = [&](const std::string& to, const Words& more) {
    Words words = world.path("run", to, {"--force", "--points", "12", "--no-drivers"});
    words.insert(words.end(), more.begin(), more.end());
    return cyto(words);
  };
  const auto without = path("unmasked", {});
  CHECK(without.exit == 0);
  CHECK(without.err.find("is not there (--images names another)") != std::string::npos);
  CHECK_FALSE(world.has("unmasked", "morphology.csv"));
  CHECK(path("masked", {"--images", world.folder / "moved.h5"}).exit == 0);
  CHECK(world.has("masked", "morphology.csv"));
  CHECK(world.file("masked", "figure.svg").find(">pixels<") != std::string::npos);
  CHECK(
      path("scaled", {"--images", world.folder / "moved.h5", "--microns-per-pixel", "0.5"}).exit ==
      0);
  CHECK(world.file("scaled", "figure.svg").find(">µm²<") != std::string::npos);
  const CsvTable pixels = read_csv(world.folder / "masked/morphology.csv"),
                 microns = read_csv(world.folder / "scaled/morphology.csv");
  const auto area = pixels.column("cell_area");
  CHECK(microns.number(3, area) == doctest::Approx(0.25 * pixels.number(3, area)));
  const auto missing = path("refused", {"--images", world.folder / "cells.h5"});
  CHECK(missing.exit == 4);
  CHECK(missing.err.find("cells.h5: --images: no such file") != std::string::npos);
  CHECK_FALSE(fs::exists(world.folder / "refused"));
}

}  // namespace

TEST_CASE("cyto multimodal: train, embed, trajectory and report end to end") {
  const World world;
  const auto trained = cyto(world.train("run"));
  CAPTURE(trained.err);
  REQUIRE(trained.exit == 0);
  CHECK(trained.err.find("no --reference: the error of expression is taken as sum") !=
        std::string::npos);
  CHECK(world.file("run", "config.toml").find("reduction = 'sum'") != std::string::npos);
  for (const char* name : {"config.toml", "map.toml", "rna.csv", "image.csv", "rna.safetensors",
                           "image.safetensors", "latents.safetensors", "cells.json", "DONE"})
    CHECK_MESSAGE(world.has("run", name), name);
  const Json results = Json::parse(world.file("run", "results.json"));
  for (const char* side : {"rna", "image"}) {
    CHECK(results[side]["cells"] == (side == std::string("rna") ? 240 : 60));
    CHECK(results[side]["quality"]["active_units"].is_number());
    CHECK(results[side]["quality"]["r2_mu"].is_number());
    CHECK(results[side]["quality"]["collapsed"].is_boolean());
  }
  CHECK(results["pairs"].size() == 2);
  CHECK(results["pairs"][1]["delta"] == 1);
  CHECK(read_csv(world.folder / "run/rna.csv").rows() == 6);
  CHECK(read_csv(world.folder / "run/image.csv").rows() == 2);

  const auto embedded = cyto({"multimodal", "embed", "--run", world.folder / "run", "--rna",
                              world.folder / "rna.h5ad", "-o", world.folder / "z.h5ad"});
  const auto aimless = cyto({"multimodal", "embed", "--run", world.folder / "run", "-o", "x.h5ad"});
  CHECK(aimless.exit == 2);
  CHECK(aimless.err.find("expected one of --rna FILE and --images FILE.h5") != std::string::npos);
  CAPTURE(embedded.err);
  CHECK(embedded.exit == 0);
  CHECK(fs::exists(world.folder / "z.h5ad"));
  check_decoded(world);

  const auto path = cyto(world.path("run", "path", {"--force"}));
  CAPTURE(path.err);
  REQUIRE(path.exit == 0);
  for (const char* name : {"path.csv", "expression.csv", "fold.csv", "clusters.csv", "support.csv",
                           "drivers.csv", "figure.svg", "page.html"})
    CHECK_MESSAGE(world.has("path", name), name);
  CHECK(read_csv(world.folder / "path/support.csv").rows() == 100);
  const CsvTable drivers = read_csv(world.folder / "path/drivers.csv");
  CHECK(drivers.rows() == 60);
  for (const char* column : {"gene", "cluster", "change"}) drivers.column(column);
  CHECK(world.file("path", "figure.svg").find("<svg") != std::string::npos);

  check_classified(world);

  const auto report = cyto({"multimodal", "report", "--run", world.folder / "run", "--path",
                            world.folder / "path", "-o", world.folder / "report.html"});
  CAPTURE(report.err);
  CHECK(report.exit == 0);
  CHECK(read_file(world.folder / "report.html").find("</html>") != std::string::npos);

  check_moved(world);
}

TEST_CASE("cyto multimodal train: stopped and resumed, the bytes of an unbroken run") {
  const World world;
  REQUIRE(cyto(world.train("whole")).exit == 0);
  const TempFolder streams;
  test::Program program(world.train("broken"), streams.path().string());
  for (int i = 0; i < 4000 && !world.has("broken", "checkpoints/rna"); ++i) test::pause(0.005);
  program.send(SIGINT);
  const auto stopped = program.wait();
  CAPTURE(stopped.err);
  REQUIRE(stopped.exit == 130);
  CHECK_FALSE(world.has("broken", "DONE"));
  const auto resumed = cyto({"multimodal", "train", "--resume", world.folder / "broken"});
  CAPTURE(resumed.err);
  REQUIRE(resumed.exit == 0);
  for (const char* name : {"rna.safetensors", "image.safetensors", "latents.safetensors",
                           "results.json", "rna.csv", "image.csv"})
    CHECK_MESSAGE(world.file("whole", name) == world.file("broken", name), name);
}

TEST_CASE("cyto multimodal trajectory: a collapsed run is refused without --force") {
  const World world;
  // A divergence this dear leaves nothing of the cells in the latents.
  const auto trained = cyto(world.train("run", {"--rna-beta", "1000"}));
  CAPTURE(trained.err);
  REQUIRE(trained.exit == 0);
  const Json results = Json::parse(world.file("run", "results.json"));
  CHECK(results["status"] == "warning");
  CHECK(results["rna"]["quality"]["collapsed"] == true);
  const auto refused = cyto(world.path("run", "path"));
  CHECK(refused.exit != 0);
  CHECK(refused.err.find("[run.collapsed]") != std::string::npos);
  CHECK_FALSE(world.has("path", "figure.svg"));
}

TEST_CASE("cyto multimodal: bad input is one clear error") {
  const World world;
  const auto fails = [&](const Words& words, int exit, const std::string& text) {
    const auto result = cyto(words);
    CAPTURE(result.err);
    CHECK(result.exit == exit);
    CHECK(result.err.find(text) != std::string::npos);
  };
  fails(world.train("run", {"--rna", world.folder / "no.h5ad"}), 4, "no.h5ad");
  fails(world.train("run", {"--images", world.folder / "no.h5"}), 4, "no.h5");
  fails(world.train("run", {"--images", world.folder / "labels.csv"}), 3, "labels.csv");
  fails(world.train("run", {"--preset", "all"}), 2, "joint");
  fails(world.train("run", {"--rna-epochs", "0"}), 2, "0");
  fails(world.train("run", {"--align-kl", "both"}), 2, "sym");
  std::string held = "path,label,split\n";
  for (size_t i = 0; i < 60; ++i)
    held += kinds[i / 20] + "/" + std::to_string(i) + ".png," + kinds[i / 20] + ",test\n";
  write_file_atomically(world.folder / "held.csv", held);
  fails(world.train("run", {"--image-labels", world.folder / "held.csv"}), 3,
        "held.csv: column split: no cell to train on");
  write_file_atomically(world.folder / "bad.toml",
                        "[neutrophil]\nimage = [\"band\"]\nrna = [\"Neutrophils\"]\n");
  fails(world.train("run", {"--map", world.folder / "bad.toml"}), 3, "[class.unmapped]");
  write_file_atomically(world.folder / "bad.toml", "[neutrophil]\nimages = [\"band\"]\n");
  fails(world.train("run", {"--map", world.folder / "bad.toml"}), 2, "[cfg]");
  CHECK_FALSE(world.has("run", "DONE"));
  fails(world.path("run", "path"), 4, "[run.missing]");
  fails({"multimodal"}, 2, "train, embed, trajectory, report");
}
