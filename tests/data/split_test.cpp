#include "cytograd/data/split.h"

#include <numeric>
#include <set>

#include "cytograd/data/scan.h"
#include "data/support.h"

using namespace cytograd;

namespace {

// Samples with the given labels, domains and groups; no files.
Dataset make(const std::vector<int64_t>& labels, const std::vector<std::string>& groups = {},
             const std::vector<int64_t>& domains = {}) {
  Dataset d;
  d.classes = {"a", "b", "c"};
  d.domains = {"x", "y"};
  for (size_t i = 0; i < labels.size(); ++i) {
    Sample s;
    s.id = std::to_string(i);
    s.path = s.id;
    s.label = labels[i];
    s.domain = domains.empty() ? 0 : domains[i];
    s.group = groups.empty() ? "" : groups[i];
    d.samples.push_back(s);
  }
  return d;
}

const std::vector<std::vector<int64_t>> oracle_groups = {
    {10, 44, 29, 30}, {12, 44, 48, 42}, {4, 13, 14, 8},   {1, 14, 10, 1},  {20, 33, 24, 36},
    {5, 26, 18, 31},  {33, 31, 49, 47}, {17, 42, 38, 45}, {35, 1, 49, 40}, {19, 4, 24, 32},
    {45, 49, 39, 45}, {25, 41, 26, 44}, {1, 23, 34, 4}};

}  // namespace

// Guided embedding oracle L7.
TEST_CASE("grouped folds: greedy with local search") {
  const std::vector<int64_t> greedy = {4, 2, 4, 0, 3, 1, 1, 3, 2, 0, 0, 4, 1};
  CHECK(fold_cost(oracle_groups, greedy, 5) == doctest::Approx(0.007983).epsilon(1e-4));
  const auto fold = grouped_folds(oracle_groups, 5);
  CHECK(fold == std::vector<int64_t>{4, 2, 4, 0, 3, 0, 3, 1, 4, 1, 0, 2, 1});
  CHECK(fold_cost(oracle_groups, fold, 5) == doctest::Approx(0.003672).epsilon(1e-4));

  auto relabelled = oracle_groups;
  for (auto& g : relabelled) std::swap(g[0], g[3]);
  CHECK(grouped_folds(relabelled, 5) == fold);
}

// Guided embedding oracle L8.
TEST_CASE("validation quota: largest remainders") {
  CHECK(stratified_quota({120, 33, 7, 4, 1}, 0.125) == std::vector<int64_t>{15, 4, 1, 1, 0});
}

TEST_CASE("fold.empty") {
  CHECK_THROWS_WITH_AS(grouped_folds({{1}, {2}}, 3), doctest::Contains("largest possible k is 2"),
                       DataError);
  SplitOptions o;
  o.folds = 4;
  const Dataset d = make({0, 1, 0, 1}, {"p", "p", "q", "q"});
  CHECK_THROWS_WITH_AS(make_splits(d, o), doctest::Contains("largest possible k is 2"), DataError);
  CHECK_THROWS_WITH_AS(make_splits(d, o), doctest::Contains("a 2, b 2"), DataError);
}

TEST_CASE("stratified folds are balanced in size and per stratum") {
  std::vector<int64_t> strata;
  for (int i = 0; i < 53; ++i) strata.push_back(i % 7 == 0 ? 1 : i % 3 == 0 ? 2 : 0);
  const auto fold = stratified_folds(strata, 5, 3);
  for (int64_t s = -1; s < 3; ++s) {
    std::vector<int64_t> n(5);
    for (size_t i = 0; i < fold.size(); ++i)
      if (s < 0 || strata[i] == s) ++n[static_cast<size_t>(fold[i])];
    CHECK(*std::max_element(n.begin(), n.end()) - *std::min_element(n.begin(), n.end()) <= 1);
  }
  CHECK(stratified_folds(strata, 5, 3) == fold);
  CHECK(stratified_folds(strata, 5, 4) != fold);
}

TEST_CASE("splits: every sample once per fold, test parts disjoint, groups together") {
  std::vector<int64_t> labels, domains;
  std::vector<std::string> groups;
  for (int i = 0; i < 120; ++i) {
    labels.push_back(i % 3);
    domains.push_back(i < 60 ? 0 : 1);
    groups.push_back(i < 60 ? "" : "p" + std::to_string(i / 4));
  }
  const Dataset d = make(labels, groups, domains);
  SplitOptions o;
  o.folds = 5;
  const auto splits = make_splits(d, o);
  std::vector<int64_t> tested;
  for (const Split& s : splits) {
    CHECK(s.train.size() + s.val.size() + s.test.size() == 120);
    CHECK(!s.val.empty());
    tested.insert(tested.end(), s.test.begin(), s.test.end());
    CHECK(find_leaks(d, s, {}, false).empty());
  }
  std::sort(tested.begin(), tested.end());
  std::vector<int64_t> all(120);
  std::iota(all.begin(), all.end(), 0);
  CHECK(tested == all);

  o.folds = 1;
  const auto one = make_splits(d, o);
  CHECK(one[0].test.size() == 24);
  CHECK(find_leaks(d, one[0], {}, false).empty());
  CHECK(make_splits(d, o)[0].train == one[0].train);
}

TEST_CASE("splits given by the data set are kept") {
  Dataset d = make({0, 1, 0, 1, 0, 1, 0, 1, 0, 1});
  for (size_t i = 0; i < 10; ++i) d.samples[i].split = i < 8 ? "train" : "test";
  SplitOptions o;
  const auto s = make_splits(d, o);
  CHECK(s[0].test == std::vector<int64_t>{8, 9});
  CHECK(s[0].val.size() == 1);
  CHECK(s[0].train.size() == 7);
}

TEST_CASE("splits.csv is accepted back") {
  TempFolder folder;
  const std::string path = folder / "splits.csv";
  const Dataset d = make({0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2});
  SplitOptions o;
  o.folds = 3;
  const auto splits = make_splits(d, o);
  write_splits(path, d, splits);
  const auto back = read_splits(path, d);
  REQUIRE(back.size() == 3);
  for (size_t f = 0; f < 3; ++f) {
    CHECK(back[f].train == splits[f].train);
    CHECK(back[f].val == splits[f].val);
    CHECK(back[f].test == splits[f].test);
  }
  Dataset other = d;
  other.samples[0].label = 1;
  CHECK_THROWS_WITH_AS(read_splits(path, other), doctest::Contains("\"0\" is a here"), DataError);
  other.samples.pop_back();
  CHECK_THROWS_AS(read_splits(path, other), DataError);
  put_text(folder, "bad.csv", "sample,fold,role\n0,0,train\n0,0,test\n");
  CHECK_THROWS_WITH_AS(read_splits(folder / "bad.csv", d), doctest::Contains("again in fold 0"),
                       DataError);
  put_text(folder, "huge.csv", "sample,fold,role\n0,9000000000,train\n");
  CHECK_THROWS_AS(read_splits(folder / "huge.csv", d), DataError);
}

TEST_CASE("csv.leak: patient or image in two parts of a split") {
  Dataset d = make({0, 1, 0, 1}, {"p", "q", "p", ""});
  Split s;
  s.train = {0, 1};
  s.test = {2, 3};
  const auto faults = find_leaks(d, s, {"h0", "h1", "h2", "h1"});
  REQUIRE(faults.size() == 2);
  CHECK(faults[0].place == "group p");
  CHECK(faults[1].found.find("same bytes as 1") != std::string::npos);
}

TEST_CASE("csv.leak: two cells of one image in two parts of a split") {
  Dataset d = make({0, 1, 0});
  d.samples[1].path = d.samples[0].path;
  Split s;
  s.train = {0, 2};
  s.test = {1};
  REQUIRE(find_leaks(d, s, {"h0", "h0", "h2"}).size() == 1);
  s.val = {1};
  s.test = {};
  CHECK(find_leaks(d, s, {"h0", "h0", "h2"}).empty());  // as for groups
  CHECK(find_leaks(d, s, {"h0", "h0", "h2"}, false).size() == 1);
}

TEST_CASE("equal files stay in one part") {
  TempFolder folder;
  for (int i = 0; i < 40; ++i) put_image(folder, "a/" + std::to_string(i) + ".png", i / 2);
  DatasetOptions options;
  options.path = folder.path().string();
  Dataset d = load_dataset(options);
  ScanReport report = scan(d);
  apply_scan(d, report, {});
  std::vector<std::string> hashes;
  for (const auto& r : report.samples) hashes.push_back(r.hash);
  for (uint64_t seed = 0; seed < 5; ++seed) {
    SplitOptions o;
    o.seed = seed;
    const auto s = make_splits(d, o);
    CHECK(find_leaks(d, s[0], hashes).empty());
  }
}

namespace {

// 40 samples of x, 30 of y, 20 of z, classes in turn; c is missing in z.
Dataset three_domains() {
  Dataset d;
  d.classes = {"a", "b", "c"};
  d.domains = {"x", "y", "z"};
  for (const auto& [domain, n] : {std::pair<int64_t, int>{0, 40}, {1, 30}, {2, 20}})
    for (int i = 0; i < n; ++i) {
      Sample s;
      s.id = s.path = std::to_string(domain) + "/" + std::to_string(i);
      s.label = i % (domain == 2 ? 2 : 3);
      s.domain = domain;
      d.samples.push_back(s);
    }
  return d;
}

std::vector<int64_t> per_domain(const Dataset& d, const std::vector<int64_t>& part) {
  std::vector<int64_t> out(d.domains.size());
  for (const int64_t i : part) ++out[static_cast<size_t>(d.samples[static_cast<size_t>(i)].domain)];
  return out;
}

}  // namespace

TEST_CASE("unseen domains: whole in a part of their own, and they move no fold") {
  Dataset d = three_domains();
  SplitOptions o;
  o.folds = 5;
  o.select = "val-fold";
  o.unseen = {"z"};
  const auto splits = make_splits(d, o);
  REQUIRE(splits.size() == 5);
  std::vector<int64_t> held(90);
  for (const Split& s : splits) {
    CHECK(s.test.empty());
    CHECK(per_domain(d, s.unseen) == std::vector<int64_t>{0, 0, 20});
    CHECK(per_domain(d, s.train)[2] == 0);
    CHECK(per_domain(d, s.val)[2] == 0);
    CHECK(s.train.size() + s.val.size() == 70);
    for (const int64_t i : s.val) ++held[static_cast<size_t>(i)];
    // 14 or so per fold, and every (domain, class) pair within one of a fifth.
    CHECK(s.val.size() == 14);
    CHECK(s.roles(90)[89] == "unseen");
  }
  for (size_t i = 0; i < 70; ++i) CHECK(held[i] == 1);
  // More samples of the unseen domain, or another name for it: the same folds.
  for (int i = 0; i < 7; ++i) {
    d.samples.push_back(d.samples.back());
    d.samples.back().id += "+";
  }
  const auto again = make_splits(d, o);
  for (size_t f = 0; f < 5; ++f) {
    CHECK(again[f].train == splits[f].train);
    CHECK(again[f].val == splits[f].val);
    CHECK(again[f].unseen.size() == 27);
  }
}

TEST_CASE("folds per image are stratified by domain and class, with the running offset") {
  const Dataset d = three_domains();
  SplitOptions o;
  o.folds = 5;
  o.val = 0;
  std::vector<std::vector<int64_t>> counts(9, std::vector<int64_t>(5));
  const auto splits = make_splits(d, o);
  std::vector<size_t> sizes;
  for (size_t f = 0; f < 5; ++f) {
    sizes.push_back(splits[f].test.size());
    for (const int64_t i : splits[f].test) {
      const Sample& s = d.samples[static_cast<size_t>(i)];
      ++counts[static_cast<size_t>(s.domain * 3 + s.label)][f];
    }
  }
  CHECK(sizes == std::vector<size_t>{18, 18, 18, 18, 18});
  for (const auto& pair : counts) {
    const auto [low, high] = std::minmax_element(pair.begin(), pair.end());
    CHECK(*high - *low <= 1);
  }
}

TEST_CASE("unseen domains: what chooses the epoch") {
  const Dataset d = three_domains();
  SplitOptions o;
  o.unseen = {"x"};
  const Split inner = make_splits(d, o)[0];
  CHECK(inner.test.size() == 10);
  CHECK(inner.val.size() == 5);
  CHECK(inner.train.size() == 35);
  o.select = "val-fold";
  const Split fold = make_splits(d, o)[0];
  CHECK(fold.test.empty());
  CHECK(fold.val == inner.test);
  CHECK(fold.train.size() == 40);
  o.select = "last";
  const Split last = make_splits(d, o)[0];
  CHECK(last.val.empty());
  CHECK(last.test == inner.test);
  o.select = "best";
  CHECK_THROWS_AS(make_splits(d, o), ConfigError);
}

TEST_CASE("unseen domains: names are checked, and one domain must be left") {
  const Dataset d = three_domains();
  CHECK(domain_roles(d, {}, {"y"}).train == std::vector<int64_t>{0, 2});
  CHECK(domain_roles(d, {"x"}, {"y"}).train == std::vector<int64_t>{0});
  CHECK_THROWS_WITH_AS(domain_roles(d, {}, {"w"}), doctest::Contains("one of x, y, z"),
                       ConfigError);
  CHECK_THROWS_WITH_AS(domain_roles(d, {"x", "y"}, {"y"}),
                       doctest::Contains("both trained on and unseen"), ConfigError);
  CHECK_THROWS_WITH_AS(domain_roles(d, {}, {"x", "y", "z"}),
                       doctest::Contains("every domain is unseen"), ConfigError);
  CHECK_THROWS_WITH_AS(domain_roles(d, {"q"}, {}), doctest::Contains("no domain \"q\""),
                       ConfigError);
}

TEST_CASE("unseen domains: splits.csv keeps them, and refuses a domain on both sides") {
  const Dataset d = three_domains();
  const TempFolder folder;
  SplitOptions o;
  o.unseen = {"y"};
  o.train = {"x"};  // z has no part
  const auto splits = make_splits(d, o);
  CHECK(per_domain(d, splits[0].train)[2] == 0);
  write_splits(folder / "s.csv", d, splits);
  const auto back = read_splits(folder / "s.csv", d);
  CHECK(back[0].unseen == splits[0].unseen);
  CHECK(back[0].train == splits[0].train);
  write_file_atomically(folder / "bad.csv",
                        "sample,fold,role\n0/0,0,train\n1/0,0,train\n1/1,0,unseen\n");
  CHECK_THROWS_WITH_AS(read_splits(folder / "bad.csv", d), doctest::Contains("domain y is unseen"),
                       DataError);
}
