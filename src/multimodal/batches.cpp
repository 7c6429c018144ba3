#include "multimodal/batches.h"

#include <algorithm>
#include <map>
#include <string>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/multimodal/trainer.h"

namespace cytograd::multimodal {
namespace {

std::vector<int64_t> shuffled(std::vector<int64_t> rows, Rng rng) {
  rng.shuffle(rows);
  return rows;
}

// Rows of a group in turn, shuffled anew after each round.
class Turns {
 public:
  Turns(std::vector<int64_t> rows, Rng rng) : rows_(std::move(rows)), rng_(rng) {
    rng_.shuffle(rows_);
  }
  int64_t size() const { return static_cast<int64_t>(rows_.size()); }
  int64_t next() {
    if (at_ == rows_.size()) {
      rng_.shuffle(rows_);
      at_ = 0;
    }
    return rows_[at_++];
  }

 private:
  std::vector<int64_t> rows_;
  Rng rng_;
  size_t at_ = 0;
};

// Whole donors, in random order, until the share is held; a donor much larger than what is
// missing is passed over. `left` donors stay for other parts.
void take_donors(std::vector<std::pair<std::string, int64_t>>& donors, double wanted, size_t left,
                 const std::string& role, std::map<std::string, std::string>& role_of) {
  if (!(wanted > 0)) return;
  double taken = 0;
  for (auto d = donors.begin(); d != donors.end() && donors.size() > left && taken < wanted;) {
    const auto size = static_cast<double>(d->second);
    if (taken + size > 1.5 * wanted) {
      ++d;
      continue;
    }
    taken += size;
    role_of[d->first] = role;
    d = donors.erase(d);
  }
  if (taken > 0 || donors.size() <= left) return;
  const auto smallest =
      std::min_element(donors.begin(), donors.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; });
  role_of[smallest->first] = role;
  donors.erase(smallest);
}

std::vector<std::string> roles_by_donor(const std::vector<std::string>& groups,
                                        const std::map<std::string, int64_t>& sizes,
                                        const TrainingOptions& o) {
  std::vector<std::pair<std::string, int64_t>> donors(sizes.begin(), sizes.end());
  Rng(o.seed, "split donors").shuffle(donors);
  const auto n = static_cast<double>(groups.size());
  std::map<std::string, std::string> role_of;
  take_donors(donors, o.test * n, o.val > 0 ? 2 : 1, "test", role_of);
  take_donors(donors, o.val * n, 1, "val", role_of);
  std::vector<std::string> out;
  for (const std::string& group : groups) {
    const auto found = role_of.find(group);
    out.push_back(found == role_of.end() ? "train" : found->second);
  }
  return out;
}

std::vector<std::string> roles_by_cell(const std::vector<int64_t>& labels,
                                       const TrainingOptions& o) {
  std::map<int64_t, std::vector<int64_t>> of_class;
  for (size_t i = 0; i < labels.size(); ++i) of_class[labels[i]].push_back(static_cast<int64_t>(i));
  std::vector<std::string> out(labels.size(), "train");
  for (auto& [label, rows] : of_class) {
    Rng(o.seed, "split cells", static_cast<uint64_t>(label)).shuffle(rows);
    const auto count = static_cast<double>(rows.size());
    const auto part = [count](double share) { return static_cast<size_t>(share * count + 0.5); };
    const size_t test = part(o.test), val = part(o.val);
    for (size_t i = 0; i < std::min(test + val, rows.size()); ++i)
      out[static_cast<size_t>(rows[i])] = i < test ? "test" : "val";
  }
  return out;
}

std::vector<int64_t> rows_of_role(const std::vector<std::string>& roles, const std::string& role) {
  std::vector<int64_t> out;
  for (size_t i = 0; i < roles.size(); ++i)
    if (roles[i] == role) out.push_back(static_cast<int64_t>(i));
  return out;
}

}  // namespace

Batches shuffled_batches(const std::vector<int64_t>& rows, int64_t size, uint64_t seed,
                         int64_t epoch) {
  const std::vector<int64_t> order =
      shuffled(rows, Rng(seed, "order", static_cast<uint64_t>(epoch)));
  Batches out;
  for (size_t begin = 0; begin < order.size(); begin += static_cast<size_t>(size)) {
    const size_t end = std::min(order.size(), begin + static_cast<size_t>(size));
    out.emplace_back(order.begin() + static_cast<int64_t>(begin),
                     order.begin() + static_cast<int64_t>(end));
  }
  return out;
}

void check_balance(const std::vector<std::vector<int64_t>>& groups, int64_t each, int64_t size) {
  int64_t reserved = 0;
  for (const auto& group : groups) reserved += std::min(each, static_cast<int64_t>(group.size()));
  if (reserved >= size)
    throw ConfigError(Fault{"cfg", "", "image.batch", std::to_string(size),
                            "more than " + std::to_string(reserved) +
                                ", which balanced batches hold of aligned classes",
                            "see --balanced-cells, --balanced-batches false"});
}

Batches balanced_batches(const std::vector<int64_t>& rows,
                         const std::vector<std::vector<int64_t>>& groups, int64_t each,
                         int64_t size, uint64_t seed, int64_t epoch) {
  check_balance(groups, each, size);
  const std::vector<int64_t> order =
      shuffled(rows, Rng(seed, "order", static_cast<uint64_t>(epoch)));
  std::vector<Turns> turns;
  std::map<int64_t, size_t> group_of;
  std::vector<int64_t> wanted;
  int64_t reserved = 0;
  for (size_t g = 0; g < groups.size(); ++g) {
    turns.emplace_back(groups[g], Rng(seed, "balance", static_cast<uint64_t>(epoch), g));
    wanted.push_back(std::min(each, turns.back().size()));
    reserved += wanted.back();
    for (const int64_t row : groups[g]) group_of[row] = g;
  }
  Batches out;
  for (size_t at = 0; at < order.size();) {
    std::vector<int64_t> batch, missing = wanted;
    int64_t missing_sum = reserved;
    while (at < order.size() && static_cast<int64_t>(batch.size()) + missing_sum < size) {
      const auto group = group_of.find(order[at]);
      if (group != group_of.end() && missing[group->second] > 0) {
        --missing[group->second];
        --missing_sum;
      }
      batch.push_back(order[at++]);
    }
    for (size_t g = 0; g < groups.size(); ++g)
      for (; missing[g] > 0; --missing[g]) batch.push_back(turns[g].next());
    out.push_back(std::move(batch));
  }
  return out;
}

std::vector<int64_t> spread(const std::vector<int64_t>& rows, int64_t most) {
  const auto n = static_cast<int64_t>(rows.size());
  if (n <= most) return rows;
  std::vector<int64_t> out;
  for (int64_t i = 0; i < most; ++i) out.push_back(rows[static_cast<size_t>(i * n / most)]);
  return out;
}

std::vector<int64_t> CellSplit::rows(const std::string& role) const {
  return rows_of_role(roles, role);
}
std::vector<int64_t> CellSource::rows(const std::string& role) const {
  return rows_of_role(split, role);
}

CellSplit split_cells(const std::vector<int64_t>& labels, const std::vector<std::string>& groups,
                      const TrainingOptions& options, const std::vector<std::string>& digests) {
  for (const auto* texts : {&groups, &digests})
    check<ValueError>(texts->empty() || texts->size() == labels.size(), "split_cells", "expects ",
                      labels.size(), " groups and digests, got ", texts->size());
  std::map<std::string, int64_t> sizes;
  for (const std::string& group : groups) ++sizes[group];
  CellSplit out;
  if (sizes.size() >= 3) {
    out.roles = roles_by_donor(groups, sizes, options);
  } else {
    out.roles = roles_by_cell(labels, options);
    if (options.val > 0 || options.test > 0)
      out.notes.push_back(
          groups.empty() ? "no donors are known: cells are split one by one, and scores on "
                           "held-back cells may be too good"
                         : "fewer than three donors: cells are split one by one, and scores on "
                           "held-back cells may be too good");
  }
  std::map<std::string, size_t> first_of;
  int64_t moved = 0;
  for (size_t i = 0; i < digests.size(); ++i) {
    const size_t first = first_of.emplace(digests[i], i).first->second;
    moved += out.roles[i] != out.roles[first];
    out.roles[i] = out.roles[first];
  }
  if (moved > 0)
    out.notes.push_back(std::to_string(moved) + (moved == 1 ? " cell is" : " cells are") +
                        " the same as another and taken into the other's part of the split");
  return out;
}

CellSplit given_split(const std::vector<std::string>& splits, const std::string& path) {
  CellSplit out;
  for (const std::string& role : splits) out.roles.push_back(role.empty() ? "train" : role);
  if (out.rows("train").empty())
    throw DataError(Fault{"data.empty", path, "column split", "no cell to train on",
                          "\"train\" for some cells", ""});
  return out;
}

}  // namespace cytograd::multimodal
