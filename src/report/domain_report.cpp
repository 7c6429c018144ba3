#include "cytograd/report/domain_report.h"

#include "cytograd/io/text.h"
#include "report/page.h"

namespace cytograd {
namespace {

std::string protocol_text(const DomainReport& r) {
  const std::string spread =
      " Mean ± standard deviation (n) over folds and seeds; the file table.json also has that with "
      "n - 1.";
  if (r.plan.protocol == "leave-one-domain-out")
    return "Each of " + std::to_string(r.plan.choices) +
           " domains is left out in turn; the value of a seed is the mean over them." + spread;
  return "" + spread.substr(1);
}

std::string confusion_pair(const DomainReport& r, bool outside) {
  const std::vector<std::string> labels = method_labels(r.methods);
  std::vector<ConfusionPanel> panels;
  for (const size_t i : methods_to_compare(r.methods)) {
    const MethodSummary& m = r.methods[i];
    if (outside && !m.outside) continue;
    panels.push_back({labels[i], (outside ? *m.outside : m.held).sum.confusion});
  }
  if (panels.empty()) return "";
  const std::string title = outside ? "Unseen domains, all runs" : "Training domains, all runs";
  return figure_html("Confusion: " + title, confusion_svg(title, r.methods[0].classes, panels));
}

std::string reliability_of_methods(const DomainReport& r, bool outside) {
  const std::vector<std::string> labels = method_labels(r.methods);
  std::vector<ReliabilityPanel> panels;
  for (size_t i = 0; i < r.methods.size() && panels.size() < 5; ++i) {
    const MethodSummary& m = r.methods[i];
    if (outside && !m.outside) continue;
    panels.push_back({labels[i], (outside ? *m.outside : m.held).sum.reliability});
  }
  if (panels.empty()) return "";
  const std::string title = outside ? "Unseen domains" : "Training domains";
  return figure_html("Reliability: " + title, reliability_svg(title, panels));
}

std::string class_section(const DomainReport& r, bool outside) {
  return "<details" + std::string(outside ? " open" : "") + "><summary>" +
         (outside ? "unseen domains" : "training domains") + "</summary>" +
         table_html(by_class_table(r.methods, outside)) + "</details>";
}

}  // namespace

std::string domain_report_html(const DomainReport& r) {
  std::string out = page_begin(r.title, r.subtitle, r.facts);
  if (!r.page.empty())
    out += "<p><a href=\"" + html_text(r.page) +
           "\">All cells in the plane, interactive</a>: coloured by class, domain, part, right or "
           "wrong; pointing at one shows its image.</p>";
  const ReportTable second = domain_table(r.methods, true);
  const bool outside = second.size() > 1;
  out += "<p>" + protocol_text(r) +
         " Worst domain: lowest macro-F1 of a domain. Worst group: lowest recall of a class in a "
         "domain. Below each table: which they are, all runs added up.</p>";
  out += "<h2>Table 1: held-back cells of the training domains</h2>" +
         table_html(domain_table(r.methods, false)) + "<p></p>" +
         table_html(worst_table(r.methods, false));
  if (outside) {
    out += "<h2>Table 2: unseen domains</h2>" + table_html(second) + "<p></p>" +
           table_html(worst_table(r.methods, true));
    if (const ReportTable by = by_domain_table(r.methods, true); by[0].size() > 2)
      out += "<h2>Macro-F1 by unseen domain</h2>" + table_html(by);
  }
  out += "<h2>Domains</h2>" +
         figure_html("Macro-F1 by domain and method", bar_chart_svg(domain_chart(r.methods))) +
         "<p>Bars: mean, whiskers: standard deviation over runs.</p>";
  out +=
      "<h2>Confusion</h2><p>Two methods side by side: the first, and of the others the best on "
      "unseen domains. Numbers are percent of the true class, below them cells; all runs added "
      "up. n/a: no cell of the class.</p><div class=\"pair\">";
  if (outside) out += confusion_pair(r, true);
  out += confusion_pair(r, false) + "</div>";
  out += "<h2>F1 of each class</h2>";
  if (outside) out += class_section(r, true);
  out += class_section(r, false);
  out +=
      "<h2>Calibration</h2><p>How often predictions of a confidence are right.</p><div "
      "class=\"pair\">";
  if (outside) out += reliability_of_methods(r, true);
  out += reliability_of_methods(r, false) + "</div>";
  if (!r.embeddings.empty()) {
    out += "<h2>Embeddings</h2><div class=\"pair\">";
    for (const auto& [name, svg] : r.embeddings) out += figure_html(name, svg);
    out += "</div>";
  }
  if (r.counts.size() > 1)
    out += "<h2>Data</h2><p>Images per class and domain; – where a domain lacks the class.</p>" +
           table_html(r.counts);
  return out + "</body></html>\n";
}

}  // namespace cytograd
