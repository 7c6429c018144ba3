#include "multimodal/quality.h"

#include <doctest/doctest.h>

#include <cmath>
#include <set>

#include "cytograd/core/error.h"
#include "multimodal/batches.h"
#include "multimodal/fake_cells.h"

using namespace cytograd;
using namespace cytograd::multimodal;

TEST_CASE("the spread of columns is what R2 compares with") {
  // Columns 1 2 3 and 4 4 10: 2 and 24.
  SpreadSum plain;
  plain.add(Tensor::from(std::vector<float>{1, 4, 2, 4}, {2, 2}));
  plain.add(Tensor::from(std::vector<float>{3, 10}, {1, 2}));
  CHECK(plain.total() == doctest::Approx(26).epsilon(1e-12));
  CHECK(r2_of(13, plain.total()) == doctest::Approx(0.5));
  CHECK(std::isnan(r2_of(1, 0)));
  // One pixel of two channels; its weights 1, 0, 3: means (1 + 3 * 5) / 4 = 4 and (2 + 3 * 2) / 4.
  SpreadSum weighted;
  weighted.add(Tensor::from(std::vector<float>{1, 2, 100, 100, 5, 2}, {3, 2}),
               Tensor::from(std::vector<float>{1, 0, 3}, {3, 1}), 2);
  CHECK(weighted.total() == doctest::Approx(9 + 3).epsilon(1e-12));
}

TEST_CASE("active units, lengths and divergence of constructed posteriors") {
  constexpr int64_t cells = 40;
  std::vector<float> mu, log_var;
  for (int64_t i = 0; i < cells; ++i)
    for (int64_t k = 0; k < 50; ++k) {
      // Deviation 0.5 in 12 dimensions, 0.05 in the others.
      mu.push_back((i % 2 == 0 ? 1.0F : -1.0F) * (k < 12 ? 0.5F : 0.05F));
      log_var.push_back(k == 0 ? 0.0F : -2.0F);
    }
  LatentStats stats;
  const Tensor m = Tensor::from(mu, {cells, 50}), l = Tensor::from(log_var, {cells, 50});
  stats.add(
      {m.as_strided({15, 50}, {50, 1}, 0).clone(), l.as_strided({15, 50}, {50, 1}, 0).clone()});
  stats.add(
      {m.as_strided({25, 50}, {50, 1}, 750).clone(), l.as_strided({25, 50}, {50, 1}, 750).clone()});
  CHECK(stats.cells() == cells);
  CHECK(stats.active_units() == 12);
  CHECK(stats.mean_length() == doctest::Approx(std::sqrt(12 * 0.25 + 38 * 0.0025)).epsilon(1e-6));
  CHECK(stats.mean_deviation() == doctest::Approx((1 + 49 * std::exp(-1.0)) / 50).epsilon(1e-9));
  const double kl = 0.5 * (12 * 0.25 + 38 * 0.0025 + 49 * (std::expm1(-2.0) + 2));
  CHECK(stats.kl() == doctest::Approx(kl).epsilon(1e-6));
}

TEST_CASE("what counts as a collapse") {
  CHECK(is_collapsed(0, 0.5, 0.5));
  CHECK(is_collapsed(9, 0.5, 0.5));
  CHECK_FALSE(is_collapsed(10, 0.45, 0.5));
  CHECK(is_collapsed(50, 0.44, 0.5));
  CHECK_FALSE(is_collapsed(50, -58.40, -58.45));  // neither is known: no matter of the latent
  CHECK(is_collapsed(50, -2.1, -0.02));           // a decoder that knows noise alone
  CHECK_FALSE(is_collapsed(50, std::nan(""), std::nan("")));
}

TEST_CASE("shuffled batches hold every row once, another way in every epoch") {
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < 23; ++i) rows.push_back(3 * i);
  const Batches a = shuffled_batches(rows, 5, 1, 0), b = shuffled_batches(rows, 5, 1, 1);
  REQUIRE(a.size() == 5);
  CHECK(a.back().size() == 3);
  CHECK(a != b);
  CHECK(a == shuffled_batches(rows, 5, 1, 0));
  std::multiset<int64_t> seen;
  for (const auto& batch : a) seen.insert(batch.begin(), batch.end());
  CHECK(seen == std::multiset<int64_t>(rows.begin(), rows.end()));
}

TEST_CASE("balanced batches hold enough of every group and every row of the epoch") {
  std::vector<int64_t> rows, rare, common, tiny = {0, 1};
  for (int64_t i = 0; i < 200; ++i) rows.push_back(i);
  for (int64_t i = 2; i < 12; ++i) rare.push_back(i);
  for (int64_t i = 12; i < 120; ++i) common.push_back(i);
  const Batches all = balanced_batches(rows, {rare, common, tiny}, 4, 32, 5, 0);
  std::set<int64_t> seen;
  for (const auto& batch : all) {
    CHECK(batch.size() <= 32);
    seen.insert(batch.begin(), batch.end());
    const auto count = [&](const std::vector<int64_t>& group) {
      return std::count_if(batch.begin(), batch.end(), [&](int64_t row) {
        return std::find(group.begin(), group.end(), row) != group.end();
      });
    };
    CHECK(count(rare) >= 4);
    CHECK(count(common) >= 4);
    CHECK(count(tiny) >= 2);
  }
  CHECK(seen.size() == 200);
  CHECK_THROWS_WITH_AS(balanced_batches(rows, {rare, common}, 16, 20, 5, 0),
                       doctest::Contains("more than 26"), ConfigError);
}

TEST_CASE("donors stay whole, and cells without donors are split by class") {
  TrainingOptions options;
  std::vector<int64_t> labels;
  std::vector<std::string> donors;
  for (int64_t i = 0; i < 400; ++i) {
    labels.push_back(i % 4);
    donors.push_back("d" + std::to_string(i % 20));
  }
  const CellSplit whole = split_cells(labels, donors, options);
  CHECK(whole.notes.empty());
  std::map<std::string, std::set<std::string>> roles;
  for (size_t i = 0; i < donors.size(); ++i) roles[donors[i]].insert(whole.roles[i]);
  for (const auto& [donor, found] : roles) CHECK(found.size() == 1);
  CHECK(whole.rows("test").size() == 40);
  CHECK(whole.rows("val").size() == 40);

  const CellSplit cells = split_cells(labels, {}, options);
  REQUIRE(cells.notes.size() == 1);
  CHECK(cells.notes[0].find("no donors") != std::string::npos);
  for (int64_t c = 0; c < 4; ++c) {
    int64_t test = 0;
    for (const int64_t row : cells.rows("test"))
      test += labels[static_cast<size_t>(row)] == c ? 1 : 0;
    CHECK(test == 10);
  }
  // One donor has nearly everything: the others are held back.
  std::vector<std::string> uneven(400, "large");
  uneven[0] = "a", uneven[1] = "b";
  const CellSplit few = split_cells(labels, uneven, options);
  CHECK(few.rows("train").size() >= 398);
  CHECK(few.rows("test").size() == 1);
  CHECK(few.rows("val").size() == 1);
}

TEST_CASE("equal cells stay in one part, and a table's parts are taken as they are") {
  const std::vector<int64_t> labels(100, 0);
  const TrainingOptions options;
  const CellSplit apart = split_cells(labels, {}, options);
  const auto held = static_cast<size_t>(apart.rows("test")[0]);
  const auto shown = static_cast<size_t>(apart.rows("train")[0]);
  std::vector<std::string> digests;
  for (size_t i = 0; i < labels.size(); ++i) digests.push_back(std::to_string(i));
  digests[held] = digests[shown] = "same";
  const CellSplit together = split_cells(labels, {}, options, digests);
  CHECK(together.roles[std::max(held, shown)] == apart.roles[std::min(held, shown)]);
  CHECK(together.roles[std::min(held, shown)] == apart.roles[std::min(held, shown)]);
  REQUIRE(together.notes.size() == 2);
  CHECK(together.notes[1] ==
        "1 cell is the same as another and taken into the other's part of the split");
  CHECK_THROWS_AS(split_cells(labels, {}, options, {"one"}), ValueError);

  const CellSplit given = given_split({"test", "", "val", "train"}, "l.csv");
  CHECK(given.rows("train") == std::vector<int64_t>{1, 3});
  CHECK(given.rows("test") == std::vector<int64_t>{0});
  CHECK_THROWS_WITH_AS(given_split({"test", "val"}, "l.csv"),
                       doctest::Contains("l.csv: column split: no cell to train on"), DataError);
}

TEST_CASE("cells to look at are spread evenly") {
  CHECK(spread({1, 2, 3}, 5) == std::vector<int64_t>{1, 2, 3});
  CHECK(spread({0, 1, 2, 3, 4, 5}, 3) == std::vector<int64_t>{0, 2, 4});
}
