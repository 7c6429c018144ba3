#include "cli/domain_run.h"

#include "cytograd/io/file.h"
#include "cytograd/io/text.h"

namespace cytograd::cli {
namespace {

std::string worst_text(const PartScores& part, size_t d, const std::vector<std::string>& classes) {
  const auto worst = worst_group({part.domains[d]});
  if (!worst) return "n/a";
  return format_fixed(worst->recall, 3) + " " +
         escape_control(classes[static_cast<size_t>(worst->label)]) + " (" +
         std::to_string(worst->support) + ")";
}

}  // namespace

PartScores part_scores(const Evaluation& evaluation, const Dataset& dataset,
                       const std::vector<bool>& seen) {
  const Predictions& p = evaluation.predictions;
  ScoredCells cells;
  for (size_t i = 0; i < p.indices.size(); ++i)
    cells.add(dataset.samples[static_cast<size_t>(p.indices[i])].domain, p.labels[i],
              p.predicted[i], p.confidence(i));
  return score_part(evaluation.role, cells, dataset.domains, seen);
}

DomainRun score_domains(const TrainedModel& trained, const Task& task, const Evaluation& held,
                        double seconds) {
  DomainRun out;
  out.method = trained.config.method;
  out.fold = trained.config.fold;
  out.seed = trained.config.seed;
  out.best_epoch = trained.epoch;
  out.seconds = seconds;
  out.classes = task.dataset.classes;
  out.domains = task.dataset.domains;
  out.counts = class_counts(task.dataset, task.split.train);
  out.held = part_scores(held, task.dataset, out.seen());
  if (task.split.unseen.empty()) return out;
  const Evaluation outside = evaluate(trained, task.dataset, task.split.unseen, "unseen");
  out.outside = part_scores(outside, task.dataset, out.seen());
  for (const DomainScore& d : out.outside->domains) out.unseen.push_back(d.domain);
  return out;
}

void write_domain_run(const RunFolder& folder, const DomainRun& run) {
  std::vector<PartScores> parts = {run.held};
  if (run.outside) parts.push_back(*run.outside);
  for (const PartScores& part : parts)
    for (const bool share : {false, true})
      write_file_atomically(
          folder.file("report/confusion-" + part.role + (share ? "-share" : "") + ".csv"),
          confusion_csv(part.pooled.confusion, run.classes, share));
  write_file_atomically(folder.file("domains.csv"), parts_csv(parts, run.classes));
  write_file_atomically(folder.file("domains.json"), domain_run_json(run));
}

ReportTable domains_table(const std::vector<PartScores>& parts,
                          const std::vector<std::string>& classes) {
  ReportTable out = {
      {"part", "domain", "images", "F1 micro", "F1 macro", "ECE", "lowest recall (images)"}};
  for (const PartScores& part : parts)
    for (size_t d = 0; d < part.domains.size(); ++d) {
      const DomainScore& s = part.domains[d];
      out.push_back({part.role, escape_control(s.domain), std::to_string(s.scores.n),
                     score_text(s.scores.f1_micro, 3), score_text(s.scores.f1_macro, 3),
                     score_text(s.ece(), 3), worst_text(part, d, classes)});
    }
  return out;
}

std::string domains_text(const PartScores& part, const std::vector<std::string>& classes) {
  if (part.domains.size() < 2 && part.role != "unseen") return "";
  return "\n" + aligned(domains_table({part}, classes));
}

}  // namespace cytograd::cli
