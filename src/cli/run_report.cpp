#include <algorithm>
#include <filesystem>
#include <numeric>

#include "cli/domain_run.h"
#include "cli/embedding.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/train/report.h"

namespace cytograd::cli {
namespace {

ReportImage picture(const TrainedModel& trained, const Dataset& dataset, const Predictions& p,
                    size_t i) {
  const Sample& sample = dataset.samples[static_cast<size_t>(p.indices[i])];
  ReportImage out;
  out.picture = preview(read_sample(sample, trained.config.max_pixels), sample, trained.preprocess,
                        Augmentation::none(), Rng(0));
  out.name = sample.id;
  out.truth = trained.classes[static_cast<size_t>(p.labels[i])];
  out.predicted = trained.classes[static_cast<size_t>(p.predicted[i])];
  out.confidence = p.confidence(i);
  return out;
}

void add_pictures(Report& report, const TrainedModel& trained, const Dataset& dataset,
                  const Predictions& p) {
  std::vector<size_t> order(p.indices.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return p.confidence(a) > p.confidence(b); });
  std::vector<bool> shown(trained.classes.size());
  for (const size_t i : order) {
    const auto truth = static_cast<size_t>(p.labels[i]);
    const bool right = p.labels[i] == p.predicted[i];
    if (!right && report.worst.size() < 12) report.worst.push_back(picture(trained, dataset, p, i));
    if (right && !shown[truth] && report.best.size() < 24) {
      shown[truth] = true;
      report.best.push_back(picture(trained, dataset, p, i));
    }
  }
}

// 11,180,616
std::string grouped_digits(int64_t n) {
  std::string text = std::to_string(n);
  for (size_t end = text.size(); end > 3; end -= 3) text.insert(end - 3, ",");
  return text;
}

ReportTable data_table(const Task& task) {
  const ClassTable t = class_table(task.dataset, task.split.roles(task.dataset.size()));
  ReportTable out(1, {"class"});
  for (const std::string& domain : t.domains)
    for (const std::string& split : t.splits)
      out[0].push_back(t.domains.size() > 1 ? domain + " " + split : split);
  for (size_t c = 0; c < t.classes.size(); ++c) {
    out.push_back({t.classes[c]});
    for (size_t d = 0; d < t.domains.size(); ++d)
      for (size_t s = 0; s < t.splits.size(); ++s)
        out.back().push_back(std::to_string(t.at(c, d, s)));
  }
  return out;
}

void write_tables(const std::string& folder, const TrainedModel& trained, const Dataset& dataset,
                  const Evaluation& e) {
  std::vector<std::string> names = {"sample", "truth", "predicted"};
  for (const std::string& c : trained.classes) names.push_back("p_" + c);
  CsvWriter rows(folder + "/predictions.csv", names);
  for (size_t i = 0; i < e.predictions.indices.size(); ++i) {
    const Predictions& p = e.predictions;
    std::vector<std::string> row = {
        escape_control(dataset.samples[static_cast<size_t>(p.indices[i])].id),
        trained.classes[static_cast<size_t>(p.labels[i])],
        trained.classes[static_cast<size_t>(p.predicted[i])]};
    for (int64_t c = 0; c < p.classes; ++c) row.push_back(format_double(p.probability(i, c)));
    rows.row(row);
  }
  rows.commit();
  CsvWriter classes(folder + "/classes.csv",
                    std::vector<std::string>{"class", "images", "precision", "recall", "f1"});
  for (size_t c = 0; c < trained.classes.size(); ++c) {
    const ClassScore& s = e.scores.per_class[c];
    classes.row(std::vector<std::string>{trained.classes[c], std::to_string(s.support),
                                         score_text(s.precision), score_text(s.recall),
                                         score_text(s.f1)});
  }
  classes.commit();
}

// Domains of the part that is scored and, of the run's own data, of what it never saw.
ReportTable domain_rows(const std::string& run, const TrainedModel& trained, const Task& task,
                        const Evaluation& e) {
  const std::vector<bool> all(trained.classes.size(), true);
  std::vector<PartScores> parts = {part_scores(e, task.dataset, all)};
  std::error_code error;
  if (!task.split.unseen.empty() && e.role != "unseen" &&
      std::filesystem::exists(run + "/domains.json", error))
    if (const DomainRun stored = read_domain_run(run + "/domains.json", ""); stored.outside)
      parts.push_back(*stored.outside);
  if (parts.size() < 2 && parts[0].domains.size() < 2) return {};
  return domains_table(parts, trained.classes);
}

}  // namespace

std::string write_run_report(const std::string& run, const TrainedModel& trained, const Task& task,
                             const Evaluation& e) {
  Report report;
  report.title = "Run " + run.substr(run.find_last_of('/') + 1);
  report.subtitle = trained.config.model + ", " + std::to_string(trained.config.image_size) +
                    " px, " + grouped_digits(trained.model->parameter_count()) +
                    " parameters; scores of the " + e.role + " part with the weights of epoch " +
                    std::to_string(trained.epoch) + " of " + std::to_string(trained.config.epochs);
  report.facts = {{"macro-F1", score_text(e.scores.f1_macro, 3)},
                  {"accuracy", score_text(e.scores.accuracy, 3)},
                  {"calibration error", score_text(e.ece, 3)},
                  {e.role + " images", std::to_string(e.scores.n)}};
  // Other data than the run's have no part to train on.
  if (!task.split.train.empty())
    report.facts.emplace_back("training images", std::to_string(task.split.train.size()));
  report.metrics_csv = read_file(run + "/metrics.csv");
  report.classes = trained.classes;
  report.scores = e.scores;
  report.confusion = e.confusion;
  add_pictures(report, trained, task.dataset, e.predictions);
  EmbeddedCells cells;
  add_cells(cells, e, task.dataset);
  if (cells.size() > 0) report.reliability = reliability_panels(trained, cells);
  report.role = e.role + " part";
  report.data = data_table(task);
  report.domains = domain_rows(run, trained, task, e);
  report.environment = read_file(run + "/environment.json");
  report.config = read_file(run + "/config.toml");
  write_tables(run + "/report", trained, task.dataset, e);
  const std::string page = run + "/report/index.html";
  write_file_atomically(page, report_html(report));
  return page;
}

}  // namespace cytograd::cli
