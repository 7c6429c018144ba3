#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/multimodal/trajectory.h"
#include "multimodal/trajectory_parts.h"
#include "support/op_case.h"

using namespace cytograd;
using namespace cytograd::multimodal;

namespace {

Tensor line(const std::vector<float>& x) {
  return Tensor::from(x, {static_cast<int64_t>(x.size()), 1});
}

}  // namespace

TEST_CASE("support: percentiles of constructed points") {
  // Second neighbours of 0, 1, 3, 6, 10 on a line: 3, 2, 3, 4, 7.
  const Tensor cells = line({0, 1, 3, 6, 10});
  // Those of the path: 0.5 -> 0.5; 2 -> 1 (1 and 3); 8 -> 2; -2 -> 3; 14 -> 8; 12 -> 6.
  CHECK(support_percentiles(cells, line({.5, 2, 8, -2, 14, 12}), 2) ==
        std::vector<double>{0, 0, 0, 20, 100, 80});
  // A set of itself, shifted: the same for 15 neighbours counted in naive loops.
  std::vector<float> x;
  for (int i = 0; i < 40; ++i) x.push_back(static_cast<float>((i * i * 7) % 101));
  std::vector<float> own;
  const auto fifteenth = [&x](float at, int rank) {
    std::vector<float> d;
    for (const float v : x) d.push_back(std::abs(v - at));
    std::sort(d.begin(), d.end());
    return d[static_cast<size_t>(rank)];
  };
  for (const float v : x) own.push_back(fifteenth(v, 15));
  const std::vector<float> path = {-3, 50, 75.5, 120, 400};
  const std::vector<double> found = support_percentiles(line(x), line(path));
  for (size_t i = 0; i < path.size(); ++i) {
    const float far = fifteenth(path[i], 14);
    const auto closer = std::count_if(own.begin(), own.end(), [far](float d) { return d < far; });
    CHECK(found[i] == 100.0 * static_cast<double>(closer) / 40);
  }
}

TEST_CASE("support: few cells, bad values") {
  // Two cells: neighbours are counted to one.
  CHECK(support_percentiles(line({0, 2}), line({1, 9})) == std::vector<double>{0, 100});
  CHECK(std::isnan(support_percentiles(line({0}), line({1}))[0]));
  test::check_op_error<ValueError>(
      [] {
        support_percentiles(line({0, std::numeric_limits<float>::infinity()}), line({1}));
      },
      "support_percentiles: expects finite latents, got inf");
  test::check_op_error<ShapeError>(
      [] {
        support_percentiles(line({0, 1}), Tensor::zeros({1, 2}));
      },
      "support_percentiles: expects cells [N, D] and a path [T, D], got [2, 1] and [1, 2]");
}

TEST_CASE("masks along a path are means over the nearest cells, each read once") {
  std::vector<float> at;
  for (int i = 0; i < 40; ++i) at.push_back(static_cast<float>(i));
  std::vector<int> reads(40, 0);
  const Tensor masks =
      nearest_masks(line(at), line({7, 32.4f}), [&](const std::vector<int64_t>& rows) {
        std::vector<float> out;
        for (const int64_t r : rows) {
          ++reads[static_cast<size_t>(r)];
          for (int p = 0; p < 4; ++p) out.push_back(static_cast<float>(r + 100 * p));
        }
        return Tensor::from(out, {static_cast<int64_t>(rows.size()), 2, 2, 1});
      });
  CHECK(masks.shape() == Shape{2, 2, 2});
  const std::vector<float> v = masks.to_vector<float>();
  CHECK(v[0] == doctest::Approx(7));  // 0 to 14
  CHECK(v[3] == doctest::Approx(307));
  CHECK(v[4] == doctest::Approx(32));  // 25 to 39
  for (int i = 0; i < 40; ++i) CHECK(reads[static_cast<size_t>(i)] == (i < 15 || i >= 25 ? 1 : 0));
}
