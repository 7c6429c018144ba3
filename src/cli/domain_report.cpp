#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>

#include "cli/embedding.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/report/domain_report.h"

namespace cytograd::cli {
namespace {

namespace fs = std::filesystem;

// Enough to see where domains lie, few enough for a map in seconds.
constexpr size_t most_cells = 4000;

// Colours of domains that keep apart from each other for most colour-blind readers.
constexpr std::array<std::array<uint8_t, 3>, 8> domain_colors = {{{0, 114, 178},
                                                                  {230, 159, 0},
                                                                  {0, 158, 115},
                                                                  {204, 121, 167},
                                                                  {86, 180, 233},
                                                                  {213, 94, 0},
                                                                  {184, 168, 0},
                                                                  {90, 90, 90}}};

std::string csv_of(const ReportTable& table) {
  std::string out;
  for (std::vector<std::string> row : table) {
    for (std::string& text : row)
      if (text == "n/a") text.clear();
    out += csv_row(row);
  }
  return out;
}

// Evenly spread over the parts of a split.
std::vector<std::pair<std::string, std::vector<int64_t>>> spread_cells(const Split& split) {
  std::vector<std::pair<std::string, std::vector<int64_t>>> out;
  size_t total = 0;
  for (const auto& [role, part] : {std::pair("train", &split.train),
                                   {"val", &split.val},
                                   {"test", &split.test},
                                   {"unseen", &split.unseen}})
    if (!part->empty()) {
      out.emplace_back(role, *part);
      total += part->size();
    }
  if (total <= most_cells) return out;
  for (auto& [role, part] : out) {
    const size_t wanted = std::max<size_t>(1, part.size() * most_cells / total);
    std::vector<int64_t> few;
    for (size_t i = 0; i < wanted; ++i) few.push_back(part[i * part.size() / wanted]);
    part = std::move(few);
  }
  return out;
}

class Writer {
 public:
  Writer(std::string folder, Device device) : folder_(std::move(folder)), device_(device) {
    report_.plan = read_plan(folder_ + "/plan.json");
    std::error_code error;
    fs::create_directory(folder_ + "/report", error);
  }

  std::vector<std::string> run() {
    std::vector<DomainRun> runs;
    for (const PlannedRun& r : report_.plan.runs)
      if (is_done(r))
        runs.push_back(read_domain_run(folder_ + "/" + r.folder + "/domains.json", r.cell));
    if (runs.empty())
      throw FileError(Fault{"run.missing", folder_, "", "no run of the plan is finished", "",
                            "start cyto crossval again"});
    report_.methods = summarise_domains(runs, report_.plan.runs_per_cell(), report_.plan.choices);
    report_.title = "Domains, " + folder_.substr(folder_.find_last_of('/') + 1);
    report_.subtitle = "Protocol " + report_.plan.protocol;
    report_.facts = {
        {"runs of " + std::to_string(report_.plan.runs.size()), std::to_string(runs.size())},
        {"methods", std::to_string(report_.plan.cells.size())},
        {"domains", std::to_string(runs[0].domains.size())},
        {"classes", std::to_string(runs[0].classes.size())}};
    draw_cells();
    finish();
    return written_;
  }

 private:
  bool is_done(const PlannedRun& r) const {
    std::error_code error;
    return fs::exists(folder_ + "/" + r.folder + "/DONE", error);
  }

  void write(const std::string& name, const std::string& text) {
    written_.push_back(folder_ + "/report/" + name);
    write_file_atomically(written_.back(), text);
  }

  // A fold, seed and left-out domain that all of these cells have finished, or nothing.
  std::vector<const PlannedRun*> common_runs(const std::vector<std::string>& cells) const {
    const auto find = [&](const std::string& cell, const PlannedRun& like) -> const PlannedRun* {
      for (const PlannedRun& r : report_.plan.runs)
        if (r.cell == cell && r.unseen == like.unseen && r.fold == like.fold &&
            r.seed == like.seed && is_done(r))
          return &r;
      return nullptr;
    };
    for (const PlannedRun& first : report_.plan.runs) {
      if (first.cell != cells[0]) continue;
      std::vector<const PlannedRun*> out;
      for (const std::string& cell : cells)
        if (const PlannedRun* r = find(cell, first)) out.push_back(r);
      if (out.size() == cells.size()) return out;
    }
    return {};
  }

  // Embeddings of the methods that are compared. Without the images the page does without.
  void draw_cells() {
    std::vector<std::string> cells, labels = method_labels(report_.methods), names;
    for (const size_t i : methods_to_compare(report_.methods)) {
      cells.push_back(report_.methods[i].cell);
      names.push_back(labels[i]);
    }
    const std::vector<const PlannedRun*> runs = common_runs(cells);
    try {
      for (size_t i = 0; i < runs.size(); ++i) draw_run(names[i], *runs[i]);
    } catch (const DataError& e) {
      console().warn(std::string("no embeddings: ") + e.what());
    } catch (const FileError& e) {
      console().warn(std::string("no embeddings: ") + e.what());
    }
  }

  void draw_run(const std::string& name, const PlannedRun& r) {
    console().status("report: " + r.folder);
    const std::string run = folder_ + "/" + r.folder;
    const TrainedModel trained = load_trained(run, "best", device_);
    DataChoice all;
    all.split = "all";
    const ChosenData data = choose_data(run, trained, all);
    const Dataset& dataset = data.task.dataset;
    EmbeddedCells cells;
    std::vector<bool> keep(dataset.samples.size());
    for (const auto& [role, part] : spread_cells(data.task.split)) {
      add_cells(cells, evaluate(trained, dataset, part, role, true), dataset);
      for (const int64_t i : part) keep[static_cast<size_t>(i)] = true;
    }
    console().status("");
    if (cells.rows.width < 2) return;
    const Plane plane = plane_of(trained, cells);
    if (!page_) {
      std::vector<int64_t> every(dataset.samples.size());
      for (size_t i = 0; i < every.size(); ++i) every[i] = static_cast<int64_t>(i);
      report_.counts = counts_table(dataset, class_counts(dataset, every));
      Task few;
      few.dataset = dataset;
      keep_samples(few.dataset, keep);
      page_.emplace(report_.title, trained, few);
    }
    page_->add(name, cells, plane);
    add_figures(name, r, trained, dataset, cells, plane);
  }

  static ReportTable counts_table(const Dataset& dataset,
                                  const std::vector<std::vector<int64_t>>& counts) {
    ReportTable out(1, {"class"});
    for (const std::string& d : dataset.domains) out[0].push_back(escape_control(d));
    for (size_t c = 0; c < counts.size(); ++c) {
      out.push_back({escape_control(dataset.classes[c])});
      for (const int64_t n : counts[c]) out.back().push_back(n > 0 ? std::to_string(n) : "–");
    }
    return out;
  }

  void add_figures(const std::string& name, const PlannedRun& r, const TrainedModel& trained,
                   const Dataset& dataset, const EmbeddedCells& cells, const Plane& plane) {
    std::map<std::string, int64_t> domain;
    for (const Sample& s : dataset.samples) domain.emplace(escape_control(s.id), s.domain);
    EmbeddingFigure figure;
    figure.title = name + " by class";
    figure.x_label = plane.x_label;
    figure.y_label = plane.y_label;
    figure.classes = trained.classes;
    figure.colors = class_colors(trained);
    figure.order = class_order(trained);
    figure.points = plane.places;
    figure.labels = cells.rows.labels;
    figure.ellipses = false;
    std::string unseen;
    for (const std::string& u : r.unseen) unseen += (unseen.empty() ? "" : ", ") + u;
    figure.note =
        std::to_string(cells.size()) + " cells" + (unseen.empty() ? "" : "; unseen: " + unseen);
    add_figure("embedding-" + r.cell + "-class.svg", figure);
    figure.title = name + " by domain";
    figure.classes.clear();
    figure.colors.clear();
    figure.order.clear();
    for (size_t d = 0; d < dataset.domains.size(); ++d) {
      const std::string& label = dataset.domains[d];
      const bool out = std::find(r.unseen.begin(), r.unseen.end(), label) != r.unseen.end();
      figure.classes.push_back(label + (out ? " (unseen)" : ""));
      figure.colors.push_back(domain_colors[d % domain_colors.size()]);
    }
    for (size_t i = 0; i < cells.names.size(); ++i) figure.labels[i] = domain.at(cells.names[i]);
    add_figure("embedding-" + r.cell + "-domain.svg", figure);
  }

  void add_figure(const std::string& file, const EmbeddingFigure& figure) {
    report_.embeddings.emplace_back(figure.title, embedding_svg(figure));
    write(file, report_.embeddings.back().second);
  }

  void finish() {
    const std::vector<MethodSummary>& methods = report_.methods;
    write("tables.md", domain_markdown(methods, report_.plan));
    write("table.csv", domain_summary_csv(methods));
    write("table.json", domain_summary_json(methods, report_.plan.protocol));
    write("table1.csv", csv_of(domain_table(methods, false)));
    if (const ReportTable second = domain_table(methods, true); second.size() > 1)
      write("table2.csv", csv_of(second));
    for (const MethodSummary& m : methods)
      for (const bool share : {false, true}) {
        const std::string end = m.cell + (share ? "-share.csv" : ".csv");
        write("confusion-held-" + end, confusion_csv(m.held.sum.confusion, m.classes, share));
        if (m.outside)
          write("confusion-unseen-" + end,
                confusion_csv(m.outside->sum.confusion, m.classes, share));
      }
    write("domains.svg", bar_chart_svg(domain_chart(methods)));
    if (page_) {
      report_.page = "embedding.html";
      write(report_.page, page_->html());
    }
    write("index.html", domain_report_html(report_));
    std::swap(written_.front(), written_.back());
  }

  std::string folder_;
  Device device_;
  DomainReport report_;
  std::optional<PageBuilder> page_;
  std::vector<std::string> written_;
};

}  // namespace

std::vector<std::string> write_domain_report(const std::string& folder, Device device) {
  return Writer(folder, device).run();
}

}  // namespace cytograd::cli
