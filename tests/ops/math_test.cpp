#include "kernels/math.h"

#include <cmath>
#include <initializer_list>
#include <limits>

#include <doctest/doctest.h>

using namespace cytograd;

namespace {

// Largest error in units in the last place over every `step`-th float of both signs.
template <class F, class G>
double worst_ulp(F&& f, G&& exact, float largest, uint32_t step) {
  double worst = 0;
  for (uint32_t bits = 0; bits < std::bit_cast<uint32_t>(largest); bits += step) {
    for (const float x : {std::bit_cast<float>(bits), -std::bit_cast<float>(bits)}) {
      const double want = exact(static_cast<double>(x));
      const auto rounded = static_cast<float>(want);
      if (std::abs(rounded) < std::numeric_limits<float>::min()) continue;
      const double ulp = static_cast<double>(
          std::nextafter(std::abs(rounded), std::numeric_limits<float>::infinity()) -
          std::abs(rounded));
      worst = std::max(worst, std::abs(static_cast<double>(f(x)) - want) / ulp);
    }
  }
  return worst;
}

}  // namespace

TEST_CASE("float exp and tanh are within 2 units in the last place") {
  const auto exp_of = [](double x) { return std::exp(x); };
  const auto tanh_of = [](double x) { return std::tanh(x); };
  CHECK(worst_ulp([](float x) { return math::exp(x); }, exp_of, 87.0f, 997) <= 2);
  CHECK(worst_ulp([](float x) { return math::tanh(x); }, tanh_of, 20.0f, 997) <= 2);
}

TEST_CASE("float exp at its ends") {
  constexpr float inf = std::numeric_limits<float>::infinity();
  CHECK(math::exp(inf) == inf);
  CHECK(math::exp(-inf) == 0.0f);
  CHECK(math::exp(89.0f) == inf);
  CHECK(math::exp(88.5f) == doctest::Approx(std::exp(88.5)));
  CHECK(math::exp(0.0f) == 1.0f);
  CHECK(math::exp(-100.0f) == std::exp(-100.0f));
  CHECK(std::isnan(math::exp(std::numeric_limits<float>::quiet_NaN())));
  CHECK(std::isnan(math::tanh(std::numeric_limits<float>::quiet_NaN())));
  CHECK(std::isnan(math::sigmoid(std::numeric_limits<float>::quiet_NaN())));
}
