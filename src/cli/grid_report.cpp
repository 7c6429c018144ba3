#include <cmath>
#include <filesystem>
#include <optional>

#include "cli/embedding.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/report/grid_report.h"

namespace cytograd::cli {
namespace {

namespace fs = std::filesystem;

struct FinishedCell {
  PlannedCell cell;
  std::vector<int64_t> folds;
};

std::string fold_folder(const std::string& folder, const std::string& cell, int64_t fold) {
  return folder + "/" + cell + "/fold-" + std::to_string(fold);
}

std::vector<FinishedCell> finished(const std::string& folder, const GridPlan& plan) {
  std::vector<FinishedCell> out;
  std::error_code error;
  for (const PlannedCell& c : plan.cells) {
    FinishedCell cell{c, {}};
    for (int64_t fold = 0; fold < plan.folds; ++fold)
      if (fs::exists(fold_folder(folder, c.cell, fold) + "/DONE", error))
        cell.folds.push_back(fold);
    out.push_back(cell);
  }
  return out;
}

// Means over folds that say something.
class Mean {
 public:
  void add(double v) {
    if (!std::isfinite(v)) return;
    sum_ += v;
    ++count_;
  }
  std::string text(int digits) const {
    return count_ > 0 ? format_fixed(sum_ / count_, digits) : "n/a";
  }

 private:
  double sum_ = 0, count_ = 0;
};

LabelledRows test_rows(const EmbeddedCells& cells) {
  std::vector<int64_t> which;
  for (int64_t i = 0; i < cells.size(); ++i)
    if (cells.parts[static_cast<size_t>(i)] == "test") which.push_back(i);
  return cells.rows.subset(which);
}

void append(std::vector<double>& to, const std::vector<double>& from) {
  to.insert(to.end(), from.begin(), from.end());
}

class Writer {
 public:
  Writer(std::string folder, Device device)
      : folder_(std::move(folder)), device_(device), plan_(read_plan(folder_ + "/plan.json")) {
    std::error_code error;
    fs::create_directory(folder_ + "/report", error);
  }

  std::vector<std::string> run() {
    const std::vector<FinishedCell> cells = finished(folder_, plan_);
    std::vector<RunResult> results;
    int64_t runs = 0;
    for (const FinishedCell& c : cells)
      for (const int64_t fold : c.folds) {
        results.push_back(read_run_result(fold_folder(folder_, c.cell.cell, fold) + "/results.json",
                                          c.cell.cell));
        ++runs;
      }
    const std::vector<CellSummary> summaries = summarise_cells(results, plan_.folds);
    report_.table = grid_table(plan_, summaries);
    report_.title = "Cross-validation " + folder_.substr(folder_.find_last_of('/') + 1);
    const auto wanted = plan_.folds * static_cast<int64_t>(plan_.cells.size());
    report_.facts = {{"runs of " + std::to_string(wanted), std::to_string(runs)},
                     {"methods and lengths", std::to_string(plan_.cells.size())},
                     {"folds", std::to_string(plan_.folds)}};
    report_.details = {{"cell", "folds", "best epoch", "n", "minutes", "within-class variance",
                        "ECE classifier", "ECE distance", "ECE neighbours"}};
    for (size_t i = 0; i < cells.size(); ++i) {
      console().status("report: " + cells[i].cell.cell);
      add_cell(cells[i], results);
    }
    console().status("");
    finish();
    return written_;
  }

 private:
  void write(const std::string& name, const std::string& text) {
    written_.push_back(folder_ + "/report/" + name);
    write_file_atomically(written_.back(), text);
  }

  void add_cell(const FinishedCell& cell, const std::vector<RunResult>& results) {
    const std::string& name = cell.cell.cell;
    Mean epoch, n, minutes, within;
    for (const RunResult& r : results)
      if (r.cell == name) {
        epoch.add(static_cast<double>(r.best_epoch));
        n.add(static_cast<double>(r.n));
        minutes.add(r.seconds / 60);
      }
    GridCellReport out{name, "", ""};
    std::vector<ReliabilityPanel> panels;
    if (!cell.folds.empty()) {
      const std::string run = fold_folder(folder_, name, cell.folds.front());
      const TrainedModel trained = load_trained(run, "best", device_);
      EmbeddedCells pooled;
      std::optional<EmbeddedCells> first;
      for (const int64_t fold : cell.folds) {
        const std::string file = fold_folder(folder_, name, fold);
        std::error_code error;
        if (!fs::exists(file + "/report/embeddings.csv", error)) continue;
        EmbeddedCells cells = read_cells(file, trained.classes);
        within.add(within_class_share(test_rows(cells)));
        pool(pooled, cells);
        if (!first && fold == cell.folds.front()) first = std::move(cells);
      }
      if (!pooled.names.empty()) panels = reliability_panels(trained, pooled);
      if (!panels.empty()) out.reliability = reliability_svg(name + ", test cells", panels);
      if (first) out.embedding = draw(name, run, cell.folds.front(), trained, *first);
    }
    if (!out.embedding.empty()) write("embedding-" + name + ".svg", out.embedding);
    if (!out.reliability.empty()) write("reliability-" + name + ".svg", out.reliability);
    std::vector<std::string> row = {
        escape_control(name), std::to_string(cell.folds.size()) + "/" + std::to_string(plan_.folds),
        epoch.text(1),        n.text(1),
        minutes.text(1),      within.text(3)};
    for (const char* kind : {"", "distance", "agreement"}) {
      std::string text = "n/a";
      for (size_t p = 0; p < panels.size(); ++p)
        if (*kind ? panels[p].name.starts_with(kind) : p == 0)
          text = format_fixed(panels[p].data.ece, 3);
      row.push_back(text);
    }
    report_.details.push_back(row);
    report_.cells.push_back(std::move(out));
  }

  // Confidences and classes of the test cells of all folds; embeddings of two networks do not mix.
  static void pool(EmbeddedCells& to, const EmbeddedCells& from) {
    const auto take = [&](const std::vector<double>& values) {
      std::vector<double> out;
      for (size_t i = 0; i < from.parts.size() && values.size() == from.parts.size(); ++i)
        if (from.parts[i] == "test") out.push_back(values[i]);
      return out;
    };
    for (size_t i = 0; i < from.parts.size(); ++i)
      if (from.parts[i] == "test") {
        to.names.push_back(from.names[i]);
        to.parts.push_back("test");
        to.predicted.push_back(from.predicted[i]);
        to.rows.labels.push_back(from.rows.labels[i]);
      }
    append(to.confidence, take(from.confidence));
    append(to.agreement, take(from.agreement));
    append(to.anchor_confidence, take(from.anchor_confidence));
  }

  std::string draw(const std::string& name, const std::string& run, int64_t fold,
                   const TrainedModel& trained, const EmbeddedCells& cells) {
    const Plane plane = plane_of(trained, cells);
    if (report_.guide.empty() && trained.readout && !trained.readout->rows.empty()) {
      Guide guide;
      guide.name = "The guide";
      guide.classes = trained.readout->rows;
      report_.guide = guide_svg(guide);
    }
    start_page(run, trained);
    const std::string title = name + ", fold " + std::to_string(fold);
    if (page_) page_->add(title, cells, plane);
    return embedding_figure(title, trained, cells, plane);
  }

  // Images are read once, by the first run that is drawn.
  void start_page(const std::string& run, const TrainedModel& trained) {
    if (page_ || page_failed_) return;
    try {
      DataChoice all;
      all.split = "all";
      page_.emplace(report_.title, trained, choose_data(run, trained, all).task);
    } catch (const DataError& e) {
      page_failed_ = true;
      console().warn(std::string("no interactive page: ") + e.what());
    } catch (const FileError& e) {
      page_failed_ = true;
      console().warn(std::string("no interactive page: ") + e.what());
    }
  }

  void finish() {
    write("table1.md", grid_markdown(report_.table));
    write("table1.csv", grid_csv(report_.table));
    write("scores.svg", bar_chart_svg(grid_chart(report_.table)));
    if (!report_.guide.empty()) write("guide.svg", report_.guide);
    if (page_) {
      report_.page = "embedding.html";
      write(report_.page, page_->html());
    }
    report_.subtitle = "Methods by length of the embedding";
    write("index.html", grid_report_html(report_));
    std::swap(written_.front(), written_.back());
  }

  std::string folder_;
  Device device_;
  GridPlan plan_;
  GridReport report_;
  std::optional<PageBuilder> page_;
  bool page_failed_ = false;
  std::vector<std::string> written_;
};

}  // namespace

std::vector<std::string> write_grid_report(const std::string& folder, Device device) {
  return Writer(folder, device).run();
}

}  // namespace cytograd::cli
