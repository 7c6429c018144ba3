#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/report/figures.h"
#include "cytograd/train/aggregate.h"
#include "cytograd/train/report.h"

/// @file
/// The table of a cross-validation as the paper prints it: methods by lengths of the embedding,
/// macro- and micro-F1 as mean and standard deviation over folds.

namespace cytograd {

/// What `cyto crossval` was asked for, kept as plan.json: cells without results are told apart from
/// cells that nobody wanted.
struct PlannedCell {
  std::string cell, method;
  bool growing = false;
  int64_t embedding = 0;
};
/// One run of a protocol over domains.
struct PlannedRun {
  std::string cell, folder;         ///< below the folder of the plan
  std::vector<std::string> unseen;  ///< domains that it does not see
  int64_t fold = 0, seed = 0;
};
struct GridPlan {
  int64_t folds = 0;
  std::vector<PlannedCell> cells;
  std::string protocol = {};          ///< empty: folds of every cell, CELL/fold-K
  std::vector<PlannedRun> runs = {};  ///< of a protocol: all of them
  int64_t choices = 1;                ///< how many domains are left out in turn

  int64_t runs_per_cell() const {
    return cells.empty() ? 0 : static_cast<int64_t>(runs.size() / cells.size());
  }
};
void write_plan(const std::string& path, const GridPlan& plan);
/// @throws FileError, DataError
GridPlan read_plan(const std::string& path);

/// One place of the table.
struct GridEntry {
  bool planned = false;
  Spread macro, micro;  ///< over the folds that are finished; count 0: none
};
struct GridRow {
  std::string key;         ///< the cell's name without its length
  std::string method;      ///< "CE (growing)"
  std::string classifier;  ///< "own", "svm", "knn" or "mlp"
  bool head = false;       ///< a method with a classifier of its own
  bool growing = false;
  std::vector<GridEntry> entries;  ///< one per length
};
struct GridTable {
  int64_t folds = 0;
  std::vector<int64_t> lengths;
  std::vector<GridRow> rows;  ///< by method in the order of the plan, classifiers below each other
};
/// "own": the network's classifier where it has one, else the one that was chosen on training data.
GridTable grid_table(const GridPlan& plan, const std::vector<CellSummary>& cells);

enum class GridMetric { macro, micro };
/// `0.717 ± 0.026`, `0.717 ± 0.026 (3/5)` with folds missing, `missing` without any, `–` where the
/// plan has no such cell. @param classifier rows of this one only; empty: all, with a column for it
ReportTable grid_text(const GridTable& table, GridMetric metric, const std::string& classifier);
/// Both metrics as Markdown, the paper's rows first.
std::string grid_markdown(const GridTable& table);
/// Long form: method, cell, embedding, classifier, metric, mean, sd, sd_sample, folds,
/// folds_expected, state (done, partial, missing).
std::string grid_csv(const GridTable& table);
/// The paper's Figure 3: networks with a classifier, and learned representations; a line at the
/// best baseline of each.
BarChart grid_chart(const GridTable& table);

}  // namespace cytograd
