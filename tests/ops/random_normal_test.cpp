#include "cytograd/ops/random_normal.h"

#include <cmath>

#include "cytograd/core/parallel.h"
#include "cytograd/core/random_scope.h"
#include "support/op_case.h"

using namespace cytograd;

TEST_CASE("random_normal: moments, repeatable by scope, for any number of threads") {
  const auto draw = [](uint64_t seed, uint64_t step, int threads) {
    const int before = num_threads();
    set_num_threads(threads);
    const RandomScope scope(seed, step);
    auto values = random_normal({3, 10007}, Dtype::float64).to_vector<double>();
    set_num_threads(before);
    return values;
  };
  const std::vector<double> values = draw(1, 2, 1);
  CHECK(values == draw(1, 2, 3));
  CHECK(values != draw(1, 3, 1));
  CHECK(values != draw(2, 2, 1));
  double mean = 0, square = 0;
  for (const double v : values) mean += v, square += v * v;
  const double n = static_cast<double>(values.size());
  // Five standard errors.
  CHECK(std::abs(mean / n) < 5 / std::sqrt(n));
  CHECK(std::abs(square / n - 1) < 5 * std::sqrt(2 / n));

  const RandomScope scope(1, 2);
  const auto first = random_normal({4}).to_vector<float>();
  CHECK(first != random_normal({4}).to_vector<float>());
  CHECK(first[0] == static_cast<float>(values[0]));
}

TEST_CASE("random_normal outside a scope") { CHECK_THROWS_AS(random_normal({2}), StateError); }
