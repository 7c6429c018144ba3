#include <algorithm>
#include <map>

#include "cytograd/data/domains.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"
#include "data/harmonise_tables.h"
#include "data/layout.h"

/// @file
/// Common class names over data sets. The tables are the files in models/harmonise, which the
/// program carries inside: `13` and `11` those of the institute that published Matek_19 and MLL23,
/// `5` the mature white cells that every set has.

namespace cytograd {

const std::vector<std::string>& harmonisation_names() {
  static const std::vector<std::string> names = {"5", "11", "13"};
  return names;
}

std::string harmonisation_csv(const std::string& name) {
  if (name == "5") return harmonise_5_csv;
  if (name == "11") return harmonise_11_csv;
  if (name == "13") return harmonise_13_csv;
  throw ConfigError({.id = "cfg",
                     .file = {},
                     .place = {},
                     .found = "no table \"" + name + "\" of classes",
                     .expected = "5, 11 or 13",
                     .hint = {}});
}

namespace layout {
namespace {

using Key = std::pair<std::string, std::string>;  // data set (a domain, a preset or *), raw label

struct ClassMap {
  std::vector<std::string> classes, sources;
  std::map<Key, std::string> names;  // "" drops

  const std::string* find(const std::vector<std::string>& wanted, const std::string& raw) const {
    for (const std::string& source : wanted)
      if (const auto it = names.find({source, raw}); it != names.end()) return &it->second;
    const auto it = std::find(classes.begin(), classes.end(), raw);
    return it == classes.end() ? nullptr : &*it;  // harmonised already
  }
};

ClassMap read_map(const CsvTable& table) {
  ClassMap map;
  const size_t dataset = table.column("dataset"), raw = table.column("raw"),
               name = table.column("harmonised");
  for (size_t row = 0; row < table.rows(); ++row) {
    const auto source = table.value(row, dataset), from = table.value(row, raw),
               to = table.value(row, name);
    if (!from) table.fail(row, "blank raw label", "a class of the data set");
    const Key key{source ? std::string(*source) : "*", std::string(*from)};
    const std::string target = to ? std::string(*to) : "";
    if (!map.names.emplace(key, target).second)
      table.fail(row, "\"" + key.second + "\" twice for " + key.first, "one row per raw label");
    intern(map.sources, key.first);
    if (!target.empty()) intern(map.classes, target);
  }
  if (map.classes.empty())
    throw DataError({"csv.form", table.name(), "", "no row that keeps a class",
                     "at least one harmonised name", ""});
  return map;
}

ClassMap find_map(const std::string& name) {
  const auto& known = harmonisation_names();
  if (std::find(known.begin(), known.end(), name) != known.end())
    return read_map(CsvTable(harmonisation_csv(name), name));
  if (!is_file(name) && !name.ends_with(".csv"))
    throw ConfigError({.id = "cfg",
                       .file = {},
                       .place = "--harmonise",
                       .found = "\"" + name + "\"",
                       .expected = "5, 11, 13 or a CSV file dataset,raw,harmonised",
                       .hint = "`cyto domains --export-harmonise 13` writes one to edit"});
  return read_map(read_csv(name));
}

[[noreturn]] void fail_unmapped(const ClassMap& map, const std::string& map_name,
                                const std::string& source, const std::string& domain,
                                const std::string& raw) {
  std::vector<std::string> raws;
  for (const auto& [key, name] : map.names)
    if (key.first == source || key.first == domain || key.first == "*") raws.push_back(key.second);
  const std::string near_source = nearest_name(source, map.sources), near = nearest_name(raw, raws);
  std::string hint = "add the row";
  if (source == "pbc" && (raw == "ig" || raw == "neutrophil"))
    hint = "pass --labels fine, or add the row";
  else if (raws.empty() && !near_source.empty())
    hint = "the map has no row for data set " + source + ", but for " + near_source;
  else if (!near.empty())
    hint = "the map has \"" + near + "\"";
  throw DataError({"class.unmapped", map_name, "",
                   "no row for class \"" + raw + "\" of " + source +
                       (domain == source ? "" : " (domain " + domain + ")"),
                   "every class in the map; an empty name drops it", hint});
}

// Samples per (domain, class), both as the data set numbers them.
std::map<std::pair<int64_t, int64_t>, int64_t> count_pairs(const Dataset& dataset) {
  std::map<std::pair<int64_t, int64_t>, int64_t> out;
  for (const Sample& s : dataset.samples) ++out[{s.domain, s.label}];
  return out;
}

}  // namespace

void harmonise(Dataset& dataset, const std::string& source, const std::string& map_name) {
  dataset.labels.clear();
  const auto pairs = count_pairs(dataset);
  if (map_name.empty()) {
    for (const auto& [pair, count] : pairs) {
      const std::string& name = dataset.classes[static_cast<size_t>(pair.second)];
      dataset.labels.push_back({pair.first, source, name, name, count});
    }
    return;
  }
  const ClassMap map = find_map(map_name);
  std::map<std::pair<int64_t, int64_t>, int64_t> target;
  for (const auto& [pair, count] : pairs) {
    const std::string& domain = dataset.domains[static_cast<size_t>(pair.first)];
    const std::string raw(trim(dataset.classes[static_cast<size_t>(pair.second)]));
    const std::string* name = map.find({domain, source, "*"}, raw);
    if (!name) fail_unmapped(map, map_name, source, domain, raw);
    const auto at = std::find(map.classes.begin(), map.classes.end(), *name);
    target[pair] = name->empty() ? -1 : at - map.classes.begin();
    dataset.labels.push_back({pair.first, source, raw, *name, count});
  }
  std::vector<bool> keep;
  for (Sample& s : dataset.samples) {
    const int64_t t = target.at({s.domain, s.label});
    keep.push_back(t >= 0);
    if (t < 0)
      dataset.add_note("label.dropped",
                       "samples of class " + dataset.classes[static_cast<size_t>(s.label)] +
                           " left out by the class map",
                       s.id);
    else
      s.label = t;
  }
  keep_samples(dataset, keep);
  dataset.classes = map.classes;
}

}  // namespace layout
}  // namespace cytograd
