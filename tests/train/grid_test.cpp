#include "cytograd/train/grid_file.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/train/aggregate.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

std::vector<GridCell> cells_of(const std::string& text) {
  const TempFolder folder;
  write_file_atomically(folder / "grid.toml", text);
  return read_grid_cells(folder / "grid.toml");
}

std::string message(const std::string& text) {
  try {
    cells_of(text);
  } catch (const ConfigError& e) {
    const std::string what = e.what();
    return what.substr(what.find("grid.toml"));
  }
  return "";
}

}  // namespace

TEST_CASE("grid: lists are multiplied out, cells have names of folders") {
  const auto cells = cells_of(
      "[data]\npath = \"x\"\n[[cells]]\nmethod = \"ce\"\ngrowing = [false, true]\n"
      "embedding = [64, 256]\n[[cells]]\nname = \"wide\"\nmethod = \"triplet\"\nmargin = 0.5\n");
  std::vector<std::string> names;
  for (const GridCell& c : cells) names.push_back(c.name);
  CHECK(names ==
        std::vector<std::string>{"ce-64", "ce-256", "ce-growing-64", "ce-growing-256", "wide"});
  CHECK(cells[3].values.size() == 3);
  CHECK(cells[4].values[1] == std::pair<std::string, std::string>{"margin", "0.5"});
  CHECK(cells_of("[train]\nepochs = 3\n")[0].name == "run");

  ResolvedConfig base;
  set_config(base, config_field("method.guide"), "blood-10", "test");
  set_config(base, config_field("train.epochs"), "7", "test");
  const TrainConfig config = cell_config(base, cells[3], "grid.toml").config;
  CHECK(config.growing);
  CHECK(config.embedding == 256);
  CHECK(config.epochs == 7);
  // The protocol, where nothing else is said.
  CHECK(config.optimizer == "adam");
  CHECK(config.weight_decay == 0);
  CHECK(config.schedule == "constant");
  CHECK(config.patience == 256);
  CHECK_FALSE(config.val_grouped);
  CHECK(cell_config(base, cells[0], "grid.toml").config.optimizer == "adam");
}

TEST_CASE("grid: faults name the place") {
  CHECK(message("[[cells]]\nlearn = 1\n").starts_with("grid.toml:2:1: unknown option learn"));
  CHECK(message("[[cells]]\nlr = []\n").find("an empty list") != std::string::npos);
  CHECK(message("[[cells]]\nlr = [1]\n[[cells]]\nlr = 1\n").find("two cells named lr=1") !=
        std::string::npos);
  CHECK(message("cells = 3\n").find("[[cells]]") != std::string::npos);
  CHECK(message("[[cells]]\nlr = 2020-01-01\n").find("neither") != std::string::npos);
  CHECK(message("\xff").find("UTF-8") != std::string::npos);
}

TEST_CASE("aggregate: mean and spread over folds, methods by lengths") {
  const Spread s = spread_of({0.5, 0.7, 0.6});
  CHECK(std::abs(s.mean - 0.6) < 1e-12);
  CHECK(std::abs(s.population - 0.0816496580928) < 1e-12);
  CHECK(std::abs(s.sample - 0.1) < 1e-12);
  CHECK(spread_of({}).count == 0);
  std::vector<RunResult> runs;
  for (const int64_t length : {2, 64})
    for (int64_t fold = 0; fold < (length == 2 ? 2 : 1); ++fold) {
      RunResult r;
      r.cell = "guide2d-" + std::to_string(length);
      r.method = "guide2d";
      r.embedding = length;
      r.fold = fold;
      r.f1_macro = 0.5 + 0.1 * static_cast<double>(fold);
      r.posthoc["svm"] = 0.4;
      runs.push_back(r);
    }
  const auto cells = summarise_cells(runs, 2);
  REQUIRE(cells.size() == 2);
  CHECK(std::abs(cells[0].f1_macro.mean - 0.55) < 1e-12);
  CHECK(cells[0].posthoc.at("svm").count == 2);
  const std::string table = summary_table(cells);
  CHECK(table.find("0.550 ± 0.050") != std::string::npos);
  CHECK(table.find("0.500 ± 0.000 (1 of 2)") != std::string::npos);
  CHECK(summary_csv(cells).starts_with("cell,method,growing,embedding,folds,f1_macro_mean"));
}
