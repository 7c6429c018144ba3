#include "cytograd/report/grid_table.h"

#include <algorithm>
#include <map>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/train/method.h"
#include "io/json.h"
#include "report/page.h"

namespace cytograd {
namespace {

const char* const classifiers[] = {"own", "svm", "knn", "mlp"};

// "ce-growing-64" is one of the cells of "ce-growing".
std::string key_of(const PlannedCell& cell) {
  const std::string length = std::to_string(cell.embedding);
  std::string out;
  size_t begin = 0;
  bool found = false;
  while (begin <= cell.cell.size()) {
    const size_t end = std::min(cell.cell.find('-', begin), cell.cell.size());
    const std::string word = cell.cell.substr(begin, end - begin);
    if (!found && word == length)
      found = true;
    else
      out += (out.empty() ? "" : "-") + word;
    begin = end + 1;
  }
  return out.empty() ? cell.cell : out;
}

// The paper's names.
std::string method_name(const std::string& method, bool growing) {
  const std::string phase = growing ? " (growing)" : " (baseline)";
  const bool both = method == "ce" || method == "triplet" || method == "center-triplet";
  return method_traits(method).title + (both ? phase : "");
}

struct TableMethod {
  std::string key, method, name;
  bool growing = false;
};

// Methods in the order of the plan. A key grows if one of its lengths does: two components cannot.
std::vector<TableMethod> methods_of(const GridPlan& plan) {
  std::vector<TableMethod> out;
  for (const PlannedCell& c : plan.cells) {
    const std::string key = key_of(c);
    auto at =
        std::find_if(out.begin(), out.end(), [&](const TableMethod& m) { return m.key == key; });
    if (at == out.end()) at = out.insert(out.end(), {key, c.method, "", false});
    at->growing |= c.growing;
  }
  std::map<std::string, int> used;
  for (TableMethod& m : out) ++used[m.name = method_name(m.method, m.growing)];
  // Cells that differ in more than method and length keep their own names.
  for (TableMethod& m : out)
    if (used[m.name] > 1) m.name = m.key;
  return out;
}

Spread pick(const std::map<std::string, Spread>& spreads, const std::string& name) {
  const auto at = spreads.find(name);
  return at == spreads.end() ? Spread{} : at->second;
}

std::string entry_text(const GridEntry& e, GridMetric metric, int64_t folds) {
  const Spread& s = metric == GridMetric::macro ? e.macro : e.micro;
  if (!e.planned) return "–";
  if (s.count == 0) return "missing";
  std::string out = format_fixed(s.mean, 3) + " ± " + format_fixed(s.population, 3);
  if (s.count < folds) out += " (" + std::to_string(s.count) + "/" + std::to_string(folds) + ")";
  return out;
}

std::string classifier_name(const GridRow& row) {
  if (row.classifier == "own") return row.head ? "own head" : "chosen";
  return row.classifier == "knn" ? "kNN" : row.classifier == "svm" ? "SVM" : "MLP";
}

std::string length_text(int64_t length) {
  return length == 0 ? "backbone" : std::to_string(length);
}

}  // namespace

void write_plan(const std::string& path, const GridPlan& plan) {
  nlohmann::ordered_json cells = nlohmann::ordered_json::array();
  for (const PlannedCell& c : plan.cells)
    cells.push_back({{"cell", escape_control(c.cell)},
                     {"method", c.method},
                     {"growing", c.growing},
                     {"embedding", c.embedding}});
  nlohmann::ordered_json out = {{"folds", plan.folds}, {"cells", cells}};
  if (!plan.protocol.empty()) {
    out["protocol"] = plan.protocol;
    out["choices"] = plan.choices;
    out["runs"] = nlohmann::ordered_json::array();
    for (const PlannedRun& r : plan.runs) {
      nlohmann::ordered_json unseen = nlohmann::ordered_json::array();
      for (const std::string& name : r.unseen) unseen.push_back(escape_control(name));
      out["runs"].push_back({{"cell", escape_control(r.cell)},
                             {"folder", escape_control(r.folder)},
                             {"unseen", unseen},
                             {"fold", r.fold},
                             {"seed", r.seed}});
    }
  }
  write_file_atomically(path, out.dump(1) + "\n");
}

GridPlan read_plan(const std::string& path) {
  const nlohmann::json in = read_json(path, "run.checkpoint");
  GridPlan out;
  try {
    in.at("folds").get_to(out.folds);
    for (const auto& c : in.at("cells"))
      out.cells.push_back({c.at("cell").get<std::string>(), c.at("method").get<std::string>(),
                           c.at("growing").get<bool>(), c.at("embedding").get<int64_t>()});
    if (in.contains("protocol")) {
      in.at("protocol").get_to(out.protocol);
      in.at("choices").get_to(out.choices);
      for (const auto& r : in.at("runs"))
        out.runs.push_back({r.at("cell").get<std::string>(), r.at("folder").get<std::string>(),
                            r.at("unseen").get<std::vector<std::string>>(),
                            r.at("fold").get<int64_t>(), r.at("seed").get<int64_t>()});
    }
  } catch (const nlohmann::json::exception&) {
    throw DataError(Fault{"run.checkpoint", path, "", "a plan that cannot be read",
                          "plan.json of cyto crossval", "start cyto crossval again"});
  }
  for (const PlannedCell& c : out.cells)
    if (out.folds < 1 || out.folds > 1000 || c.cell.empty() || c.cell.front() == '.' ||
        c.cell.find('/') != std::string::npos)
      throw DataError(Fault{"run.checkpoint", path, "",
                            "a cell \"" + c.cell + "\" of " + std::to_string(out.folds) + " folds",
                            "names of folders", "start cyto crossval again"});
  for (const PlannedRun& r : out.runs)
    if (r.folder.empty() || r.folder.front() == '/' || r.folder.starts_with("..") ||
        r.folder.find("/..") != std::string::npos)
      throw DataError(Fault{"run.checkpoint", path, "", "a run in \"" + r.folder + "\"",
                            "a folder below this one", "start cyto crossval again"});
  return out;
}

GridTable grid_table(const GridPlan& plan, const std::vector<CellSummary>& cells) {
  GridTable out;
  out.folds = plan.folds;
  std::set<int64_t> lengths;
  for (const PlannedCell& c : plan.cells) lengths.insert(c.embedding);
  out.lengths.assign(lengths.begin(), lengths.end());
  for (const TableMethod& m : methods_of(plan))
    for (const std::string classifier : classifiers) {
      GridRow row{m.key, m.name, classifier, method_traits(m.method).head, m.growing, {}};
      bool any = classifier == "own";
      for (const int64_t length : out.lengths) {
        GridEntry entry;
        for (const PlannedCell& c : plan.cells) {
          if (key_of(c) != m.key || c.embedding != length) continue;
          entry.planned = true;
          const auto done = std::find_if(cells.begin(), cells.end(),
                                         [&](const CellSummary& s) { return s.cell == c.cell; });
          if (done == cells.end()) continue;
          const bool own = classifier == "own";
          entry.macro = own ? done->f1_macro : pick(done->posthoc, classifier);
          entry.micro = own ? done->accuracy : pick(done->posthoc_accuracy, classifier);
          any |= entry.macro.count > 0;
        }
        row.entries.push_back(entry);
      }
      // Classifiers that no run was asked to fit have no row.
      if (any) out.rows.push_back(row);
    }
  return out;
}

ReportTable grid_text(const GridTable& table, GridMetric metric, const std::string& classifier) {
  ReportTable out(1, {"method"});
  if (classifier.empty()) out[0].push_back("classifier");
  for (const int64_t length : table.lengths) out[0].push_back(length_text(length));
  for (const GridRow& row : table.rows) {
    if (!classifier.empty() && row.classifier != classifier) continue;
    out.push_back({escape_control(row.method)});
    if (classifier.empty()) out.back().push_back(classifier_name(row));
    for (const GridEntry& e : row.entries) out.back().push_back(entry_text(e, metric, table.folds));
  }
  return out;
}

std::string grid_markdown(const GridTable& table) {
  return "# Methods by length of the embedding\n\nMean ± standard deviation (n) over " +
         std::to_string(table.folds) +
         " test folds. `missing`: no fold is finished; `(3/5)`: some are; `–`: not in the grid.\n"
         "The network's own classifier for CE, for all others the one chosen on training data.\n\n"
         "## Macro-F1\n\n" +
         markdown_table(grid_text(table, GridMetric::macro, "own")) + "\n## Micro-F1\n\n" +
         markdown_table(grid_text(table, GridMetric::micro, "own")) +
         "\n## Macro-F1 of every classifier\n\n" +
         markdown_table(grid_text(table, GridMetric::macro, "")) +
         "\n## Micro-F1 of every classifier\n\n" +
         markdown_table(grid_text(table, GridMetric::micro, ""));
}

std::string grid_csv(const GridTable& table) {
  std::string out = csv_row(std::vector<std::string>{"method", "cell", "embedding", "classifier",
                                                     "metric", "mean", "sd", "sd_sample", "folds",
                                                     "folds_expected", "state"});
  for (const GridRow& row : table.rows)
    for (size_t i = 0; i < row.entries.size(); ++i)
      for (const GridMetric metric : {GridMetric::macro, GridMetric::micro}) {
        const GridEntry& e = row.entries[i];
        const Spread& s = metric == GridMetric::macro ? e.macro : e.micro;
        if (!e.planned) continue;
        const bool none = s.count == 0;
        out += csv_row(std::vector<std::string>{
            row.method, row.key, std::to_string(table.lengths[i]), row.classifier,
            metric == GridMetric::macro ? "f1_macro" : "f1_micro",
            none ? "n/a" : format_double(s.mean), none ? "n/a" : format_double(s.population),
            none ? "n/a" : format_double(s.sample), std::to_string(s.count),
            std::to_string(table.folds),
            none                    ? "missing"
            : s.count < table.folds ? "partial"
                                    : "done"});
      }
  return out;
}

BarChart grid_chart(const GridTable& table) {
  BarChart out;
  out.title = "Macro-F1 by method and length of the embedding";
  out.y_label = "macro-F1, mean ± sd";
  out.lengths = table.lengths;
  for (const bool head : {true, false}) {
    BarChart::Panel panel;
    panel.name = head ? "cross-entropy" : "learned representations";
    for (const GridRow& row : table.rows) {
      if (row.head != head || row.classifier != "own") continue;
      BarChart::Group group{row.method, {}};
      for (const GridEntry& e : row.entries) {
        group.bars.push_back(e.macro.count > 0 ? std::optional<Spread>(e.macro) : std::nullopt);
        const bool baseline = !row.growing && row.method.find("(baseline)") != std::string::npos;
        if (baseline && e.macro.count > 0)
          panel.reference = std::max(panel.reference.value_or(0), e.macro.mean);
      }
      panel.groups.push_back(group);
    }
    if (!panel.groups.empty()) out.panels.push_back(panel);
  }
  return out;
}

}  // namespace cytograd
