#include <cmath>
#include <nlohmann/json.hpp>

#include "cytograd/core/error.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"
#include "cytograd/train/domain_scores.h"

namespace cytograd {
namespace {

using Json = nlohmann::ordered_json;
using Row = std::vector<std::string>;

Json value_or_null(const std::optional<double>& v) {
  if (!v || !std::isfinite(*v)) return nullptr;
  return *v;
}

std::string value_or_blank(const std::optional<double>& v) {
  return v && std::isfinite(*v) ? format_double(*v) : "";
}

Json json_of(const ClassSubset& s) {
  return {{"classes", s.classes},
          {"n", s.n},
          {"f1_macro", value_or_null(s.f1_macro)},
          {"accuracy", value_or_null(s.accuracy)}};
}

double share_of(const Confusion& confusion, int64_t t, int64_t p) {
  return static_cast<double>(confusion.at(t, p)) / static_cast<double>(confusion.truth_count(t));
}

Json shares_json(const Confusion& confusion) {
  Json out = Json::array();
  for (int64_t t = 0; t < confusion.classes(); ++t) {
    Json row = nullptr;
    if (confusion.truth_count(t) > 0) {
      row = Json::array();
      for (int64_t p = 0; p < confusion.classes(); ++p) row.push_back(share_of(confusion, t, p));
    }
    out.push_back(row);
  }
  return out;
}

Json json_of(const DomainScore& d, const std::vector<std::string>& classes) {
  Json out = Json::object();
  if (!d.domain.empty()) out["domain"] = escape_control(d.domain);
  out.update(Json::parse(scores_json(d.scores, d.confusion, classes, d.ece())));
  out["confusion_share"] = shares_json(d.confusion);
  out["seen_classes"] = json_of(d.seen);
  out["missing_classes"] = json_of(d.missing);
  Json bins = Json::array();
  for (const Reliability::Bin& b : d.reliability.bins)
    bins.push_back({{"n", b.count}, {"confidence", b.confidence}, {"accuracy", b.accuracy}});
  out["reliability"] = bins;
  return out;
}

// A class that the domain lacks has no score there, whatever was predicted.
Row class_row(const std::string& part, const DomainScore& d, size_t c, const std::string& name) {
  const ClassScore& s = d.scores.per_class[c];
  const bool here = s.support > 0;
  return {part,
          escape_control(d.domain),
          escape_control(name),
          std::to_string(s.support),
          std::to_string(s.predicted),
          here ? value_or_blank(s.precision) : "",
          here ? value_or_blank(s.recall) : "",
          here ? value_or_blank(s.f1) : "",
          "",
          "",
          "",
          ""};
}

}  // namespace

std::string part_json(const PartScores& part, const std::vector<std::string>& classes) {
  Json out = {{"role", part.role}, {"pooled", json_of(part.pooled, classes)}};
  out["domains"] = Json::array();
  for (const DomainScore& d : part.domains) out["domains"].push_back(json_of(d, classes));
  out["worst_domain"] = nullptr;
  out["worst_group"] = nullptr;
  if (part.worst_domain >= 0) {
    const DomainScore& d = part.domains[static_cast<size_t>(part.worst_domain)];
    out["worst_domain"] = {{"domain", escape_control(d.domain)},
                           {"f1_macro", value_or_null(d.scores.f1_macro)}};
  }
  if (part.worst)
    out["worst_group"] = {
        {"domain", escape_control(part.domains[static_cast<size_t>(part.worst->domain)].domain)},
        {"class", escape_control(classes[static_cast<size_t>(part.worst->label)])},
        {"recall", part.worst->recall},
        {"support", part.worst->support}};
  return out.dump();
}

std::string parts_csv(const std::vector<PartScores>& parts,
                      const std::vector<std::string>& classes) {
  std::string out = csv_row(Row{"part", "domain", "class", "images", "predicted", "precision",
                                "recall", "f1", "f1_micro", "f1_macro", "f1_macro_seen", "ece"});
  for (const PartScores& part : parts) {
    std::vector<const DomainScore*> list = {&part.pooled};
    for (const DomainScore& d : part.domains) list.push_back(&d);
    for (const DomainScore* d : list) {
      out += csv_row(Row{part.role, escape_control(d->domain), "", std::to_string(d->scores.n),
                         std::to_string(d->scores.n), "", "", "",
                         value_or_blank(d->scores.f1_micro), value_or_blank(d->scores.f1_macro),
                         value_or_blank(d->seen.f1_macro), value_or_blank(d->ece())});
      for (size_t c = 0; c < classes.size(); ++c)
        out += csv_row(class_row(part.role, *d, c, classes[c]));
    }
  }
  return out;
}

std::string confusion_csv(const Confusion& confusion, const std::vector<std::string>& classes,
                          bool share) {
  Row row = {"truth"};
  for (const std::string& name : classes) row.push_back(escape_control(name));
  std::string out = csv_row(row);
  for (int64_t t = 0; t < confusion.classes(); ++t) {
    row = {escape_control(classes[static_cast<size_t>(t)])};
    const bool any = confusion.truth_count(t) > 0;
    for (int64_t p = 0; p < confusion.classes(); ++p)
      row.push_back(!share ? std::to_string(confusion.at(t, p))
                    : any  ? format_double(share_of(confusion, t, p))
                           : "");
    out += csv_row(row);
  }
  return out;
}

}  // namespace cytograd
