#include <algorithm>
#include <cmath>

#include <doctest/doctest.h>

#include "cytograd/core/random.h"
#include "cytograd/umap/layout.h"
#include "support/kernel_case.h"
#include "umap/inverse.h"
#include "umap/sequential.h"

using namespace cytograd;
using namespace cytograd::umap;

namespace {

const Curve usual{1.576943, 0.895061};

void check_point(const float* p, double x, double y) {
  CAPTURE(p[0]);
  CAPTURE(p[1]);
  CHECK_FALSE(!(std::abs(p[0] - x) <= 2e-6));
  CHECK_FALSE(!(std::abs(p[1] - y) <= 2e-6));
}

// Every row tied to some columns with weights in (0, 1].
Graph random_graph(int64_t rows, int64_t columns, int64_t per_row) {
  Rng rng(5, "graph");
  Graph g{rows, columns, {0}, {}, {}};
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t count = rng.below(per_row + 1);
    for (int64_t e = 0; e < count; ++e) {
      g.column.push_back(static_cast<int32_t>((i * 7 + e * 3) % columns));
      g.weight.push_back(static_cast<float>(rng.uniform(0.01, 1)));
    }
    g.begin.push_back(g.edges());
  }
  return g;
}

}  // namespace

TEST_CASE("umap fit_curve: published pairs") {
  const struct {
    double min_dist, spread, a, b;
  } cases[] = {{.1, 1, 1.576943, 0.895061},
               {.001, 1, 1.929073, 0.791505},
               {.25, 1, 1.121436, 1.057500},
               {.5, 1, 0.583030, 1.334167},
               {.1, 2, 0.544661, 0.842055}};
  for (const auto& c : cases) {
    const Curve got = fit_curve(c.min_dist, c.spread);
    CAPTURE(got.a);
    CAPTURE(got.b);
    CHECK(std::abs(got.a - c.a) < 1e-4);
    CHECK(std::abs(got.b - c.b) < 1e-4);
  }
}

TEST_CASE("umap schedule: counts of visits and draws (U3)") {
  const double periods[] = {1, 2, 10, 3.3333333333};
  std::vector<float> weight;
  for (const double p : periods) weight.push_back(static_cast<float>(1 / p));
  Schedule s(weight, 1, 10, 5);
  const int64_t visits[] = {9, 4, 0, 2}, draws[] = {44, 19, 0, 9};
  for (int64_t e = 0; e < 4; ++e) {
    int64_t v = 0, d = 0;
    for (int64_t t = 0; t < 10; ++t)
      if (s.due(e, t)) {
        ++v;
        d += s.visit(e, t);
      }
    CHECK(v == visits[e]);
    CHECK(std::abs(d - draws[e]) <= v);
  }
}

TEST_CASE("umap layout: single steps (U4)") {
  float j[] = {0, 0}, k[] = {3, 4};
  attract_step(usual, 1, 2, j, k, k);
  check_point(j, 0.207438, 0.276585);
  check_point(k, 2.792562, 3.723415);
  float near[] = {.3f, .4f}, other[] = {0, 0};
  attract_step(usual, .5, 2, near, other, other);
  check_point(near, -0.036370, -0.048493);
  check_point(other, 0.336370, 0.448493);
  float pushed[] = {0, 0};
  const float from[] = {3, 4}, origin[] = {0, 0};
  repel_step(usual, 1, 1, 2, pushed, from);
  check_point(pushed, -0.007376, -0.009835);
  float clipped[] = {.1f, 0};
  repel_step(usual, .5, 1, 2, clipped, origin);
  check_point(clipped, 2.1, 0);
  float same[] = {1, 2};
  repel_step(usual, 1, 1, 2, same, same);
  attract_step(usual, 1, 2, same, nullptr, same);
  check_point(same, 1, 2);
}

TEST_CASE("umap layout: the attraction is the slope of the log of the curve (U4)") {
  const double expected[][2] = {{.5, -1.121234}, {1, -1.095453}, {2, -0.756373}};
  for (const auto& [d, slope] : expected) {
    float j[] = {static_cast<float>(d)};
    const float k[] = {0};
    attract_step(usual, 1, 1, j, nullptr, k);
    CHECK(std::abs(j[0] - d - slope) < 3e-6);
  }
}

TEST_CASE("umap layout: fixed partners, every instruction set and thread count, as plain steps") {
  const int64_t rows = 531, columns = 97;
  const Graph g = random_graph(rows, columns, 9);
  for (const int64_t dims : {2, 3, 1, 5}) {
    CAPTURE(dims);
    LayoutOptions o;
    o.curve = usual;
    o.epochs = 40;
    o.learning_rate = .25;
    o.seed = 3;
    const auto start = test::random_values<float>("start", rows * dims);
    const auto anchors = test::random_values<float>("anchors", columns * dims);
    std::vector<float> expected = start;
    Schedule schedule(g.weight, *std::max_element(g.weight.begin(), g.weight.end()), o.epochs, 5);
    for (int64_t t = 0; t < o.epochs; ++t)
      for (int64_t i = 0; i < rows; ++i) {
        std::vector<uint32_t> visits;
        for (int64_t e = g.begin[i]; e < g.begin[i + 1]; ++e)
          if (schedule.due(e, t)) visits.push_back(static_cast<uint32_t>(e));
        shuffle_visits(visits.data(), visits.size(), epoch_key(o, t), i);
        float* x = expected.data() + i * dims;
        for (const uint32_t e : visits) {
          attract_step(o.curve, epoch_rate(o, t), dims, x, nullptr,
                       anchors.data() + g.column[e] * dims);
          const auto draws = static_cast<uint32_t>(schedule.visit(e, t));
          for (uint32_t d = 0; d < draws; ++d)
            repel_step(o.curve, epoch_rate(o, t), 1, dims, x,
                       anchors.data() + drawn_partner(epoch_key(o, t), e, d, columns) * dims);
        }
      }
    test::for_each_isa([&](const std::string& isa) {
      CAPTURE(isa);
      std::vector<float> got = start;
      optimize_layout(got, anchors, dims, g, o);
      CHECK(got == expected);
      CHECK(test::same_for_any_threads([&] {
        std::vector<float> again = start;
        optimize_layout(again, anchors, dims, g, o);
        return again;
      }));
    });
  }
}
