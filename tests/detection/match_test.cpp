#include "cytograd/detection/match.h"

#include <doctest/doctest.h>

#include <set>

#include "cytograd/detection/sample.h"

using namespace cytograd;
using namespace cytograd::detection;

namespace {

using Matrix = std::vector<std::vector<float>>;
using Matches = std::vector<int64_t>;

Matches matched(const Matrix& q, const MatchOptions& options) {
  return match(
      static_cast<int64_t>(q.size()), static_cast<int64_t>(q[0].size()),
      [&q](int64_t i, int64_t j) { return q[static_cast<size_t>(i)][static_cast<size_t>(j)]; },
      options);
}

}  // namespace

TEST_CASE("matching") {
  const Matrix q{{.9f, .6f, .2f, .1f, .25f}, {.1f, .4f, .25f, .1f, .2f}};
  // Candidate 1 is the best that object 1 has, but goes to object 0, which it meets more.
  CHECK(matched(q, {.high = .7f, .low = .3f, .low_quality = true}) == Matches{0, 0, -1, -1, -1});
  CHECK(matched(q, {.high = .7f, .low = .3f}) == Matches{0, -2, -1, -1, -1});
  CHECK(matched(q, {}) == Matches{0, 0, -1, -1, -1});
  CHECK(matched({{.5f, .5f}, {.5f, .2f}}, {}) == Matches{0, 0});  // the first of equal objects
}

TEST_CASE("an object that meets no candidate") {
  const Matrix q{{.9f, .6f, 0}, {0, 0, 0}};
  const MatchOptions published{
      .high = .7f, .low = .3f, .low_quality = true, .low_quality_requires_overlap = false};
  CHECK(matched(q, published) == Matches{0, 0, 0});
  CHECK(matched(q, {.high = .7f, .low = .3f, .low_quality = true}) == Matches{0, -2, -1});
}

TEST_CASE("matching many candidates does not depend on chunks") {
  Rng rng(5, "match");
  const size_t n = 10000;
  Matrix q(7, std::vector<float>(n));
  for (auto& row : q)
    for (float& v : row) v = static_cast<float>(rng.below(1000)) / 1000.f;
  const Matches got = matched(q, {.high = 2, .low = 2, .low_quality = true});
  for (size_t j = 0; j < n; ++j) {
    size_t best = 0;
    bool restored = false;
    for (size_t i = 0; i < q.size(); ++i) {
      if (q[i][j] > q[best][j]) best = i;
      restored = restored || q[i][j] == *std::max_element(q[i].begin(), q[i].end());
    }
    CHECK(got[j] == (restored ? static_cast<int64_t>(best) : below_low));
  }
}

TEST_CASE("matching refuses what it cannot do") {
  const auto none = [](int64_t, int64_t) { return 0.f; };
  CHECK_THROWS_AS(match(0, 3, none, {}), ValueError);
  CHECK_THROWS_AS(match(1, 3, none, {.high = .3f, .low = .5f}), ValueError);
  CHECK(match(2, 0, none, {}).empty());
}

TEST_CASE("sampling") {
  std::vector<int64_t> labels(100, 0);
  for (size_t i = 0; i < 10; ++i) labels[7 * i] = 1 + static_cast<int64_t>(i % 3);
  labels[1] = labels[2] = -1;
  const Sampled drawn = sample(labels, 16, 0.25, Rng(3, "sample"));
  CHECK(drawn.positive.size() == 4);
  CHECK(drawn.negative.size() == 12);
  const std::vector<int64_t> all = drawn.all();
  CHECK(std::is_sorted(all.begin(), all.end()));
  CHECK(std::set<int64_t>(all.begin(), all.end()).size() == 16);
  for (const int64_t i : drawn.positive) CHECK(labels[static_cast<size_t>(i)] >= 1);
  for (const int64_t i : drawn.negative) CHECK(labels[static_cast<size_t>(i)] == 0);
  CHECK(sample(labels, 16, 0.25, Rng(3, "sample")).all() == all);
  CHECK(sample(labels, 16, 0.25, Rng(4, "sample")).all() != all);
  // Fewer positives than wanted leave room for negatives; without limit all are taken.
  CHECK(sample(labels, 40, 0.5, Rng(3, "sample")).negative.size() == 30);
  CHECK(sample(labels, 1000000, 0.5, Rng(3, "sample")).all().size() == 98);
  CHECK(sample({}, 16, 0.5, Rng(3, "sample")).all().empty());
  CHECK(sample({-1, -1}, 16, 0.5, Rng(3, "sample")).all().empty());
  CHECK_THROWS_AS(sample(labels, 16, 1.5, Rng(3, "sample")), ValueError);
}

TEST_CASE("sampling is uniform") {
  const std::vector<int64_t> labels(8, 0);
  std::vector<int> drawn(8, 0);
  for (uint64_t n = 0; n < 4000; ++n)
    for (const int64_t i : sample(labels, 3, 0.5, Rng(1, "uniform", n)).negative)
      ++drawn[static_cast<size_t>(i)];
  // 1500 expected, standard deviation 31.
  for (const int count : drawn) CHECK(std::abs(count - 1500) < 160);
}
