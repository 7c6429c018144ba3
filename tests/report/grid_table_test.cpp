#include "cytograd/report/grid_table.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/report/grid_report.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

GridPlan plan() {
  return {3,
          {{"ce-2", "ce", false, 2},
           {"ce-64", "ce", false, 64},
           {"ce-growing-2", "ce", false, 2},
           {"ce-growing-64", "ce", true, 64},
           {"guide2d-2", "guide2d", false, 2},
           {"guide2d-256", "guide2d", false, 256}}};
}

std::vector<CellSummary> summaries() {
  std::vector<RunResult> runs;
  const auto add = [&](const std::string& cell, const char* method, int64_t length, int folds,
                       double base) {
    for (int fold = 0; fold < folds; ++fold) {
      RunResult r;
      r.cell = cell;
      r.method = method;
      r.embedding = length;
      r.fold = fold;
      r.f1_macro = base + 0.1 * fold;
      r.accuracy = base + 0.2;
      r.posthoc["svm"] = base - 0.1;
      r.posthoc_accuracy["svm"] = base;
      runs.push_back(r);
    }
  };
  add("ce-2", "ce", 2, 3, 0.5);
  add("ce-growing-64", "ce", 64, 3, 0.6);
  add("guide2d-2", "guide2d", 2, 2, 0.7);
  return summarise_cells(runs, 3);
}

}  // namespace

TEST_CASE("table 1: methods by lengths; missing, partial and unwanted cells are told apart") {
  const GridTable table = grid_table(plan(), summaries());
  CHECK(table.lengths == std::vector<int64_t>{2, 64, 256});
  const ReportTable macro = grid_text(table, GridMetric::macro, "own");
  const ReportTable expected = {{"method", "2", "64", "256"},
                                {"CE (baseline)", "0.600 ± 0.082", "missing", "–"},
                                {"CE (growing)", "missing", "0.700 ± 0.082", "–"},
                                {"guide2D", "0.750 ± 0.050 (2/3)", "–", "missing"}};
  CHECK(macro == expected);
  const ReportTable micro = grid_text(table, GridMetric::micro, "");
  CHECK(micro[1] ==
        std::vector<std::string>{"CE (baseline)", "own head", "0.700 ± 0.000", "missing", "–"});
  CHECK(micro[2] ==
        std::vector<std::string>{"CE (baseline)", "SVM", "0.500 ± 0.000", "missing", "–"});
  CHECK(micro[5][1] == "chosen");
  const std::string markdown = grid_markdown(table);
  CHECK(has(markdown, "| method | 2 | 64 | 256 |\n| --- | --- | --- | --- |\n"));
  CHECK(has(markdown, "| guide2D | SVM | 0.600 ± 0.000 (2/3) | – | missing |"));
  const CsvTable csv(grid_csv(table), "table1.csv");
  // Two classifiers of two metrics for six planned cells.
  CHECK(csv.rows() == 24);
  CHECK(csv.at(0, csv.column("state")) == "done");
  CHECK(std::abs(csv.number(0, csv.column("sd_sample")) - 0.1) < 1e-12);
}

TEST_CASE("table 1: cells that differ in more than method and length keep their names") {
  const GridPlan mined = {2,
                          {{"triplet-mining=batch_hard-64", "triplet", false, 64},
                           {"triplet-mining=all_hard-64", "triplet", false, 64},
                           {"wide", "distance", true, 64}}};
  const ReportTable text = grid_text(grid_table(mined, {}), GridMetric::macro, "own");
  CHECK(text[1][0] == "triplet-mining=batch_hard");
  CHECK(text[2][0] == "triplet-mining=all_hard");
  CHECK(text[3] == std::vector<std::string>{"distance", "missing"});
}

TEST_CASE("the plan of a grid is kept; a damaged one is refused") {
  const TempFolder folder;
  write_plan(folder / "plan.json", plan());
  const GridPlan back = read_plan(folder / "plan.json");
  CHECK(back.folds == 3);
  REQUIRE(back.cells.size() == 6);
  CHECK(back.cells[3].cell == "ce-growing-64");
  CHECK(back.cells[3].growing);
  for (const char* text :
       {"{}",
        "{\"folds\":2,\"cells\":[{\"cell\":\"../x\",\"method\":\"ce\",\"growing\":false,"
        "\"embedding\":2}]}",
        "{\"folds\":2,\"cells\":[{\"cell\":1}]}", "["}) {
    write_file_atomically(folder / "plan.json", text);
    CHECK_THROWS_AS(read_plan(folder / "plan.json"), DataError);
  }
}

TEST_CASE("bars: a panel of classifiers, one of representations, a line at the best baseline") {
  const BarChart chart = grid_chart(grid_table(plan(), summaries()));
  REQUIRE(chart.panels.size() == 2);
  CHECK(chart.panels[0].groups.size() == 2);
  CHECK(std::abs(*chart.panels[0].reference - 0.6) < 1e-12);
  CHECK_FALSE(chart.panels[1].reference);
  const std::string svg = bar_chart_svg(chart);
  CHECK(has(svg, ">0.700</text>"));
  CHECK(has(svg, "stroke-dasharray"));
  CHECK(has(svg, "macro-F1, mean ± sd"));
  // Nothing finished: axes without bars.
  CHECK(has(bar_chart_svg(grid_chart(grid_table(plan(), {}))), ">0.00</text>"));
}

TEST_CASE("share of the variance that is within classes") {
  LabelledRows rows;
  rows.width = 1;
  rows.classes = 3;
  rows.values = {0, 2, 10, 12, 40};
  rows.labels = {0, 0, 1, 1, 2};
  // Classes of two: variance 1 each; the class of one does not count. Of all: mean 12.8.
  const double all = (12.8 * 12.8 + 10.8 * 10.8 + 2.8 * 2.8 + 0.8 * 0.8 + 27.2 * 27.2) / 5;
  CHECK(within_class_share(rows) == doctest::Approx(1 / all));
  for (float& v : rows.values) v = 7 - 3 * v;
  CHECK(within_class_share(rows) == doctest::Approx(1 / all));
  rows.values.assign(5, 1);
  CHECK(std::isnan(within_class_share(rows)));
}
