#include <algorithm>
#include <map>
#include <set>

#include "cytograd/io/text.h"
#include "cytograd/report/domain_report.h"
#include "report/page.h"

namespace cytograd {
namespace {

const PartSummary* part_of(const MethodSummary& m, bool outside) {
  if (!outside) return &m.held;
  return m.outside ? &*m.outside : nullptr;
}

std::string spread_text(const Spread& s, int digits = 3) {
  if (s.count == 0) return "n/a";
  if (s.count == 1) return format_fixed(s.mean, digits);  // nothing to deviate from
  return format_fixed(s.mean, digits) + " ± " + format_fixed(s.population, digits);
}

// The names of methods as papers print them.
std::string method_label(const std::string& method) {
  static const std::map<std::string, std::string> names = {
      {"ce", "CE"},     {"erm", "ERM"},   {"coral", "CORAL"},
      {"dann", "DANN"}, {"boda", "BoDA"}, {"boda-plus", "BoDA+"}};
  const auto at = names.find(method);
  return at == names.end() ? method : at->second;
}

std::vector<std::string> domains_of(const std::vector<MethodSummary>& methods, bool outside) {
  std::vector<std::string> out;
  for (const MethodSummary& m : methods)
    if (const PartSummary* p = part_of(m, outside))
      for (const DomainScore& d : p->domain_sums)
        if (std::find(out.begin(), out.end(), d.domain) == out.end()) out.push_back(d.domain);
  return out;
}

bool any_outside(const std::vector<MethodSummary>& methods) {
  return std::any_of(methods.begin(), methods.end(),
                     [](const MethodSummary& m) { return m.outside.has_value(); });
}

}  // namespace

std::vector<std::string> method_labels(const std::vector<MethodSummary>& methods) {
  std::map<std::string, int> used;
  for (const MethodSummary& m : methods) ++used[m.method];
  std::vector<std::string> out;
  for (const MethodSummary& m : methods)
    out.push_back(used[m.method] > 1 ? escape_control(m.cell) : method_label(m.method));
  return out;
}

ReportTable domain_table(const std::vector<MethodSummary>& methods, bool outside) {
  ReportTable out = {
      {"method", "F1 micro", "F1 macro", "worst domain", "worst group", "ECE", "runs"}};
  const std::vector<std::string> labels = method_labels(methods);
  for (size_t i = 0; i < methods.size(); ++i) {
    const MethodSummary& m = methods[i];
    const PartSummary* p = part_of(m, outside);
    if (!p) continue;
    const std::string runs =
        std::to_string(m.runs) +
        (m.runs < m.runs_expected ? "/" + std::to_string(m.runs_expected) : "");
    out.push_back({labels[i], spread_text(p->f1_micro), spread_text(p->f1_macro),
                   spread_text(p->worst_domain), spread_text(p->worst_group), spread_text(p->ece),
                   runs});
  }
  return out;
}

ReportTable worst_table(const std::vector<MethodSummary>& methods, bool outside) {
  ReportTable out = {{"method", "worst domain", "F1 macro", "worst group", "recall", "cells"}};
  const std::vector<std::string> labels = method_labels(methods);
  for (size_t i = 0; i < methods.size(); ++i) {
    const PartSummary* p = part_of(methods[i], outside);
    if (!p || !p->worst || p->lowest_domain.empty()) continue;
    out.push_back({labels[i], p->lowest_domain, spread_text(p->domains.at(p->lowest_domain)),
                   p->domain_sums[static_cast<size_t>(p->worst->domain)].domain + ", " +
                       escape_control(methods[i].classes[static_cast<size_t>(p->worst->label)]),
                   format_fixed(p->worst->recall, 3), std::to_string(p->worst->support)});
  }
  return out;
}

ReportTable by_domain_table(const std::vector<MethodSummary>& methods, bool outside) {
  const std::vector<std::string> domains = domains_of(methods, outside);
  ReportTable out(1, {"method"});
  out[0].insert(out[0].end(), domains.begin(), domains.end());
  const std::vector<std::string> labels = method_labels(methods);
  for (size_t i = 0; i < methods.size(); ++i) {
    const PartSummary* p = part_of(methods[i], outside);
    if (!p) continue;
    out.push_back({labels[i]});
    for (const std::string& d : domains) {
      const auto at = p->domains.find(d);
      out.back().push_back(at == p->domains.end() ? "n/a" : spread_text(at->second));
    }
  }
  return out;
}

ReportTable by_class_table(const std::vector<MethodSummary>& methods, bool outside) {
  ReportTable out(1, {"class"});
  if (methods.empty()) return out;
  const std::vector<std::string> labels = method_labels(methods);
  std::vector<const PartSummary*> parts;
  for (size_t i = 0; i < methods.size(); ++i)
    if (const PartSummary* p = part_of(methods[i], outside);
        p && methods[i].classes == methods[0].classes) {
      parts.push_back(p);
      out[0].push_back(labels[i]);
    }
  out[0].push_back("cells");
  for (size_t c = 0; c < methods[0].classes.size() && !parts.empty(); ++c) {
    out.push_back({escape_control(methods[0].classes[c])});
    for (const PartSummary* p : parts) out.back().push_back(spread_text(p->per_class[c]));
    out.back().push_back(std::to_string(parts[0]->sum.scores.per_class[c].support));
  }
  return out;
}

std::string domain_text(const std::vector<MethodSummary>& methods) {
  if (methods.empty()) return "no run is finished\n";
  std::string out =
      "Table 1: held-back cells of the training domains\n" + aligned(domain_table(methods, false));
  if (!any_outside(methods)) return out;
  out += "\nTable 2: unseen domains\n" + aligned(domain_table(methods, true));
  if (domains_of(methods, true).size() > 1)
    out += "\nMacro-F1 by unseen domain\n" + aligned(by_domain_table(methods, true));
  out += "\nWho comes off worst there, all runs added up\n" + aligned(worst_table(methods, true));
  return out;
}

std::string domain_markdown(const std::vector<MethodSummary>& methods, const GridPlan& plan) {
  std::string out =
      "# Methods over domains\n\nProtocol " + plan.protocol +
      ". Mean ± standard deviation (n) over folds and seeds; where each domain is left out in "
      "turn, the value of a seed is the mean over the domains. Worst domain: lowest macro-F1 of a "
      "domain; worst group: lowest recall of a class in a domain. `n/a`: no cell of it.\n\n"
      "## Table 1: held-back cells of the training domains\n\n" +
      markdown_table(domain_table(methods, false)) +
      "\nWho comes off worst, all runs added up:\n\n" + markdown_table(worst_table(methods, false));
  if (any_outside(methods))
    out += "\n## Table 2: unseen domains\n\n" + markdown_table(domain_table(methods, true)) +
           "\nWho comes off worst, all runs added up:\n\n" +
           markdown_table(worst_table(methods, true)) + "\n## Macro-F1 by unseen domain\n\n" +
           markdown_table(by_domain_table(methods, true));
  out += "\n## Macro-F1 by training domain\n\n" + markdown_table(by_domain_table(methods, false)) +
         "\n## F1 of each class, training domains\n\n" +
         markdown_table(by_class_table(methods, false));
  if (any_outside(methods))
    out +=
        "\n## F1 of each class, unseen domains\n\n" + markdown_table(by_class_table(methods, true));
  return out;
}

BarChart domain_chart(const std::vector<MethodSummary>& methods) {
  BarChart out;
  out.title = "Macro-F1 by domain";
  out.y_label = "macro-F1, mean ± sd";
  out.series = method_labels(methods);
  for (const bool outside : {false, true}) {
    BarChart::Panel panel;
    panel.name = outside ? "unseen" : "trained on, held-back cells";
    for (const std::string& d : domains_of(methods, outside)) {
      BarChart::Group group{d, {}};
      for (const MethodSummary& m : methods) {
        const PartSummary* p = part_of(m, outside);
        const bool here = p && p->domains.contains(d);
        group.bars.push_back(here ? std::optional<Spread>(p->domains.at(d)) : std::nullopt);
      }
      panel.groups.push_back(group);
    }
    if (!panel.groups.empty()) out.panels.push_back(panel);
  }
  return out;
}

std::vector<size_t> methods_to_compare(const std::vector<MethodSummary>& methods) {
  if (methods.empty()) return {};
  const auto value = [&](size_t i) {
    const PartSummary* p = part_of(methods[i], any_outside(methods));
    return p && p->f1_macro.count > 0 ? p->f1_macro.mean : -1.0;
  };
  size_t best = 0;
  for (size_t i = 1; i < methods.size(); ++i)
    if (methods[i].classes == methods[0].classes && (best == 0 || value(i) > value(best))) best = i;
  return best == 0 ? std::vector<size_t>{0} : std::vector<size_t>{0, best};
}

}  // namespace cytograd
