#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cytograd/report/figures.h"
#include "cytograd/report/grid_table.h"
#include "cytograd/train/domain_summary.h"
#include "cytograd/train/report.h"

/// @file
/// Tables and page of a cross-validation over domains: Table 1 the training domains, Table 2 what
/// no method saw. docs/domains.md.

namespace cytograd {

/// "ERM", "CORAL", "BoDA+"; cells that share a method keep their own names.
std::vector<std::string> method_labels(const std::vector<MethodSummary>& methods);

/// Methods down: F1 micro and macro, worst domain, worst group, ECE as mean ± sd, and the runs.
/// @param outside of the unseen domains, else of the training domains
ReportTable domain_table(const std::vector<MethodSummary>& methods, bool outside);
/// The domain with the lowest macro-F1 and the (domain, class) with the lowest recall over all runs
/// of each method.
ReportTable worst_table(const std::vector<MethodSummary>& methods, bool outside);
/// Macro-F1, methods by domains.
ReportTable by_domain_table(const std::vector<MethodSummary>& methods, bool outside);
/// F1 of each class, classes by methods; n/a where no domain of the part has a cell of it.
ReportTable by_class_table(const std::vector<MethodSummary>& methods, bool outside);

/// Tables 1 and 2 for a terminal.
std::string domain_text(const std::vector<MethodSummary>& methods);
/// All tables as Markdown.
std::string domain_markdown(const std::vector<MethodSummary>& methods, const GridPlan& plan);

/// Macro-F1 by domain, a bar per method, the training domains and the unseen ones beside each
/// other.
BarChart domain_chart(const std::vector<MethodSummary>& methods);

/// The two to set side by side: the first method and, of the others, the best on unseen domains
/// (of one protocol without them, on the held-back part). One if there is one.
std::vector<size_t> methods_to_compare(const std::vector<MethodSummary>& methods);

struct DomainReport {
  std::string title, subtitle, page;  ///< page: link to the interactive one, or empty
  std::vector<std::pair<std::string, std::string>> facts;
  GridPlan plan;
  std::vector<MethodSummary> methods;
  ReportTable counts;  ///< cells per class and domain
  /// SVG with their names: cells in the plane by class and by domain.
  std::vector<std::pair<std::string, std::string>> embeddings;
};
/// One page without script that loads nothing from elsewhere.
std::string domain_report_html(const DomainReport& report);

}  // namespace cytograd
