#pragma once

#include "cli/session.h"
#include "cytograd/train/domain_summary.h"
#include "cytograd/train/report.h"
#include "cytograd/train/run_folder.h"

namespace cytograd::cli {

/// Pools and splits an evaluation by domain. @param seen per class: did training hold a cell of it?
PartScores part_scores(const Evaluation& evaluation, const Dataset& dataset,
                       const std::vector<bool>& seen);

/// Scores of the held-back part, and of the unseen domains, which are evaluated here.
DomainRun score_domains(const TrainedModel& trained, const Task& task, const Evaluation& held,
                        double seconds);

/// domains.json, domains.csv and report/confusion-ROLE.csv with report/confusion-ROLE-share.csv.
void write_domain_run(const RunFolder& folder, const DomainRun& run);

/// A few lines for people: each domain of a part with its scores. Empty for one domain.
std::string domains_text(const PartScores& part, const std::vector<std::string>& classes);
/// The same as a table: part, domain, images, F1 micro and macro, ECE, lowest recall. With header.
ReportTable domains_table(const std::vector<PartScores>& parts,
                          const std::vector<std::string>& classes);

}  // namespace cytograd::cli
