#include "cytograd/multimodal/alignment_report.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"
#include "cytograd/losses/alignment.h"
#include "multimodal/invented_run.h"

using namespace cytograd;
using namespace cytograd::multimodal;
using doctest::Approx;

namespace {

struct Cloud {
  int64_t label, count;
  std::vector<double> center;
};

// Normal clouds with deviation 1, a class per name.
LatentCells clouds(const std::vector<std::string>& classes, const std::vector<Cloud>& list,
                   int64_t width, uint64_t seed) {
  LatentCells out;
  out.classes = classes;
  Rng rng(seed, "clouds");
  std::vector<float> z;
  for (const Cloud& c : list)
    for (int64_t i = 0; i < c.count; ++i) {
      out.names.push_back("cell" + std::to_string(out.names.size()));
      out.labels.push_back(c.label);
      out.split.push_back("train");
      for (int64_t k = 0; k < width; ++k) {
        const double at = k < static_cast<int64_t>(c.center.size()) ? c.center[k] : 0;
        z.push_back(static_cast<float>(at + rng.normal()));
      }
    }
  out.mu = Tensor::from(z, {static_cast<int64_t>(out.labels.size()), width});
  return out;
}

// These latents, all of the first class unless labels are given.
LatentCells cells(const std::vector<float>& z, int64_t width, std::vector<int64_t> labels = {}) {
  LatentCells out;
  const auto n = static_cast<int64_t>(z.size()) / width;
  out.classes = {"a", "b"};
  out.labels = labels.empty() ? std::vector<int64_t>(static_cast<size_t>(n)) : std::move(labels);
  out.names.resize(static_cast<size_t>(n));
  out.split.assign(static_cast<size_t>(n), "train");
  out.mu = Tensor::from(z, {n, width});
  return out;
}

ClassMap map_of(const std::vector<std::string>& names) {
  ClassMap out;
  for (const std::string& n : names) out.pairs.push_back({n, {n}, {n}, {}});
  return out;
}

Tensor normal_rows(int64_t n, int64_t width, double at, uint64_t seed) {
  Rng rng(seed, "rows");
  std::vector<double> out(static_cast<size_t>(n * width));
  for (double& v : out) v = at + rng.normal();
  return Tensor::from(out, {n, width});
}

// Every number of a report, NaN as text, so that bits can be compared.
std::vector<std::string> bits_of(const AlignmentReport& r) {
  std::vector<std::string> out;
  const auto add = [&out](double v) {
    char text[40];
    std::snprintf(text, sizeof text, "%a", v);
    out.emplace_back(text);
  };
  for (const ClassAlignmentRow& c : r.classes)
    for (const double v :
         {c.mean_distance, c.covariance_distance, c.spread, c.mmd, c.mixing, c.transfer, c.chance})
      add(v);
  add(r.transfer);
  add(r.chance);
  return out;
}

}  // namespace

TEST_CASE("alignment report: the numbers of three and four cells by hand") {
  const LatentCells x = cells({0, 1, 1, 0, 2, 2}, 2), y = cells({1, 1, 2, 0, 0, 3, 1, 2}, 2);
  const AlignmentReport r = report_alignment(x, y, map_of({"a"}));
  REQUIRE(r.classes.size() == 1);
  const ClassAlignmentRow& c = r.classes[0];
  CHECK(c.name == "a");
  CHECK(c.image == 3);
  CHECK(c.rna == 4);
  CHECK(c.mean_distance == Approx(0.5));
  // Of [[1, .5], [.5, 1]] and [[.666667, -1], [-1, 1.666667]].
  CHECK(c.covariance_distance == Approx(std::sqrt(1.0 / 9 + 2 * 2.25 + 4.0 / 9)));
  CHECK(c.spread == Approx(std::sqrt(7.0 / 3)));
  CHECK(std::abs(c.mmd - -0.762791) < 1e-6);
  CHECK(c.mixing == Approx(1));  // all six others are neighbours
  CHECK(c.transfer == 1);
  CHECK(c.chance == 1);
  CHECK(r.notes.empty());
}

TEST_CASE("unbiased MMD: that of the loss, without its matrices") {
  for (const uint64_t seed : {1, 2, 3})
    for (const double apart : {0.0, 0.7, 30.0}) {
      const auto n = static_cast<int64_t>(20 + 13 * seed), m = static_cast<int64_t>(71 - 9 * seed);
      const Tensor x = normal_rows(n, 6, 0, seed), y = normal_rows(m, 6, apart, seed + 100);
      const double loss = losses::kernel_mmd(x, y, true).item();
      CAPTURE(loss);
      CHECK(std::abs(unbiased_mmd(x, y) - loss) < 1e-10);
    }
  const Tensor one = Tensor::ones({5, 3}, Dtype::float64);
  CHECK(unbiased_mmd(one, one) == Approx(0));
  CHECK(std::isnan(unbiased_mmd(Tensor::ones({1, 3}), one)));
  CHECK_THROWS_AS(unbiased_mmd(one, Tensor::ones({5, 4})), ShapeError);
}

TEST_CASE("alignment report: identical latents are well mixed, distant ones are not") {
  const std::vector<Cloud> both = {{0, 150, {0}}, {1, 100, {40}}};
  const LatentCells x = clouds({"a", "b"}, both, 6, 1);
  const AlignmentReport same = report_alignment(x, x, map_of({"a", "b"}));
  REQUIRE(same.classes.size() == 2);
  for (const ClassAlignmentRow& c : same.classes) {
    CHECK(c.mean_distance == 0);
    CHECK(c.covariance_distance == 0);
    CHECK(c.spread == Approx(std::sqrt(6.0)).epsilon(0.15));
    // Two copies are a little closer than two samples: 2 (mean of K - 5) / n.
    CHECK(c.mmd < 0);
    CHECK(c.mmd > -0.1);
    CHECK(c.mixing > 0.95);
    CHECK(c.mixing < 1.2);
    CHECK(c.transfer == 1);
  }
  CHECK(same.transfer == 1);
  CHECK(same.chance == Approx(0.6 * 0.6 + 0.4 * 0.4));

  // Two samples of one cloud.
  const AlignmentReport like =
      report_alignment(x, clouds({"a", "b"}, both, 6, 2), map_of({"a", "b"}));
  for (const ClassAlignmentRow& c : like.classes) {
    CHECK(std::abs(c.mmd) < 0.1);
    CHECK(c.mixing == Approx(1).epsilon(0.1));
    CHECK(c.mean_distance < 0.6);
  }

  // Images of a lie where RNA of b does and the other way round.
  const LatentCells swapped = clouds({"a", "b"}, {{0, 150, {40}}, {1, 100, {0}}}, 6, 3);
  const AlignmentReport far = report_alignment(swapped, x, map_of({"a", "b"}));
  for (const ClassAlignmentRow& c : far.classes) {
    CHECK(c.mixing == 0);
    CHECK(c.mean_distance == Approx(40).epsilon(0.02));
    CHECK(c.mmd > 1);
    CHECK(c.transfer == 0);
  }
  CHECK(far.transfer == 0);
}

TEST_CASE("alignment report: the label of the nearest cell wins a tie") {
  // Of the two RNA cells nearest to an image cell at 1 one is a, the nearer, and one is b.
  const LatentCells rna = cells({0, 3, 50, 51}, 1, {0, 1, 0, 1});
  const AlignmentReport r =
      report_alignment(cells({1, 1}, 1, {0, 1}), rna, map_of({"a", "b"}), {.neighbors = 2});
  CHECK(r.classes[0].transfer == 1);
  CHECK(r.classes[1].transfer == 0);
  CHECK(r.transfer == 0.5);
  CHECK(r.chance == 0.5);
}

TEST_CASE("alignment report: classes with too few cells on a side") {
  const LatentCells image = clouds({"a", "b", "c", "lone"}, {{0, 20, {0}}, {1, 5, {9}}}, 3, 1);
  const LatentCells rna =
      clouds({"a", "b", "c", "lone"}, {{0, 30, {0}}, {2, 10, {-9}}, {3, 1, {20}}}, 3, 2);
  const AlignmentReport r = report_alignment(image, rna, map_of({"a", "b", "c", "lone"}));
  REQUIRE(r.classes.size() == 4);
  CHECK(std::isfinite(r.classes[0].mmd));
  for (size_t c = 1; c < 4; ++c) {
    const ClassAlignmentRow& row = r.classes[c];
    CAPTURE(row.name);
    for (const double v :
         {row.mean_distance, row.covariance_distance, row.spread, row.mmd, row.mixing})
      CHECK(std::isnan(v));
    CHECK(test::noted(r.notes, row.name + ": fewer than two cells on a side"));
  }
  CHECK(r.notes.size() == 3);
  CHECK(r.classes[1].image == 5);
  CHECK(r.classes[1].rna == 0);
  CHECK(r.classes[1].transfer == 0);  // no RNA cell has this label
  CHECK(r.classes[1].chance == 0);
  CHECK(std::isnan(r.classes[2].transfer));  // there is no image cell
  CHECK(r.transfer == Approx(20.0 / 25));
  CHECK(r.chance == Approx(20.0 / 25 * 30 / 41));

  // Only classes that lack a side: nothing to transfer from or to.
  const AlignmentReport none = report_alignment(image, rna, map_of({"c"}));
  CHECK(std::isnan(none.transfer));
  CHECK(std::isnan(none.chance));
}

TEST_CASE("alignment report: cells are drawn by seed, for any number of threads") {
  const LatentCells x = clouds({"a", "b"}, {{0, 130, {0}}, {1, 90, {1}}}, 5, 1);
  const LatentCells y = clouds({"a", "b"}, {{0, 60, {0.5}}, {1, 140, {1}}}, 5, 2);
  const ClassMap map = map_of({"a", "b"});
  const int threads = num_threads();
  set_num_threads(1);
  const AlignmentReport one = report_alignment(x, y, map, {.most_cells = 80, .seed = 4});
  set_num_threads(3);
  const AlignmentReport three = report_alignment(x, y, map, {.most_cells = 80, .seed = 4});
  set_num_threads(threads);
  CHECK(bits_of(one) == bits_of(three));
  CHECK(one.notes == std::vector<std::string>{
                         "a: neighbours and MMD are measured on 80 of 130 image cells, seed 4",
                         "b: neighbours and MMD are measured on 80 of 90 image cells, seed 4",
                         "b: neighbours and MMD are measured on 80 of 140 RNA cells, seed 4"});
  const AlignmentReport other = report_alignment(x, y, map, {.most_cells = 80, .seed = 5});
  CHECK(other.classes[1].mmd != one.classes[1].mmd);
  // Moments are of all cells, and the counts too.
  const AlignmentReport all = report_alignment(x, y, map);
  CHECK(all.notes.empty());
  for (size_t c = 0; c < 2; ++c) {
    CHECK(all.classes[c].image == one.classes[c].image);
    CHECK(all.classes[c].mean_distance == one.classes[c].mean_distance);
    CHECK(all.classes[c].covariance_distance == one.classes[c].covariance_distance);
    CHECK(all.classes[c].mmd == Approx(one.classes[c].mmd).epsilon(0.05).scale(1));
  }
}

TEST_CASE("alignment report: bad input") {
  const LatentCells x = cells({0, 1, 1, 0, 2, 2}, 2);
  const ClassMap map = map_of({"a"});
  CHECK_THROWS_WITH_AS(report_alignment(x, cells({0, 1, 2}, 1), map),
                       doctest::Contains("latents of one width, got 2 and 1"), ShapeError);
  LatentCells bad = x;
  bad.labels[1] = 2;
  CHECK_THROWS_WITH_AS(report_alignment(x, bad, map),
                       doctest::Contains("RNA labels of 2 classes, got 2"), ShapeError);
  bad.labels.pop_back();
  CHECK_THROWS_WITH_AS(report_alignment(bad, x, map), doctest::Contains("of the image side"),
                       ShapeError);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK_THROWS_WITH_AS(report_alignment(cells({0, 1, nan, 0}, 2), x, map),
                       doctest::Contains("latents of the image side, cell 1"), DataError);
  CHECK_THROWS_WITH_AS(report_alignment(x, x, map, {.neighbors = 0}),
                       doctest::Contains("got 0 and 5000"), ValueError);
  CHECK_THROWS_AS(report_alignment(x, x, map, {.most_cells = 1}), ValueError);
}
