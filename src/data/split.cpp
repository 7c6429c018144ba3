#include "cytograd/data/split.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <set>

#include "cytograd/core/random.h"
#include "cytograd/io/text.h"

namespace cytograd {

std::vector<std::string> Split::roles(int64_t samples) const {
  std::vector<std::string> result(static_cast<size_t>(samples));
  for (const auto& [name, part] :
       {std::pair("train", &train), {"val", &val}, {"test", &test}, {"unseen", &unseen}})
    for (const int64_t i : *part) result[static_cast<size_t>(i)] = name;
  return result;
}

std::vector<int64_t> stratified_folds(const std::vector<int64_t>& strata, int64_t k,
                                      uint64_t seed) {
  check<ValueError>(k >= 1, "stratified_folds", "expected at least one fold, got ", k);
  std::map<int64_t, std::vector<int64_t>> members;
  for (size_t i = 0; i < strata.size(); ++i) members[strata[i]].push_back(static_cast<int64_t>(i));
  std::vector<int64_t> fold(strata.size());
  int64_t placed = 0;
  for (auto& [stratum, list] : members) {
    Rng(seed, "split", static_cast<uint64_t>(stratum)).shuffle(list);
    for (size_t r = 0; r < list.size(); ++r)
      fold[static_cast<size_t>(list[r])] = (static_cast<int64_t>(r) + placed) % k;
    placed += static_cast<int64_t>(list.size());
  }
  return fold;
}

std::vector<int64_t> stratified_quota(const std::vector<int64_t>& class_counts, double share) {
  check<ValueError>(share >= 0 && share <= 1, "stratified_quota",
                    "expected a share of 0 to 1, got ", share);
  const int64_t n = std::accumulate(class_counts.begin(), class_counts.end(), int64_t{0});
  int64_t left = static_cast<int64_t>(std::floor(share * static_cast<double>(n) + 0.5));
  std::vector<int64_t> quota;
  std::vector<std::pair<double, size_t>> fractions;
  for (size_t c = 0; c < class_counts.size(); ++c) {
    const double want = share * static_cast<double>(class_counts[c]);
    quota.push_back(static_cast<int64_t>(std::floor(want)));
    fractions.emplace_back(-(want - std::floor(want)), c);
    left -= quota[c];
  }
  std::sort(fractions.begin(), fractions.end());
  for (size_t i = 0; left > 0 && i < fractions.size(); ++i, --left) ++quota[fractions[i].second];
  return quota;
}

namespace {

using Indices = std::vector<int64_t>;

const Sample& sample_at(const Dataset& d, int64_t i) { return d.samples[static_cast<size_t>(i)]; }

// Class counts and members of each group, in order of first appearance.
struct Groups {
  std::vector<std::vector<int64_t>> counts;
  std::vector<Indices> members;
};

Groups collect_groups(const Dataset& dataset, const Indices& part) {
  std::map<std::string, size_t> place;
  Groups groups;
  for (const int64_t i : part) {
    const Sample& s = sample_at(dataset, i);
    const auto [it, is_new] = place.try_emplace(s.group, groups.members.size());
    if (is_new) {
      groups.members.emplace_back();
      groups.counts.emplace_back(dataset.classes.size());
    }
    groups.members[it->second].push_back(i);
    ++groups.counts[it->second][static_cast<size_t>(s.label)];
  }
  return groups;
}

// Per domain: the samples without, and those with a group.
std::vector<std::pair<Indices, Indices>> by_domain(const Dataset& dataset, const Indices& part) {
  std::vector<std::pair<Indices, Indices>> domains(dataset.domains.size());
  for (const int64_t i : part) {
    const Sample& s = sample_at(dataset, i);
    auto& d = domains[static_cast<size_t>(s.domain)];
    (s.group.empty() ? d.first : d.second).push_back(i);
  }
  return domains;
}

std::vector<int64_t> assign_folds(const Dataset& dataset, int64_t k, uint64_t seed) {
  Indices all(dataset.samples.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  std::vector<int64_t> fold(all.size());
  const int64_t classes = static_cast<int64_t>(dataset.classes.size());
  Indices single, strata;
  for (const auto& [alone, grouped] : by_domain(dataset, all)) {
    for (const int64_t i : alone) {
      single.push_back(i);
      strata.push_back(sample_at(dataset, i).domain * classes + sample_at(dataset, i).label);
    }
    if (grouped.empty()) continue;
    const Groups groups = collect_groups(dataset, grouped);
    std::vector<int64_t> place(groups.members.size());
    if (!alone.empty() && static_cast<int64_t>(place.size()) < k)
      std::iota(place.begin(), place.end(), int64_t{0});  // few groups among many single samples
    else
      place = grouped_folds(groups.counts, k);
    for (size_t g = 0; g < place.size(); ++g)
      for (const int64_t i : groups.members[g]) fold[static_cast<size_t>(i)] = place[g];
  }
  const auto place = stratified_folds(strata, k, seed);
  for (size_t n = 0; n < single.size(); ++n) fold[static_cast<size_t>(single[n])] = place[n];
  return fold;
}

// Takes a share of each class of each domain out of `part`, in whole groups if `grouped`.
Indices draw_share(const Dataset& dataset, const Indices& part, double share, bool grouped,
                   uint64_t seed) {
  Indices drawn;
  for (size_t d = 0; d < dataset.domains.size(); ++d) {
    std::vector<Indices> members(dataset.classes.size());
    std::map<std::string, Indices> groups;
    std::vector<int64_t> counts(dataset.classes.size());
    for (const int64_t i : part) {
      const Sample& s = sample_at(dataset, i);
      if (s.domain != static_cast<int64_t>(d)) continue;
      members[static_cast<size_t>(s.label)].push_back(i);
      ++counts[static_cast<size_t>(s.label)];
      if (grouped && !s.group.empty()) groups[s.group].push_back(i);
    }
    auto quota = stratified_quota(counts, share);
    const int64_t target = std::accumulate(quota.begin(), quota.end(), int64_t{0});
    std::set<int64_t> taken;
    for (size_t c = 0; c < members.size(); ++c) {
      Rng(seed, "draw", d, c).shuffle(members[c]);
      for (const int64_t i : members[c]) {
        if (quota[c] <= 0) break;
        if (taken.count(i)) continue;
        const std::string& name = sample_at(dataset, i).group;
        const Indices one = {i};
        const Indices& unit = grouped && !name.empty() ? groups[name] : one;
        // A group so large that it leads away from the target stays where it is.
        const int64_t missing = target - static_cast<int64_t>(taken.size());
        if (static_cast<int64_t>(unit.size()) > 2 * missing) continue;
        for (const int64_t j : unit) {
          taken.insert(j);
          --quota[static_cast<size_t>(sample_at(dataset, j).label)];
        }
      }
    }
    drawn.insert(drawn.end(), taken.begin(), taken.end());
  }
  std::sort(drawn.begin(), drawn.end());
  return drawn;
}

Indices without(const Indices& all, const Indices& drawn) {
  Indices rest;
  std::set_difference(all.begin(), all.end(), drawn.begin(), drawn.end(), std::back_inserter(rest));
  return rest;
}

void draw_val(const Dataset& dataset, const SplitOptions& options, uint64_t fold, Split& split) {
  if (options.val <= 0) return;
  split.val = draw_share(dataset, split.train, options.val, options.val_grouped,
                         stream_key(options.seed, "fold", fold));
  split.train = without(split.train, split.val);
}

[[noreturn]] void fail_empty(const Dataset& dataset, const std::string& found, int64_t largest) {
  std::string counts;
  std::vector<int64_t> n(dataset.classes.size());
  for (const Sample& s : dataset.samples) ++n[static_cast<size_t>(s.label)];
  for (size_t c = 0; c < n.size(); ++c)
    counts += (c ? ", " : "") + dataset.classes[c] + " " + std::to_string(n[c]);
  throw DataError({"fold.empty", "", "", found + " (" + counts + ")",
                   "training and test samples in every fold",
                   "the largest possible k is " + std::to_string(largest)});
}

bool has_given_split(const Dataset& dataset) {
  return std::any_of(dataset.samples.begin(), dataset.samples.end(),
                     [](const Sample& s) { return !s.split.empty(); });
}

Split given_split(const Dataset& dataset, const SplitOptions& options) {
  Split split;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const std::string& role = sample_at(dataset, i).split;
    (role == "test" ? split.test : role == "val" ? split.val : split.train).push_back(i);
  }
  if (split.train.empty()) fail_empty(dataset, "no sample in the given training split", 1);
  if (options.select == "last") {
    // Nothing chooses an epoch, so the cells that would have done it train.
    split.train.insert(split.train.end(), split.val.begin(), split.val.end());
    std::sort(split.train.begin(), split.train.end());
    split.val.clear();
  } else if (split.val.empty() && options.select == "val-fold" && !split.test.empty()) {
    std::swap(split.val, split.test);
  } else if (split.val.empty()) {
    draw_val(dataset, options, 0, split);
  }
  return split;
}

// Samples and groups that can be dealt out as wholes.
int64_t count_units(const Dataset& dataset) {
  std::set<std::string> groups;
  int64_t n = 0;
  for (const Sample& s : dataset.samples)
    n += s.group.empty() || groups.insert(std::to_string(s.domain) + ":" + s.group).second;
  return n;
}

}  // namespace

namespace {

std::vector<Split> splits_of_all(const Dataset& dataset, const SplitOptions& options) {
  check<ConfigError>(options.folds >= 1, "splits", "expected one fold or more, got ",
                     options.folds);
  check<ConfigError>(options.test >= 0 && options.test < 1 && options.val >= 0 && options.val < 1,
                     "splits", "expected shares of 0 to 1 for val and test, got ", options.val,
                     " and ", options.test);
  if (dataset.samples.empty()) fail_empty(dataset, "no sample", 0);
  if (has_given_split(dataset)) {
    check<ConfigError>(options.folds == 1, "splits", "the data set says its own split; got ",
                       options.folds, " folds; take the column `split` out for others");
    return {given_split(dataset, options)};
  }
  std::vector<Split> splits(static_cast<size_t>(options.folds));
  Indices all(dataset.samples.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  if (options.folds == 1) {
    Split& s = splits[0];
    if (options.test > 0)
      s.test = draw_share(dataset, all, options.test, true, stream_key(options.seed, "test"));
    s.train = without(all, s.test);
  } else {
    const int64_t units = count_units(dataset);
    if (units < options.folds)
      fail_empty(dataset,
                 std::to_string(units) + " groups for " + std::to_string(options.folds) + " folds",
                 units);
    const auto fold = assign_folds(dataset, options.folds, options.seed);
    for (size_t i = 0; i < fold.size(); ++i)
      for (int64_t f = 0; f < options.folds; ++f)
        (f == fold[i] ? splits[static_cast<size_t>(f)].test : splits[static_cast<size_t>(f)].train)
            .push_back(static_cast<int64_t>(i));
  }
  for (size_t f = 0; f < splits.size(); ++f) {
    if (options.select == "inner") draw_val(dataset, options, f, splits[f]);
    if (options.select == "val-fold") std::swap(splits[f].val, splits[f].test);
    const Split& s = splits[f];
    const bool held = options.folds > 1 || options.test > 0;
    const bool drawn = options.select == "inner" && options.val > 0;
    const char* empty = s.train.empty()                           ? "training"
                        : held && s.test.empty() && s.val.empty() ? "held-back"
                        : held && s.test.empty() && drawn         ? "test"
                        : drawn && s.val.empty()                  ? "validation"
                                                                  : nullptr;
    if (empty)
      fail_empty(dataset,
                 "the " + std::string(empty) + " part of fold " + std::to_string(f) + " is empty",
                 count_units(dataset));
  }
  return splits;
}

int64_t domain_index(const Dataset& dataset, const std::string& name) {
  std::string all;
  for (size_t d = 0; d < dataset.domains.size(); ++d) {
    if (dataset.domains[d] == name || escape_control(dataset.domains[d]) == name)
      return static_cast<int64_t>(d);
    all += (d ? ", " : "") + escape_control(dataset.domains[d]);
  }
  const std::string near = nearest_name(name, dataset.domains);
  throw ConfigError(Fault{"cfg", "", "", "no domain \"" + escape_control(name) + "\"",
                          "one of " + all, near.empty() ? "" : "did you mean " + near + "?"});
}

}  // namespace

DomainRoles domain_roles(const Dataset& dataset, const std::vector<std::string>& train,
                         const std::vector<std::string>& unseen) {
  DomainRoles out;
  std::set<int64_t> held;
  for (const std::string& name : unseen) held.insert(domain_index(dataset, name));
  out.unseen.assign(held.begin(), held.end());
  std::set<int64_t> wanted;
  for (const std::string& name : train) {
    const int64_t d = domain_index(dataset, name);
    if (held.contains(d))
      throw ConfigError(Fault{"cfg", "", "",
                              "domain " + escape_control(name) + " is both trained on and unseen",
                              "one of the two", "take it out of --train-domains or of --unseen"});
    wanted.insert(d);
  }
  for (int64_t d = 0; d < static_cast<int64_t>(dataset.domains.size()); ++d)
    if (train.empty() ? !held.contains(d) : wanted.contains(d)) out.train.push_back(d);
  if (out.train.empty())
    throw ConfigError(Fault{"cfg", "", "", "every domain is unseen: none is left to train on",
                            "at least one domain that is not in --unseen", ""});
  return out;
}

void apply_domain_roles(const Dataset& dataset, const DomainRoles& roles, Split& split) {
  const auto is_in = [&](const Indices& domains, int64_t i) {
    return std::binary_search(domains.begin(), domains.end(), sample_at(dataset, i).domain);
  };
  for (Indices* part : {&split.train, &split.val, &split.test})
    std::erase_if(*part, [&](int64_t i) { return !is_in(roles.train, i); });
  split.unseen.clear();
  for (int64_t i = 0; i < dataset.size(); ++i)
    if (is_in(roles.unseen, i)) split.unseen.push_back(i);
}

std::vector<Split> make_splits(const Dataset& dataset, const SplitOptions& options) {
  check<ConfigError>(
      options.select == "inner" || options.select == "val-fold" || options.select == "last",
      "splits", "expected select of inner, val-fold or last, got ", options.select);
  if (options.unseen.empty() && options.train.empty()) return splits_of_all(dataset, options);
  const DomainRoles roles = domain_roles(dataset, options.train, options.unseen);
  // The training domains by themselves, so that what is unseen cannot move a fold.
  Dataset part = dataset;
  std::vector<bool> keep;
  Indices place;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    keep.push_back(
        std::binary_search(roles.train.begin(), roles.train.end(), sample_at(dataset, i).domain));
    if (keep.back()) place.push_back(i);
  }
  keep_samples(part, keep);
  std::vector<Split> splits = splits_of_all(part, options);
  for (Split& split : splits) {
    for (Indices* indices : {&split.train, &split.val, &split.test})
      for (int64_t& i : *indices) i = place[static_cast<size_t>(i)];
    apply_domain_roles(dataset, roles, split);
  }
  return splits;
}

}  // namespace cytograd
