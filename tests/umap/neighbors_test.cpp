#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/umap/neighbors.h"
#include "support/kernel_case.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::umap;

namespace {

using Row = std::vector<std::pair<float, int32_t>>;

Row sorted_row(const Points& points, const Points& queries, int64_t i, bool self) {
  Row row;
  for (int64_t j = 0; j < points.rows; ++j)
    row.emplace_back(
        self && i == j ? -1.0f : distance(queries.row(i), points.row(j), points.columns),
        static_cast<int32_t>(j));
  std::sort(row.begin(), row.end());
  return row;
}

void check_exact(const Points& points, const Points& queries, const Neighbors& n, bool self) {
  bool right = true;
  for (int64_t i = 0; i < queries.rows; ++i) {
    const Row row = sorted_row(points, queries, i, self);
    for (int64_t j = 0; j < n.k; ++j) {
      const auto at = static_cast<size_t>(i * n.k + j);
      right =
          right && n.index[at] == row[j].second && n.distance[at] == std::max(0.0f, row[j].first);
    }
  }
  CHECK(right);
}

std::vector<float> whole_numbers(int64_t count, int below) {
  std::vector<float> out = test::random_values<float>("whole", count);
  for (float& v : out) v = std::floor(v * static_cast<float>(below));
  return out;
}

}  // namespace

TEST_CASE("exact_neighbors: as sorting all distances, over block borders") {
  for (const int64_t n : {1, 2, 17, 255, 257, 2100}) {
    const int64_t width = n > 2000 ? 3 : 7;
    const auto values = test::random_values<float>("points", n * width);
    const Points points{values.data(), n, width};
    const int64_t k = std::min<int64_t>(n, 15);
    check_exact(points, points, exact_neighbors(points, k), true);
  }
}

TEST_CASE("exact_neighbors: duplicates, far from the origin, one outlier") {
  // Distances are whole or far below the size of the coordinates: the product alone would fail.
  auto values = whole_numbers(600 * 2, 2);
  check_exact({values.data(), 600, 2}, {values.data(), 600, 2},
              exact_neighbors({values.data(), 600, 2}, 15), true);
  auto far = test::random_values<float>("far", 300 * 5);
  for (float& v : far) v += 10000;
  check_exact({far.data(), 300, 5}, {far.data(), 300, 5}, exact_neighbors({far.data(), 300, 5}, 9),
              true);
  far[7] = 1e7f;
  check_exact({far.data(), 300, 5}, {far.data(), 300, 5},
              exact_neighbors({far.data(), 300, 5}, 300), true);
}

TEST_CASE("exact_neighbors: other queries, any thread count") {
  const auto values = test::random_values<float>("points", 700 * 9);
  const auto others = test::random_values<float>("queries", 300 * 9);
  const Points points{values.data(), 700, 9}, queries{others.data(), 300, 9};
  check_exact(points, queries, exact_neighbors(points, queries, 4), false);
  CHECK(test::same_for_any_threads([&] {
    const Neighbors n = exact_neighbors(points, queries, 4);
    return std::pair(n.index, n.distance);
  }));
  test::check_op_error<ValueError>([&] { exact_neighbors(points, 701); },
                                   "exact_neighbors: k expects 1 to 700, got 701");
  test::check_op_error<ShapeError>(
      [&] {
        exact_neighbors(points, {others.data(), 3, 8}, 1);
      },
      "exact_neighbors: queries expect 9 columns, got 8");
}

TEST_CASE("approximate_neighbors: nearly all, the same again, complete among duplicates") {
  if (!has_approximate_neighbors()) {
    MESSAGE("skipped: this build has no hnswlib");
    return;
  }
  const auto values = test::random_values<float>("points", 3000 * 8);
  const Points points{values.data(), 3000, 8};
  const Neighbors exact = exact_neighbors(points, 15), got = approximate_neighbors(points, 15);
  int64_t found = 0;
  for (int64_t i = 0; i < points.rows; ++i) {
    CHECK(got.index[static_cast<size_t>(i * 15)] == i);
    for (int64_t j = 0; j < 15; ++j)
      found += std::count(exact.index.begin() + i * 15, exact.index.begin() + (i + 1) * 15,
                          got.index[static_cast<size_t>(i * 15 + j)]);
  }
  CHECK(found > 3000 * 15 * 98 / 100);
  CHECK(approximate_neighbors(points, 15).index == got.index);
  const std::vector<float> same(500 * 3, 1.0f);
  const Neighbors n = approximate_neighbors({same.data(), 500, 3}, 10);
  CHECK(std::all_of(n.distance.begin(), n.distance.end(), [](float d) { return d == 0; }));
}
