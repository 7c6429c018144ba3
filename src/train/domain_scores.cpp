#include "cytograd/train/domain_scores.h"

#include "cytograd/core/error.h"

namespace cytograd {
namespace {

ClassSubset subset_of(const Confusion& confusion, const Scores& scores,
                      const std::vector<bool>& seen, bool wanted) {
  ClassSubset out;
  double sum = 0;
  int64_t hits = 0;
  for (size_t c = 0; c < seen.size(); ++c) {
    if (seen[c] != wanted) continue;
    const auto label = static_cast<int64_t>(c);
    out.n += scores.per_class[c].support;
    hits += confusion.at(label, label);
    if (!scores.per_class[c].f1) continue;
    ++out.classes;
    sum += *scores.per_class[c].f1;
  }
  if (out.classes > 0) out.f1_macro = sum / static_cast<double>(out.classes);
  if (out.n > 0) out.accuracy = static_cast<double>(hits) / static_cast<double>(out.n);
  return out;
}

// The cells of one domain, or of all for -1.
DomainScore score_domain(const ScoredCells& cells, int64_t domain, const std::string& name,
                         const std::vector<bool>& seen) {
  Confusion confusion(static_cast<int64_t>(seen.size()));
  std::vector<double> confidence;
  std::vector<uint8_t> correct;
  for (size_t i = 0; i < cells.labels.size(); ++i) {
    if (domain >= 0 && cells.domains[i] != domain) continue;
    confusion.add(cells.labels[i], cells.predicted[i]);
    confidence.push_back(cells.confidence[i]);
    correct.push_back(cells.labels[i] == cells.predicted[i]);
  }
  return domain_score(name, confusion, reliability_of(confidence, correct), seen);
}

}  // namespace

DomainScore domain_score(const std::string& name, const Confusion& confusion,
                         const Reliability& reliability, const std::vector<bool>& seen) {
  check<ShapeError>(confusion.classes() == static_cast<int64_t>(seen.size()), "domain_score",
                    "expected ", seen.size(), " classes, got ", confusion.classes());
  DomainScore out;
  out.domain = name;
  out.confusion = confusion;
  out.scores = scores_of(confusion);
  out.reliability = reliability;
  out.seen = subset_of(confusion, out.scores, seen, true);
  out.missing = subset_of(confusion, out.scores, seen, false);
  return out;
}

DomainScore sum_of(const DomainScore& a, const DomainScore& b, const std::vector<bool>& seen) {
  const int64_t classes = a.confusion.classes();
  check<ShapeError>(
      b.confusion.classes() == classes && a.reliability.bins.size() == b.reliability.bins.size(),
      "sum_of", "expected ", classes, " classes and ", a.reliability.bins.size(), " bins, got ",
      b.confusion.classes(), " and ", b.reliability.bins.size());
  Confusion confusion = a.confusion;
  for (int64_t t = 0; t < classes; ++t)
    for (int64_t p = 0; p < classes; ++p) confusion.add(t, p, b.confusion.at(t, p));
  std::vector<Reliability::Bin> bins = a.reliability.bins;
  for (size_t i = 0; i < bins.size(); ++i) {
    const Reliability::Bin& more = b.reliability.bins[i];
    const int64_t n = bins[i].count + more.count;
    if (n == 0) continue;
    const double share = static_cast<double>(more.count) / static_cast<double>(n);
    bins[i].confidence += share * (more.confidence - bins[i].confidence);
    bins[i].accuracy += share * (more.accuracy - bins[i].accuracy);
    bins[i].count = n;
  }
  return domain_score(a.domain, confusion, reliability_from(bins), seen);
}

void ScoredCells::add(int64_t domain, int64_t label, int64_t guess, double p) {
  domains.push_back(domain);
  labels.push_back(label);
  predicted.push_back(guess);
  confidence.push_back(p);
}

std::optional<double> DomainScore::ece() const {
  if (reliability.n == 0) return {};
  return reliability.ece;
}

std::optional<WorstGroup> worst_group(const std::vector<DomainScore>& domains) {
  std::optional<WorstGroup> out;
  for (size_t d = 0; d < domains.size(); ++d)
    for (size_t c = 0; c < domains[d].scores.per_class.size(); ++c) {
      const ClassScore& s = domains[d].scores.per_class[c];
      if (!s.recall || (out && *s.recall >= out->recall)) continue;
      out = WorstGroup{static_cast<int64_t>(d), static_cast<int64_t>(c), *s.recall, s.support};
    }
  return out;
}

void find_worst(PartScores& part) {
  const auto f1 = [&](size_t at) { return part.domains[at].scores.f1_macro.value_or(0); };
  part.worst_domain = -1;
  for (size_t d = 0; d < part.domains.size(); ++d)
    if (part.worst_domain < 0 || f1(d) < f1(static_cast<size_t>(part.worst_domain)))
      part.worst_domain = static_cast<int64_t>(d);
  part.worst = worst_group(part.domains);
}

PartScores score_part(const std::string& role, const ScoredCells& cells,
                      const std::vector<std::string>& names, const std::vector<bool>& seen) {
  const size_t n = cells.labels.size();
  check<ShapeError>(
      cells.domains.size() == n && cells.predicted.size() == n && cells.confidence.size() == n,
      "score_part", "expected ", n, " domains, predictions and confidences, got ",
      cells.domains.size(), ", ", cells.predicted.size(), " and ", cells.confidence.size());
  std::vector<bool> present(names.size());
  for (const int64_t d : cells.domains) {
    check<ValueError>(d >= 0 && d < static_cast<int64_t>(names.size()), "score_part",
                      "expected domains below ", names.size(), ", got ", d);
    present[static_cast<size_t>(d)] = true;
  }
  PartScores out;
  out.role = role;
  out.pooled = score_domain(cells, -1, "", seen);
  for (size_t d = 0; d < names.size(); ++d)
    if (present[d])
      out.domains.push_back(score_domain(cells, static_cast<int64_t>(d), names[d], seen));
  find_worst(out);
  return out;
}

}  // namespace cytograd
