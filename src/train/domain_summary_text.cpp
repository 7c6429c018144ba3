#include <cmath>
#include <nlohmann/json.hpp>

#include "cytograd/core/error.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"
#include "cytograd/train/domain_summary.h"
#include "io/json.h"

namespace cytograd {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

Json texts(const std::vector<std::string>& list) {
  Json out = Json::array();
  for (const std::string& s : list) out.push_back(escape_control(s));
  return out;
}

Json json_of(const Spread& s) {
  if (s.count == 0) return nullptr;
  return {{"mean", s.mean}, {"sd", s.population}, {"sd_sample", s.sample}, {"count", s.count}};
}

Json counts_json(const Confusion& confusion) {
  Json out = Json::array();
  for (int64_t t = 0; t < confusion.classes(); ++t) {
    Json row = Json::array();
    for (int64_t p = 0; p < confusion.classes(); ++p) row.push_back(confusion.at(t, p));
    out.push_back(row);
  }
  return out;
}

// What JSON of a part holds beside what can be computed from it.
DomainScore score_from(const nlohmann::json& in, const std::string& name,
                       const std::vector<bool>& seen) {
  const auto classes = static_cast<int64_t>(seen.size());
  const auto rows = in.at("confusion").get<std::vector<std::vector<int64_t>>>();
  bool fits = static_cast<int64_t>(rows.size()) == classes;
  Confusion confusion(classes);
  for (size_t t = 0; fits && t < rows.size(); ++t) {
    fits = rows[t].size() == seen.size();
    for (size_t p = 0; fits && p < rows[t].size(); ++p) {
      fits = rows[t][p] >= 0;
      confusion.add(static_cast<int64_t>(t), static_cast<int64_t>(p), rows[t][p]);
    }
  }
  std::vector<Reliability::Bin> bins;
  for (const auto& b : in.at("reliability"))
    bins.push_back({b.at("n").get<int64_t>(), b.at("confidence").get<double>(),
                    b.at("accuracy").get<double>()});
  if (!fits || bins.size() != 15) throw ValueError("confusion matrix or bins do not fit");
  return domain_score(name, confusion, reliability_from(bins), seen);
}

PartScores part_from(const nlohmann::json& in, const std::vector<bool>& seen) {
  PartScores out;
  out.role = in.at("role").get<std::string>();
  out.pooled = score_from(in.at("pooled"), "", seen);
  for (const auto& d : in.at("domains"))
    out.domains.push_back(score_from(d, d.at("domain").get<std::string>(), seen));
  find_worst(out);
  return out;
}

Json part_summary(const PartSummary& p, const std::vector<std::string>& classes) {
  Json out = {{"f1_micro", json_of(p.f1_micro)},
              {"f1_macro", json_of(p.f1_macro)},
              {"f1_macro_seen_classes", json_of(p.f1_macro_seen)},
              {"f1_macro_missing_classes", json_of(p.f1_macro_missing)},
              {"ece", json_of(p.ece)},
              {"worst_domain_f1_macro", json_of(p.worst_domain)},
              {"worst_group_recall", json_of(p.worst_group)}};
  out["lowest_domain"] = nullptr;
  if (!p.lowest_domain.empty()) out["lowest_domain"] = p.lowest_domain;
  out["worst_group"] = nullptr;
  if (p.worst)
    out["worst_group"] = {{"domain", p.domain_sums[static_cast<size_t>(p.worst->domain)].domain},
                          {"class", escape_control(classes[static_cast<size_t>(p.worst->label)])},
                          {"recall", p.worst->recall},
                          {"support", p.worst->support}};
  Json domains = Json::object(), per_class = Json::object();
  for (const auto& [name, s] : p.domains) {
    domains[name] = {{"f1_macro", json_of(s)}, {"f1_micro", json_of(p.domains_micro.at(name))}};
    for (const DomainScore& d : p.domain_sums)
      if (d.domain == name) domains[name]["confusion"] = counts_json(d.confusion);
  }
  for (size_t c = 0; c < classes.size(); ++c)
    per_class[escape_control(classes[c])] = json_of(p.per_class[c]);
  out["domains"] = domains;
  out["per_class_f1"] = per_class;
  out["confusion"] = counts_json(p.sum.confusion);
  return out;
}

class LongTable {
 public:
  LongTable()
      : text_(csv_row(Row{"part", "cell", "method", "domain", "class", "metric", "mean", "sd",
                          "sd_sample", "count"})) {}
  void add(const std::string& part, const MethodSummary& m, const std::string& domain,
           const std::string& label, const char* metric, const Spread& s) {
    const bool any = s.count > 0;
    text_ +=
        csv_row(Row{part, escape_control(m.cell), m.method, domain, escape_control(label), metric,
                    any ? format_double(s.mean) : "", any ? format_double(s.population) : "",
                    any ? format_double(s.sample) : "", std::to_string(s.count)});
  }
  void add_part(const std::string& part, const MethodSummary& m, const PartSummary& p) {
    add(part, m, "", "", "f1_micro", p.f1_micro);
    add(part, m, "", "", "f1_macro", p.f1_macro);
    add(part, m, "", "", "f1_macro_seen_classes", p.f1_macro_seen);
    add(part, m, "", "", "f1_macro_missing_classes", p.f1_macro_missing);
    add(part, m, "", "", "ece", p.ece);
    add(part, m, "", "", "worst_domain_f1_macro", p.worst_domain);
    add(part, m, "", "", "worst_group_recall", p.worst_group);
    for (const auto& [name, s] : p.domains) {
      add(part, m, name, "", "f1_micro", p.domains_micro.at(name));
      add(part, m, name, "", "f1_macro", s);
    }
    for (size_t c = 0; c < m.classes.size(); ++c)
      add(part, m, "", m.classes[c], "f1", p.per_class[c]);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

}  // namespace

std::string domain_run_json(const DomainRun& run) {
  Json counts = Json::object();
  for (size_t d = 0; d < run.domains.size(); ++d) {
    Json row = Json::object();
    for (size_t c = 0; c < run.classes.size(); ++c)
      row[escape_control(run.classes[c])] = run.counts[c][d];
    counts[escape_control(run.domains[d])] = row;
  }
  Json out = {{"method", run.method},
              {"fold", run.fold},
              {"seed", run.seed},
              {"best_epoch", run.best_epoch},
              {"seconds", run.seconds},
              {"classes", texts(run.classes)},
              {"domains", texts(run.domains)},
              {"unseen", texts(run.unseen)},
              {"training_counts", counts},
              {"held", Json::parse(part_json(run.held, run.classes))},
              {"outside", nullptr}};
  if (run.outside) out["outside"] = Json::parse(part_json(*run.outside, run.classes));
  return out.dump() + "\n";
}

DomainRun read_domain_run(const std::string& path, const std::string& cell) {
  const nlohmann::json in = read_json(path, "run.checkpoint");
  DomainRun out;
  out.cell = cell;
  const auto fail = [&](const std::string& found) {
    throw DataError(Fault{"run.checkpoint", path, "", found, "domains.json of cyto train",
                          "remove the run folder and go on"});
  };
  try {
    in.at("method").get_to(out.method);
    in.at("fold").get_to(out.fold);
    in.at("seed").get_to(out.seed);
    in.at("best_epoch").get_to(out.best_epoch);
    in.at("seconds").get_to(out.seconds);
    in.at("classes").get_to(out.classes);
    in.at("domains").get_to(out.domains);
    in.at("unseen").get_to(out.unseen);
    for (const std::string& c : out.classes) {
      out.counts.emplace_back();
      for (const std::string& d : out.domains)
        out.counts.back().push_back(in.at("training_counts").at(d).at(c).get<int64_t>());
    }
    out.held = part_from(in.at("held"), out.seen());
    if (!in.at("outside").is_null()) out.outside = part_from(in.at("outside"), out.seen());
  } catch (const nlohmann::json::exception&) {
    fail("scores that cannot be read");
  } catch (const ValueError& e) {
    fail(e.what());
  }
  return out;
}

std::string domain_summary_json(const std::vector<MethodSummary>& methods,
                                const std::string& protocol) {
  Json list = Json::array();
  for (const MethodSummary& m : methods) {
    Json entry = {{"cell", escape_control(m.cell)},
                  {"method", m.method},
                  {"runs", m.runs},
                  {"runs_expected", m.runs_expected},
                  {"replicates", m.replicates},
                  {"classes", texts(m.classes)},
                  {"held", part_summary(m.held, m.classes)},
                  {"unseen", nullptr}};
    if (m.outside) entry["unseen"] = part_summary(*m.outside, m.classes);
    list.push_back(entry);
  }
  return Json{{"protocol", protocol}, {"methods", list}}.dump(1) + "\n";
}

std::string domain_summary_csv(const std::vector<MethodSummary>& methods) {
  LongTable out;
  for (const MethodSummary& m : methods) {
    out.add_part("held", m, m.held);
    if (m.outside) out.add_part("unseen", m, *m.outside);
  }
  return out.text();
}

}  // namespace cytograd
