#include <algorithm>
#include <map>
#include <set>

#include "cytograd/data/scan.h"

namespace cytograd {

namespace {

const char* const unused = "unused";  // samples in no part of a split

}  // namespace

ClassTable class_table(const Dataset& dataset) {
  std::vector<std::string> splits;
  for (const Sample& s : dataset.samples) splits.push_back(s.split.empty() ? "train" : s.split);
  return class_table(dataset, splits);
}

ClassTable class_table(const Dataset& dataset, const std::vector<std::string>& splits) {
  check<ValueError>(splits.size() == dataset.samples.size(), "class_table", "expected ",
                    dataset.samples.size(), " splits, got ", splits.size());
  ClassTable table{dataset.classes, dataset.domains, {}, {}};
  for (const char* name : {"train", "val", "test", "unseen"})
    if (std::find(splits.begin(), splits.end(), name) != splits.end()) table.splits.push_back(name);
  const std::string outside = table.splits.empty() ? "all" : unused;
  if (table.splits.empty() || std::find(splits.begin(), splits.end(), "") != splits.end())
    table.splits.push_back(outside);
  table.counts.assign(table.classes.size() * table.domains.size() * table.splits.size(), 0);
  for (size_t i = 0; i < splits.size(); ++i) {
    const std::string& split = splits[i].empty() ? outside : splits[i];
    const size_t s = static_cast<size_t>(
        std::find(table.splits.begin(), table.splits.end(), split) - table.splits.begin());
    const Sample& sample = dataset.samples[i];
    check<ValueError>(s < table.splits.size(), "class_table", "unknown split ", split);
    ++table.counts[(static_cast<size_t>(sample.label) * table.domains.size() +
                    static_cast<size_t>(sample.domain)) *
                       table.splits.size() +
                   s];
  }
  return table;
}

std::string ClassTable::text() const {
  std::vector<std::vector<std::string>> rows(1, {"class"});
  for (const auto& d : domains)
    for (const auto& s : splits)
      rows[0].push_back(escape_control(splits.size() > 1 ? d + "/" + s : d));
  rows[0].push_back("all");
  std::vector<int64_t> sums(domains.size() * splits.size() + 1);
  for (size_t c = 0; c < classes.size(); ++c) {
    rows.push_back({escape_control(classes[c])});
    int64_t all = 0;
    for (size_t i = 0; i + 1 < sums.size(); ++i) {
      const int64_t n = counts[c * (sums.size() - 1) + i];
      rows.back().push_back(std::to_string(n));
      sums[i] += n;
      all += n;
    }
    rows.back().push_back(std::to_string(all));
    sums.back() += all;
  }
  rows.push_back({"all"});
  for (const int64_t n : sums) rows.back().push_back(std::to_string(n));
  std::vector<size_t> width(rows[0].size());
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) width[i] = std::max(width[i], row[i].size());
  std::string out;
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad(width[i] - row[i].size(), ' ');
      out += i == 0 ? row[i] + pad : "  " + pad + row[i];
    }
    out += "\n";
  }
  return out;
}

std::vector<Note> ClassTable::missing() const {
  Dataset holder;
  for (size_t c = 0; c < classes.size(); ++c) {
    for (size_t d = 0; d < domains.size(); ++d) {
      int64_t n = 0;
      for (size_t s = 0; s < splits.size(); ++s) n += at(c, d, s);
      if (n == 0)
        holder.add_note("class.missing", "classes without a sample in a domain",
                        domains[d] + "/" + classes[c]);
    }
    for (size_t s = 0; s < splits.size(); ++s) {
      if (splits[s] == unused) continue;
      int64_t n = 0;
      for (size_t d = 0; d < domains.size(); ++d) n += at(c, d, s);
      if (n == 0)
        holder.add_note("class.missing", "classes without a sample in a split",
                        splits[s] + "/" + classes[c]);
    }
  }
  return holder.notes;
}

std::string summarise_faults(const std::vector<Fault>& faults, size_t per_kind) {
  std::vector<std::string> order;
  std::map<std::string, std::vector<const Fault*>> kinds;
  for (const Fault& f : faults) {
    if (!kinds.count(f.id)) order.push_back(f.id);
    kinds[f.id].push_back(&f);
  }
  std::string out;
  for (const std::string& id : order) {
    const auto& list = kinds[id];
    for (size_t i = 0; i < std::min(per_kind, list.size()); ++i) out += list[i]->message() + "\n";
    if (list.size() > per_kind)
      out += "... " + std::to_string(list.size() - per_kind) + " more [" + id + "], " +
             std::to_string(list.size()) + " in all\n";
  }
  return out;
}

}  // namespace cytograd
