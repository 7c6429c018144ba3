#include "cytograd/train/aggregate.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"
#include "cytograd/train/report.h"
#include "io/json.h"

namespace cytograd {
namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Spread& s) {
  return {{"count", s.count}, {"mean", s.mean}, {"sd", s.population}, {"sd_sample", s.sample}};
}

Json json_of(const std::map<std::string, Spread>& spreads) {
  Json out = Json::object();
  for (const auto& [name, s] : spreads) out[name] = json_of(s);
  return out;
}

template <class F>
Spread over(const std::vector<RunResult>& runs, F value) {
  std::vector<double> values;
  for (const RunResult& r : runs) values.push_back(value(r));
  return spread_of(values);
}

std::map<std::string, Spread> over_names(const std::vector<RunResult>& runs,
                                         std::map<std::string, double> RunResult::*member) {
  std::map<std::string, std::vector<double>> values;
  for (const RunResult& r : runs)
    for (const auto& [name, value] : r.*member) values[name].push_back(value);
  std::map<std::string, Spread> out;
  for (const auto& [name, list] : values) out[name] = spread_of(list);
  return out;
}

}  // namespace

RunResult read_run_result(const std::string& path, const std::string& cell) {
  const nlohmann::json in = read_json(path, "run.checkpoint");
  RunResult out;
  out.cell = cell;
  try {
    in.at("method").get_to(out.method);
    in.at("growing").get_to(out.growing);
    in.at("embedding").get_to(out.embedding);
    in.at("fold").get_to(out.fold);
    in.at("best_epoch").get_to(out.best_epoch);
    in.at("n").get_to(out.n);
    in.at("f1_macro").get_to(out.f1_macro);
    in.at("seconds").get_to(out.seconds);
    const auto& scores = in.at("scores");
    if (!scores.at("accuracy").is_null()) scores.at("accuracy").get_to(out.accuracy);
    for (const auto& [name, score] : scores.at("per_class").items())
      if (!score.at("f1").is_null()) out.per_class[name] = score.at("f1").get<double>();
    if (in.contains("posthoc"))
      for (const auto& [kind, value] : in.at("posthoc").items()) {
        out.posthoc[kind] = value.at("f1_macro").get<double>();
        // Runs of earlier builds lack it.
        if (value.contains("f1_micro"))
          out.posthoc_accuracy[kind] = value.at("f1_micro").get<double>();
      }
  } catch (const nlohmann::json::exception&) {
    throw DataError(Fault{"run.checkpoint", path, "", "results that cannot be read",
                          "results.json of cyto train", "remove the run folder and go on"});
  }
  return out;
}

Spread spread_of(const std::vector<double>& values) {
  Spread out;
  out.count = static_cast<int64_t>(values.size());
  if (values.empty()) return out;
  const auto n = static_cast<double>(values.size());
  for (const double v : values) out.mean += v / n;
  double squares = 0;
  for (const double v : values) squares += (v - out.mean) * (v - out.mean);
  out.population = std::sqrt(squares / n);
  out.sample = values.size() > 1 ? std::sqrt(squares / (n - 1)) : 0;
  return out;
}

std::vector<CellSummary> summarise_cells(const std::vector<RunResult>& runs, int64_t folds) {
  std::vector<CellSummary> out;
  for (const RunResult& run : runs) {
    auto at = std::find_if(out.begin(), out.end(),
                           [&](const CellSummary& c) { return c.cell == run.cell; });
    if (at == out.end()) {
      CellSummary cell;
      cell.cell = run.cell;
      cell.method = run.method;
      cell.growing = run.growing;
      cell.embedding = run.embedding;
      cell.folds_expected = folds;
      at = out.insert(out.end(), cell);
    }
    at->runs.push_back(run);
  }
  for (CellSummary& cell : out) {
    cell.f1_macro = over(cell.runs, [](const RunResult& r) { return r.f1_macro; });
    cell.accuracy = over(cell.runs, [](const RunResult& r) { return r.accuracy; });
    cell.best_epoch =
        over(cell.runs, [](const RunResult& r) { return static_cast<double>(r.best_epoch); });
    cell.posthoc = over_names(cell.runs, &RunResult::posthoc);
    cell.posthoc_accuracy = over_names(cell.runs, &RunResult::posthoc_accuracy);
    cell.per_class = over_names(cell.runs, &RunResult::per_class);
  }
  return out;
}

std::string summary_csv(const std::vector<CellSummary>& cells) {
  std::set<std::string> kinds;
  for (const CellSummary& c : cells)
    for (const auto& [kind, s] : c.posthoc) kinds.insert(kind);
  std::vector<std::string> row = {
      "cell",          "method",        "growing",        "embedding",
      "folds",         "f1_macro_mean", "f1_macro_sd",    "f1_macro_sd_sample",
      "accuracy_mean", "accuracy_sd",   "best_epoch_mean"};
  for (const std::string& kind : kinds)
    row.insert(row.end(), {kind + "_f1_macro_mean", kind + "_f1_macro_sd"});
  std::string out = csv_row(row);
  for (const CellSummary& c : cells) {
    row = {c.cell,
           c.method,
           c.growing ? "true" : "false",
           std::to_string(c.embedding),
           std::to_string(c.f1_macro.count),
           format_double(c.f1_macro.mean),
           format_double(c.f1_macro.population),
           format_double(c.f1_macro.sample),
           format_double(c.accuracy.mean),
           format_double(c.accuracy.population),
           format_double(c.best_epoch.mean)};
    for (const std::string& kind : kinds) {
      const auto s = c.posthoc.find(kind);
      const bool here = s != c.posthoc.end();
      row.push_back(here ? format_double(s->second.mean) : "n/a");
      row.push_back(here ? format_double(s->second.population) : "n/a");
    }
    out += csv_row(row);
  }
  return out;
}

std::string summary_json(const std::vector<CellSummary>& cells) {
  Json out = Json::array();
  for (const CellSummary& c : cells) {
    Json folds = Json::array();
    for (const RunResult& r : c.runs)
      folds.push_back({{"fold", r.fold},
                       {"f1_macro", r.f1_macro},
                       {"accuracy", r.accuracy},
                       {"best_epoch", r.best_epoch},
                       {"n", r.n},
                       {"seconds", r.seconds}});
    out.push_back({{"cell", c.cell},
                   {"method", c.method},
                   {"growing", c.growing},
                   {"embedding", c.embedding},
                   {"folds_expected", c.folds_expected},
                   {"f1_macro", json_of(c.f1_macro)},
                   {"accuracy", json_of(c.accuracy)},
                   {"best_epoch", json_of(c.best_epoch)},
                   {"posthoc", json_of(c.posthoc)},
                   {"posthoc_accuracy", json_of(c.posthoc_accuracy)},
                   {"per_class_f1", json_of(c.per_class)},
                   {"folds", folds}});
  }
  return out.dump(1) + "\n";
}

std::string summary_table(const std::vector<CellSummary>& cells) {
  std::vector<std::string> rows;
  std::set<int64_t> lengths;
  std::map<std::pair<std::string, int64_t>, std::string> entries;
  for (const CellSummary& c : cells) {
    std::string name = c.method + (c.growing ? " (growing)" : "");
    // Cells that differ in more than method and length keep their own names.
    if (entries.contains({name, c.embedding})) name = c.cell;
    if (std::find(rows.begin(), rows.end(), name) == rows.end()) rows.push_back(name);
    lengths.insert(c.embedding);
    std::string& text = entries[{name, c.embedding}];
    text = format_fixed(c.f1_macro.mean, 3) + " ± " + format_fixed(c.f1_macro.population, 3);
    if (c.f1_macro.count < c.folds_expected)
      text +=
          " (" + std::to_string(c.f1_macro.count) + " of " + std::to_string(c.folds_expected) + ")";
  }
  std::vector<std::vector<std::string>> table(1, {"macro-F1"});
  for (const int64_t n : lengths) table[0].push_back(std::to_string(n));
  for (const std::string& name : rows) {
    table.push_back({name});
    for (const int64_t n : lengths) {
      const auto at = entries.find({name, n});
      table.back().push_back(at == entries.end() ? "-" : at->second);
    }
  }
  return aligned(table);
}

}  // namespace cytograd
