#include "cli/rna_summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "cli/common.h"
#include "cytograd/io/text.h"

namespace cytograd::cli {
namespace {

using Json = nlohmann::ordered_json;

// JSON has no infinity.
Json number(double v) { return std::isfinite(v) ? Json(v) : Json(nullptr); }

template <class T>
Json range_of(const std::vector<T>& values, const char* type) {
  double least = std::numeric_limits<double>::infinity(), largest = -least;
  int64_t missing = 0;
  for (const T v : values) {
    const auto real = static_cast<double>(v);
    missing += std::isnan(real);
    if (std::isnan(real)) continue;
    least = std::min(least, real);
    largest = std::max(largest, real);
  }
  return {
      {"type", type}, {"least", number(least)}, {"largest", number(largest)}, {"missing", missing}};
}

Json describe(const std::vector<double>& values) { return range_of(values, "real"); }
Json describe(const std::vector<int64_t>& values) { return range_of(values, "integer"); }
Json describe(const std::vector<std::string>& values) {
  return {{"type", "text"},
          {"different", std::set<std::string>(values.begin(), values.end()).size()}};
}
Json describe(const std::vector<bool>& values) {
  return {{"type", "flag"}, {"true", std::count(values.begin(), values.end(), true)}};
}
Json describe(const Categorical& c) {
  std::vector<int64_t> count(c.categories.size(), 0);
  int64_t missing = 0;
  for (const int32_t code : c.codes) ++(code < 0 ? missing : count[static_cast<size_t>(code)]);
  Json categories = Json::object();
  for (size_t i = 0; i < count.size(); ++i) categories[c.categories[i]] = count[i];
  return {{"type", "categories"},
          {"ordered", c.ordered},
          {"missing", missing},
          {"categories", categories}};
}

Json columns_json(const AnnTable& table) {
  Json out = Json::object();
  for (const auto& [name, column] : table.columns)
    out[name] = std::visit([](const auto& values) { return describe(values); }, column);
  return out;
}

// The entries of one folder by their names, or the others by their whole names.
Json matrices_json(const SingleCells& cells, const std::string& folder) {
  Json out = Json::object();
  for (const StoredMatrix& m : cells.stored) {
    const bool inside = m.name.starts_with("layers/") || m.name.starts_with("obsm/");
    if (folder.empty() ? inside : !m.name.starts_with(folder)) continue;
    out[m.name.substr(folder.size())] = {
        {"kind", m.kind.empty() ? "other" : m.kind}, {"rows", m.rows}, {"columns", m.columns}};
  }
  return out;
}

Json values_json(const rna::FileCells& cells) {
  const SingleCells& head = cells.head();
  if (head.matrix.empty()) return nullptr;
  const rna::ValueSummary& v = cells.summary();
  const bool deviations = std::any_of(head.var.columns.begin(), head.var.columns.end(),
                                      [](const auto& column) { return column.first == "std"; });
  const double all = static_cast<double>(cells.cells()) * static_cast<double>(cells.genes());
  return {{"matrix", head.matrix},
          {"state", rna::name_of(v.state(deviations))},
          {"not_zero", v.stored},
          {"share", all > 0 ? static_cast<double>(v.stored) / all : 0},
          {"least", v.least},
          {"largest", v.largest},
          {"negative", v.negative},
          {"not_finite", v.not_finite},
          {"empty_cells", v.empty_cells},
          {"empty_genes", v.empty_genes()}};
}

std::string text_of(const Json& value) {
  return value.is_string()         ? value.get<std::string>()
         : value.is_number_float() ? format_float(value.get<float>())
                                   : value.dump();
}

std::string column_text(const Json& column) {
  const std::string type = column["type"];
  if (type == "text") return "text, " + text_of(column["different"]) + " different";
  if (type == "flag") return "flag, true for " + text_of(column["true"]);
  if (type != "categories")
    return type + ", " + text_of(column["least"]) + " to " + text_of(column["largest"]);
  std::string out = "categories";
  constexpr size_t most = 20;  // on a terminal
  size_t shown = 0;
  for (const auto& [name, count] : column["categories"].items()) {
    if (shown++ == most) break;
    out += (shown == 1 ? ": " : ", ") + name + " " + text_of(count);
  }
  const size_t all = column["categories"].size();
  return all > most ? out + ", " + std::to_string(all - most) + " more" : out;
}

void add_lines(std::ostringstream& out, const std::string& prefix, const Json& entries,
               const std::function<std::string(const Json&)>& line) {
  for (const auto& [name, entry] : entries.items())
    out << prefix << name << "  " << line(entry) << "\n";
}

}  // namespace

Json summary_json(const rna::FileCells& file) {
  const SingleCells& cells = file.head();
  return {{"cells", cells.obs.names.size()},       {"genes", cells.var.names.size()},
          {"obs", columns_json(cells.obs)},        {"var", columns_json(cells.var)},
          {"obsm", matrices_json(cells, "obsm/")}, {"layers", matrices_json(cells, "layers/")},
          {"matrices", matrices_json(cells, "")},  {"values", values_json(file)}};
}

std::string summary_text(const rna::FileCells& file) {
  const Json json = summary_json(file);
  std::ostringstream out;
  out << "cells  " << text_of(json["cells"]) << "\ngenes  " << text_of(json["genes"]) << "\n";
  const auto matrix = [](const Json& m) {
    return text_of(m["kind"]) + " [" + text_of(m["rows"]) + ", " + text_of(m["columns"]) + "]";
  };
  add_lines(out, "", json["matrices"], matrix);
  add_lines(out, "layers/", json["layers"], matrix);
  add_lines(out, "obsm/", json["obsm"], matrix);
  add_lines(out, "obs/", json["obs"], column_text);
  add_lines(out, "var/", json["var"], column_text);
  if (json["values"].is_null()) return out.str();
  out << "values of " << file.head().matrix << ":\n";
  add_lines(out, "  ", json["values"], [](const Json& v) { return text_of(v); });
  return out.str();
}

}  // namespace cytograd::cli
