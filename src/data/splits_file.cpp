#include <algorithm>
#include <map>
#include <set>

#include "cytograd/data/split.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"

namespace cytograd {

namespace {

const std::vector<std::string> header = {"sample", "fold", "role", "group", "class"};

const std::string& class_of(const Dataset& dataset, size_t i) {
  return dataset.classes[static_cast<size_t>(dataset.samples[i].label)];
}

// A domain whose cells were trained on, or chose the epoch, is not unseen.
void require_unseen(const std::string& path, const Dataset& dataset, size_t fold,
                    const Split& split) {
  const auto domain = [&](int64_t i) { return dataset.samples[static_cast<size_t>(i)].domain; };
  std::set<int64_t> unseen;
  for (const int64_t i : split.unseen) unseen.insert(domain(i));
  for (const auto* part : {&split.train, &split.val, &split.test})
    for (const int64_t i : *part)
      if (unseen.contains(domain(i)))
        throw DataError({"csv.form", path, "fold " + std::to_string(fold),
                         "domain " + dataset.domains[static_cast<size_t>(domain(i))] +
                             " is unseen and has \"" + dataset.samples[static_cast<size_t>(i)].id +
                             "\" in another part",
                         "all of a domain unseen, or none of it", ""});
}

}  // namespace

void write_splits(const std::string& path, const Dataset& dataset,
                  const std::vector<Split>& splits) {
  CsvWriter out(path, header);
  for (size_t f = 0; f < splits.size(); ++f) {
    const auto roles = splits[f].roles(dataset.size());
    for (size_t i = 0; i < roles.size(); ++i) {
      if (roles[i].empty()) continue;
      const Sample& s = dataset.samples[i];
      const std::vector<std::string> row = {escape_control(s.id), std::to_string(f), roles[i],
                                            escape_control(s.group),
                                            escape_control(class_of(dataset, i))};
      out.row(row);
    }
  }
  out.commit();
}

std::vector<Split> read_splits(const std::string& path, const Dataset& dataset) {
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < dataset.samples.size(); ++i)
    place[escape_control(dataset.samples[i].id)] = i;
  const CsvTable table = read_csv(path);
  const size_t sample = table.column("sample"), fold = table.column("fold"),
               role = table.column("role");
  const auto label = table.find_column("class");
  std::vector<Split> splits;
  std::set<std::pair<int64_t, size_t>> seen;
  for (size_t row = 0; row < table.rows(); ++row) {
    const std::string id(table.at(row, sample));
    const auto it = place.find(id);
    if (it == place.end())
      table.fail(row, "no sample \"" + id + "\" in the data set", "a sample that exists",
                 "is this the data set the splits were made for?");
    const auto f = parse_int(table.at(row, fold));
    // More folds than samples make no sense, and bound what a bad file can ask for.
    if (!f || *f < 0 || *f > static_cast<int64_t>(dataset.samples.size()))
      table.fail(row, "fold \"" + std::string(table.at(row, fold)) + "\"", "0, 1, 2, ...");
    if (label && table.at(row, *label) != escape_control(class_of(dataset, it->second)))
      table.fail(row, "\"" + id + "\" is " + std::string(table.at(row, *label)) + " here",
                 class_of(dataset, it->second) + " as in the data set");
    if (!seen.emplace(*f, it->second).second)
      table.fail(row, "\"" + id + "\" again in fold " + std::to_string(*f), "one role per fold");
    if (static_cast<size_t>(*f) >= splits.size()) splits.resize(static_cast<size_t>(*f) + 1);
    Split& s = splits[static_cast<size_t>(*f)];
    const std::string_view r = table.at(row, role);
    if (r != "train" && r != "val" && r != "test" && r != "unseen")
      table.fail(row, "role \"" + std::string(r) + "\"", "train, val, test or unseen");
    (r == "train"    ? s.train
     : r == "val"    ? s.val
     : r == "unseen" ? s.unseen
                     : s.test)
        .push_back(static_cast<int64_t>(it->second));
  }
  for (size_t f = 0; f < splits.size(); ++f) {
    for (auto* part : {&splits[f].train, &splits[f].val, &splits[f].test, &splits[f].unseen})
      std::sort(part->begin(), part->end());
    require_unseen(path, dataset, f, splits[f]);
    if (splits[f].train.empty())
      throw DataError({"fold.empty", path, "fold " + std::to_string(f), "no training sample",
                       "at least one", ""});
  }
  if (splits.empty())
    throw DataError({"csv.form", path, "", "no rows", "one row per sample and fold", ""});
  return splits;
}

std::vector<Fault> find_leaks(const Dataset& dataset, const Split& split,
                              const std::vector<std::string>& hashes, bool allow_val) {
  const auto roles = split.roles(dataset.size());
  std::vector<Fault> faults;
  std::map<std::string, size_t> groups, contents;
  std::set<std::string> told;
  const auto side = [&](size_t i) -> std::string {
    return allow_val && roles[i] == "val" ? "train" : roles[i];
  };
  for (size_t i = 0; i < roles.size(); ++i) {
    const Sample& s = dataset.samples[i];
    if (roles[i].empty()) continue;
    if (!s.group.empty()) {
      const std::string key = std::to_string(s.domain) + ":" + s.group;
      const auto [it, is_new] = groups.try_emplace(key, i);
      if (!is_new && side(it->second) != side(i) && told.insert(key).second)
        faults.push_back({"csv.leak", s.path, "group " + s.group,
                          "in " + roles[i] + ", but " + dataset.samples[it->second].path +
                              " of the same group in " + roles[it->second],
                          "a group in one part only", "split by group"});
    }
    if (hashes.empty() || hashes[i].empty()) continue;
    const auto [it, is_new] = contents.try_emplace(hashes[i], i);
    if (is_new) continue;
    if (dataset.samples[it->second].path == s.path) {  // cells of one image are like a group
      if (side(it->second) != side(i) && s.group.empty() && told.insert(s.path).second)
        faults.push_back({"csv.leak", s.path, "",
                          "cells of this image in " + roles[it->second] + " and " + roles[i],
                          "one part for all of them", "split by group"});
    } else if (roles[it->second] != roles[i])
      faults.push_back({"csv.leak", s.path, "",
                        "same bytes as " + dataset.samples[it->second].path + ", in " + roles[i] +
                            " and " + roles[it->second],
                        "one part only", "remove one of them, or give both one group"});
  }
  return faults;
}

}  // namespace cytograd
