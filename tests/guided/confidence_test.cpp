#include "cytograd/guided/confidence.h"

#include <doctest/doctest.h>

#include <cmath>

#include "cytograd/core/error.h"

using namespace cytograd;

TEST_CASE("distances to points as probabilities") {
  const Tensor anchors = Tensor::from<double>({0, 0, 0, 2, NAN, 1}, {3, 2});
  const std::vector<double> d = anchor_distances({0.5f, 0, 1, 2}, anchors);
  REQUIRE(d.size() == 6);
  CHECK(d[0] == 0.5);
  CHECK(d[1] == 2.5);
  CHECK(std::isinf(d[2]));
  CHECK(d[3] == 3);
  CHECK(d[4] == 1);
  // softmax of -d / T: 1 / (1 + e^-2) for T = 1, 1 / (1 + e^-1) for T = 2; no point, no chance.
  CHECK(distance_confidence(d, 3, {0, 1}, 1)[0] == doctest::Approx(1 / (1 + std::exp(-2.))));
  CHECK(distance_confidence(d, 3, {0, 1}, 2)[1] == doctest::Approx(1 / (1 + std::exp(-1.))));
  CHECK(distance_confidence(d, 3, {2, 0}, 1)[0] == 0);
  // Far away nothing overflows.
  CHECK(distance_confidence({1e6, 1e6 + 1}, 2, {1}, 1)[0] ==
        doctest::Approx(std::exp(-1.) / (1 + std::exp(-1.))));
  CHECK_THROWS_AS(distance_confidence(d, 3, {0, 1}, 0), ValueError);
  CHECK_THROWS_AS(distance_confidence(d, 3, {0}, 1), ShapeError);
  CHECK_THROWS_AS(anchor_distances({1, 2, 3}, anchors), ShapeError);
}

TEST_CASE("the temperature makes confidence as large as the share that is right") {
  // The first class is nearer by 1 and right in three of four cases: 1 / (1 + e^(-1/T)) = 3/4.
  const std::vector<double> d = {1, 2, 1, 2, 1, 2, 1, 2};
  CHECK(fit_temperature(d, 2, {0, 0, 1, 0}) == doctest::Approx(1 / std::log(3.)).epsilon(1e-3));
  CHECK(fit_temperature({}, 2, {}) == 1);
  // Always right: as sure as allowed; as often wrong as right: as unsure as allowed.
  CHECK(fit_temperature(d, 2, {0, 0, 0, 0}) < 0.1);
  CHECK(fit_temperature(d, 2, {0, 1, 0, 1}) > 45);
  // Classes without a point do not count.
  CHECK(fit_temperature(
            {1, 2, INFINITY, 1, 2, INFINITY, 1, 2, INFINITY, 1, 2, INFINITY, 1, 2, INFINITY}, 3,
            {0, 0, 1, 0, 2}) == doctest::Approx(1 / std::log(3.)).epsilon(1e-3));
}
