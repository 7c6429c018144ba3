#include "cytograd/train/domain_summary.h"

#include <algorithm>

#include "cytograd/core/error.h"

namespace cytograd {
namespace {

using Part = const PartScores* (*)(const DomainRun&);
using Value = std::optional<double> (*)(const PartScores&);

const PartScores* held_of(const DomainRun& run) { return &run.held; }
const PartScores* outside_of(const DomainRun& run) { return run.outside ? &*run.outside : nullptr; }

std::optional<double> worst_domain_of(const PartScores& p) {
  if (p.worst_domain < 0) return {};
  return p.domains[static_cast<size_t>(p.worst_domain)].scores.f1_macro;
}
std::optional<double> worst_group_of(const PartScores& p) {
  if (!p.worst) return {};
  return p.worst->recall;
}

// Runs of one fold and seed; they differ in the domains left out.
using Replicates = std::vector<std::vector<const PartScores*>>;

Replicates replicates_of(const std::vector<const DomainRun*>& runs, Part part, int64_t choices) {
  std::map<std::pair<int64_t, int64_t>, std::vector<const PartScores*>> all;
  for (const DomainRun* run : runs)
    if (const PartScores* p = part(*run)) all[{run->fold, run->seed}].push_back(p);
  Replicates out;
  for (auto& [key, list] : all)
    if (static_cast<int64_t>(list.size()) == choices) out.push_back(std::move(list));
  return out;
}

Spread over(const Replicates& replicates, Value value, bool lowest = false) {
  std::vector<double> values;
  for (const auto& list : replicates) {
    double sum = 0, low = 0, count = 0;
    for (const PartScores* p : list) {
      const std::optional<double> v = value(*p);
      if (!v) continue;
      low = count == 0 ? *v : std::min(low, *v);
      sum += *v;
      ++count;
    }
    if (count > 0) values.push_back(lowest ? low : sum / count);
  }
  return spread_of(values);
}

// F1 of a class where a cell of it was scored.
Spread over_class(const Replicates& replicates, size_t c) {
  std::vector<double> values;
  for (const auto& list : replicates) {
    double sum = 0, count = 0;
    for (const PartScores* p : list) {
      const ClassScore& s = p->pooled.scores.per_class[c];
      if (s.support == 0 || !s.f1) continue;
      sum += *s.f1;
      ++count;
    }
    if (count > 0) values.push_back(sum / count);
  }
  return spread_of(values);
}

void add_sums(PartSummary& out, const std::vector<const DomainRun*>& runs, Part part) {
  std::map<std::string, std::vector<double>> macro, micro;
  bool first = true;
  for (const DomainRun* run : runs) {
    const PartScores* p = part(*run);
    if (!p) continue;
    const std::vector<bool> seen = run->seen();
    out.sum = first ? p->pooled : sum_of(out.sum, p->pooled, seen);
    first = false;
    for (const DomainScore& d : p->domains) {
      if (d.scores.f1_macro) macro[d.domain].push_back(*d.scores.f1_macro);
      if (d.scores.f1_micro) micro[d.domain].push_back(*d.scores.f1_micro);
      const auto at = std::find_if(out.domain_sums.begin(), out.domain_sums.end(),
                                   [&](const DomainScore& s) { return s.domain == d.domain; });
      if (at == out.domain_sums.end())
        out.domain_sums.push_back(d);
      else
        *at = sum_of(*at, d, seen);
    }
  }
  // In the order of the data set, whichever was left out first.
  const std::vector<std::string>& order = runs.front()->domains;
  const auto place = [&](const DomainScore& d) {
    return std::find(order.begin(), order.end(), d.domain) - order.begin();
  };
  std::stable_sort(out.domain_sums.begin(), out.domain_sums.end(),
                   [&](const DomainScore& a, const DomainScore& b) { return place(a) < place(b); });
  for (const auto& [name, values] : macro) out.domains[name] = spread_of(values);
  for (const auto& [name, values] : micro) out.domains_micro[name] = spread_of(values);
  out.worst = worst_group(out.domain_sums);
  for (const DomainScore& d : out.domain_sums)
    if (out.domains.contains(d.domain) &&
        (out.lowest_domain.empty() ||
         out.domains[d.domain].mean < out.domains[out.lowest_domain].mean))
      out.lowest_domain = d.domain;
}

PartSummary summarise_part(const std::vector<const DomainRun*>& runs, Part part, int64_t choices) {
  const Replicates r = replicates_of(runs, part, choices);
  PartSummary out;
  out.f1_micro = over(r, [](const PartScores& p) { return p.pooled.scores.f1_micro; });
  out.f1_macro = over(r, [](const PartScores& p) { return p.pooled.scores.f1_macro; });
  out.f1_macro_seen = over(r, [](const PartScores& p) { return p.pooled.seen.f1_macro; });
  out.f1_macro_missing = over(r, [](const PartScores& p) { return p.pooled.missing.f1_macro; });
  out.ece = over(r, [](const PartScores& p) { return p.pooled.ece(); });
  out.worst_domain = over(r, worst_domain_of, true);
  out.worst_group = over(r, worst_group_of, true);
  for (size_t c = 0; c < runs.front()->classes.size(); ++c)
    out.per_class.push_back(over_class(r, c));
  add_sums(out, runs, part);
  return out;
}

}  // namespace

std::vector<bool> DomainRun::seen() const {
  std::vector<bool> out;
  for (const auto& row : counts)
    out.push_back(std::any_of(row.begin(), row.end(), [](int64_t n) { return n > 0; }));
  return out;
}

std::vector<MethodSummary> summarise_domains(const std::vector<DomainRun>& runs, int64_t expected,
                                             int64_t choices) {
  std::vector<std::pair<std::string, std::vector<const DomainRun*>>> cells;
  for (const DomainRun& run : runs) {
    auto at = std::find_if(cells.begin(), cells.end(),
                           [&](const auto& c) { return c.first == run.cell; });
    if (at == cells.end()) at = cells.insert(cells.end(), {run.cell, {}});
    at->second.push_back(&run);
  }
  std::vector<MethodSummary> out;
  for (const auto& [name, list] : cells) {
    for (const DomainRun* run : list)
      if (run->classes != list.front()->classes)
        throw DataError(Fault{"run.checkpoint", name, "", "runs with different classes",
                              "one list of classes",
                              "the data changed between runs; start again in another folder"});
    MethodSummary m;
    m.cell = name;
    m.method = list.front()->method;
    m.runs = static_cast<int64_t>(list.size());
    m.runs_expected = expected;
    m.classes = list.front()->classes;
    m.replicates =
        static_cast<int64_t>(replicates_of(list, held_of, std::max<int64_t>(choices, 1)).size());
    m.held = summarise_part(list, held_of, choices);
    if (std::any_of(list.begin(), list.end(),
                    [](const DomainRun* r) { return r->outside.has_value(); }))
      m.outside = summarise_part(list, outside_of, choices);
    out.push_back(std::move(m));
  }
  return out;
}

}  // namespace cytograd
