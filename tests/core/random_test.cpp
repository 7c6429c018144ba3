#include "cytograd/core/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace cytograd;

TEST_CASE("philox known answers") {
  // Random123 kat_vectors, philox 4x32, 10 rounds.
  CHECK(philox({0, 0, 0, 0}, {0, 0}) ==
        std::array<uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr uint32_t f = 0xffffffff;
  CHECK(philox({f, f, f, f}, {f, f}) ==
        std::array<uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
}

TEST_CASE("streams differ by every part of their name") {
  const auto first = [](Rng rng) { return rng.next_u64(); };
  const uint64_t base = first(Rng(1, "a", 2, 3));
  CHECK(base == first(Rng(1, "a", 2, 3)));
  CHECK(base != first(Rng(2, "a", 2, 3)));
  CHECK(base != first(Rng(1, "b", 2, 3)));
  CHECK(base != first(Rng(1, "a", 3, 3)));
  CHECK(base != first(Rng(1, "a", 2, 4)));
}

TEST_CASE("moments of the distributions") {
  struct Row {
    const char* name;
    double mean, variance;
    double (*draw)(Rng&);
  };
  const Row rows[] = {
      {"uniform", 0.5, 1.0 / 12, [](Rng& r) { return r.uniform(); }},
      {"normal", 0, 1, [](Rng& r) { return r.normal(); }},
      {"gamma 0.4", 0.4, 0.4, [](Rng& r) { return r.gamma(0.4); }},
      {"gamma 3", 3, 3, [](Rng& r) { return r.gamma(3); }},
      {"poisson 2", 2, 2, [](Rng& r) { return static_cast<double>(r.poisson(2)); }},
      {"poisson 200", 200, 200, [](Rng& r) { return static_cast<double>(r.poisson(200)); }},
      {"below 7", 3, 4, [](Rng& r) { return static_cast<double>(r.below(7)); }},
  };
  for (const Row& row : rows) {
    CAPTURE(row.name);
    Rng rng(7, row.name);
    constexpr int n = 100'000;
    double sum = 0, squares = 0;
    for (int i = 0; i < n; ++i) {
      const double x = row.draw(rng);
      sum += x;
      squares += (x - row.mean) * (x - row.mean);
    }
    // Six standard errors; heavy tails widen the one of the variance.
    CHECK(std::abs(sum / n - row.mean) < 6 * std::sqrt(row.variance / n));
    CHECK(std::abs(squares / n / row.variance - 1) < 0.06);
  }
}
