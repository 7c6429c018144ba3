#include <cmath>
#include <limits>

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/umap/init.h"
#include "cytograd/umap/quality.h"
#include "cytograd/umap/umap.h"
#include "support/kernel_case.h"
#include "support/op_case.h"
#include "support/temp_folder.h"
#include "umap/inverse.h"
#include "umap/points.h"

using namespace cytograd;
using test::check_op_error;
using test::view;

namespace {

// Share of points whose 15 nearest others, themselves left out, vote for their class.
double own_class(const Tensor& places, const std::vector<int64_t>& labels) {
  const umap::Neighbors near = umap::exact_neighbors(view(places), 16);
  int right = 0;
  for (int64_t i = 0; i < near.rows; ++i) {
    int votes[16] = {};
    for (int64_t j = 1; j < 16; ++j)
      ++votes[labels[static_cast<size_t>(near.index[static_cast<size_t>(i * 16 + j)])]];
    right += std::max_element(votes, votes + 16) - votes == labels[static_cast<size_t>(i)];
  }
  return right / static_cast<double>(near.rows);
}

Tensor class_means(const Tensor& rows, const std::vector<int64_t>& labels, int64_t classes) {
  const int64_t n = rows.size(0), width = rows.size(1);
  std::vector<double> sum(static_cast<size_t>(classes * width)),
      count(static_cast<size_t>(classes));
  for (int64_t i = 0; i < n; ++i) {
    ++count[labels[i]];
    for (int64_t c = 0; c < width; ++c)
      sum[labels[i] * width + c] += rows.data<float>()[i * width + c];
  }
  std::vector<float> out;
  for (int64_t k = 0; k < classes * width; ++k)
    out.push_back(static_cast<float>(sum[k] / count[k / width]));
  return Tensor::from(out, {classes, width});
}

double mean_distance(const Tensor& a, const Tensor& b) {
  double sum = 0;
  for (int64_t i = 0; i < a.size(0); ++i)
    sum += umap::distance(view(a).row(i), view(b).row(i), a.size(1));
  return sum / static_cast<double>(a.size(0));
}

Tensor normal(int64_t rows, int64_t columns, const char* name = "rows") {
  return Tensor::from(test::random_values<float>(name, rows * columns), {rows, columns});
}

bool finite(const Tensor& x) {
  for (const float v : x.to_vector<float>())
    if (!std::isfinite(v)) return false;
  return true;
}

}  // namespace

TEST_CASE("umap: trustworthiness and separation on data set B (U6), both orders") {
  const test::DataB b;
  const auto labels = b.labels.to_vector<int64_t>();
  for (const umap::Order order : {umap::Order::synchronous, umap::Order::sequential}) {
    double trust = 0, own = 0, trust_labels = 0, worst = 1;
    constexpr int seeds = 5;
    for (uint64_t seed = 0; seed < seeds; ++seed) {
      UmapOptions o;
      o.seed = seed;
      o.order = order;
      o.init = UmapInit::random;
      const Tensor map = Umap(o).fit(b.rows);
      trust += umap::trustworthiness(view(b.rows), view(map), 15) / seeds;
      own += own_class(map, labels) / seeds;
      const Tensor guided = Umap(o).fit(b.rows, b.labels, b.start);
      trust_labels += umap::trustworthiness(view(b.rows), view(guided), 15) / seeds;
      worst = std::min(worst, own_class(guided, labels));
    }
    CAPTURE(trust);
    CAPTURE(own);
    CAPTURE(trust_labels);
    CHECK(std::abs(trust - 0.9716) < 0.01);
    CHECK(std::abs(own - 0.894) < 0.02);
    CHECK(std::abs(trust_labels - 0.9714) < 0.01);
    CHECK(worst >= 0.995);
  }
}

TEST_CASE("umap: the way back from class centroids of data set B (U6)") {
  const test::DataB b;
  const auto labels = b.labels.to_vector<int64_t>();
  const Tensor means = class_means(b.rows, labels, 15);
  for (const int64_t epochs : {-1, 0}) {
    UmapOptions o;
    o.inverse_epochs = epochs;
    Umap umap(o);
    const Tensor map = umap.fit(b.rows, b.labels, b.start);
    const double error = mean_distance(umap.inverse_transform(class_means(map, labels, 15)), means);
    CAPTURE(error);
    CHECK(error > (epochs == 0 ? 0.28 : 0.35));
    CHECK(error < (epochs == 0 ? 0.38 : 0.60));
  }
}

TEST_CASE("umap inverse: the start is the weighted mean (U5)") {
  const std::vector<float> map = {0, 0, 1, 0, 0, 1, 2, 2};
  const std::vector<float> rows = {0, 0, 1, 1, 0, 1, 0, 2, 1, 4, 4, 0};
  const std::vector<float> query = {.25f, .25f};
  umap::InverseOptions o;
  o.neighbors = 3;
  o.epochs = 0;
  o.curve = {1.576943, 0.895061};
  const auto got =
      umap::invert({rows.data(), 4, 3}, {map.data(), 4, 2}, {}, {query.data(), 1, 2}, o);
  const double expected[] = {0.275131, 0.550262, 1.000000};
  for (int c = 0; c < 3; ++c) CHECK(std::abs(got[c] - expected[c]) < 1e-6);
}

TEST_CASE("umap inverse: single steps (U4)") {
  const float row[] = {0, 0};
  const auto attracted = [&](double sigma) {
    std::vector<float> r = {1, 0};
    umap::inverse_attract(r.data(), row, 2, .5, sigma, .25);
    return r;
  };
  const auto repelled = [&](double rho) {
    std::vector<float> r = {1, 0};
    umap::inverse_repel(r.data(), row, 2, rho, .2, 1, .25);
    return r;
  };
  CHECK(attracted(.2) == std::vector<float>{0, 0});
  CHECK(std::abs(attracted(2)[0] - 0.75f) < 2e-6);
  CHECK(std::abs(repelled(.5)[0] - 1.111783f) < 2e-6);
  CHECK(repelled(1.2) == std::vector<float>{2, 0});
}

TEST_CASE("umap: the same bits for any number of threads, again, and after loading") {
  const test::DataB b;
  UmapOptions o;
  o.epochs = 60;
  const Tensor queries = normal(50, 16, "queries");
  const auto all = [&] {
    Umap umap(o);
    auto out = umap.fit(b.rows, b.labels).to_vector<float>();
    for (const Tensor& part : {umap.transform(queries), umap.inverse_transform(b.start)})
      for (const float v : part.to_vector<float>()) out.push_back(v);
    return out;
  };
  CHECK(test::same_for_any_threads(all));
  const TempFolder folder;
  Umap umap(o);
  umap.fit(b.rows);
  umap.save(folder / "m.umap");
  const Umap again = Umap::load(folder / "m.umap");
  CHECK(again.transform(queries).to_vector<float>() == umap.transform(queries).to_vector<float>());
  CHECK(again.inverse_transform(b.start).to_vector<float>() ==
        umap.inverse_transform(b.start).to_vector<float>());
  CHECK(again.options().epochs == 60);
  write_file_atomically(folder / "bad", "nothing");
  CHECK_THROWS_AS(Umap::load(folder / "bad"), DataError);
}

TEST_CASE("umap transform: training rows return to their places, new ones to their class") {
  const test::DataB b;
  Umap umap;
  const Tensor map = umap.fit(b.rows, b.labels);
  const Tensor again = umap.transform(b.rows);
  CHECK(mean_distance(again, map) < 1.0);
  CHECK(own_class(again, b.labels.to_vector<int64_t>()) > 0.9);
  CHECK(umap.transform(Tensor::empty({0, 16})).shape() == Shape{0, 2});
}

TEST_CASE("umap: few rows, equal rows, three and one components, every start") {
  for (const int64_t n : {1, 2, 3, 4, 15, 16}) {
    Umap umap;
    const Tensor map = umap.fit(normal(n, 5));
    CHECK(map.shape() == Shape{n, 2});
    CHECK(finite(map));
    CHECK(umap.notes().size() == (n <= 15 ? 1 : 0));
    CHECK(finite(umap.transform(normal(3, 5, "more"))));
    CHECK(finite(umap.inverse_transform(normal(3, 2, "places"))));
    if (n == 1) CHECK(map.to_vector<float>() == std::vector<float>{0, 0});
  }
  const Tensor far = Tensor::full({1, 5}, 1e6);
  Umap single;
  single.fit(normal(1, 5));
  CHECK(finite(single.transform(far)));
  for (const UmapInit init : {UmapInit::spectral, UmapInit::pca, UmapInit::random})
    for (const int64_t components : {1, 2, 3, 5}) {
      UmapOptions o;
      o.init = init;
      o.components = components;
      o.epochs = 20;
      CHECK(finite(Umap(o).fit(normal(60, 4))));
      CHECK(finite(Umap(o).fit(Tensor::ones({60, 4}))));
      CHECK(finite(Umap(o).fit(normal(60, 1))));
    }
}

TEST_CASE("umap: parts that are not connected are laid out apart") {
  Tensor rows = normal(300, 6);
  for (int64_t i = 0; i < 300; ++i) rows.data<float>()[i * 6] += static_cast<float>(i % 3) * 100;
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 300; ++i) labels.push_back(i % 3);
  CHECK(own_class(Umap().fit(rows), labels) == 1.0);
}

TEST_CASE("umap: a row without edges has no place, and a note says so") {
  Tensor rows = normal(40, 3);
  std::vector<int64_t> labels(40, 0);
  labels[7] = 1;
  UmapOptions o;
  o.target_weight = 1;
  Umap umap(o);
  const auto map = umap.fit(rows, Tensor::from(labels)).to_vector<float>();
  for (size_t i = 0; i < 40; ++i) CHECK(std::isnan(map[2 * i]) == (i == 7));
  REQUIRE(umap.notes().size() == 1);
  CHECK(umap.notes()[0] == "1 rows are connected to no other and have no place (NaN)");
  CHECK(finite(umap.transform(normal(9, 3, "more"))));
  CHECK(finite(umap.inverse_transform(Tensor::zeros({2, 2}))));
}

TEST_CASE("umap: wrong calls") {
  const Tensor rows = normal(20, 3);
  const Umap fresh;
  check_op_error<StateError>([&] { fresh.transform(rows); },
                             "umap: transform expects a fitted map; call fit first");
  check_op_error<StateError>([&] { fresh.inverse_transform(rows); },
                             "umap: inverse_transform expects a fitted map; call fit first");
  check_op_error<StateError>([&] { fresh.embedding(); },
                             "umap: expected a fitted map; call fit first");
  Umap umap;
  umap.fit(rows);
  check_op_error<ShapeError>([&] { umap.transform(normal(2, 4)); },
                             "umap: data expects 3 columns as in the fit, got 4");
  check_op_error<ShapeError>([&] { umap.inverse_transform(normal(2, 3)); },
                             "umap: points expect 2 coordinates as the map, got 3");
  check_op_error<ShapeError>(
      [&] {
        umap.fit(Tensor::empty({0, 3}));
      },
      "umap: data expects at least one row and one column, got [0, 3]");
  check_op_error<ShapeError>(
      [&] {
        umap.fit(rows, Tensor::from(std::vector<int64_t>{1, 2}));
      },
      "umap: labels expect [20], got [2]");
  check_op_error<ShapeError>([&] { umap.fit(rows, {}, normal(20, 3)); },
                             "umap: init expects [20, 2], got [20, 3]");
  check_op_error<ConfigError>(
      [&] {
        umap.fit(rows, {}, Tensor::ones({20, 2}));
      },
      "umap: init has the same value 1 for every row in coordinate 0");
  check_op_error<ConfigError>([] { Umap({.neighbors = 1}); },
                              "umap: neighbors expects 2 or more, got 1");
  check_op_error<ConfigError>([] { Umap({.min_dist = 2}); },
                              "umap: min_dist expects 0 to 1 (spread), got 2");
  rows.data<float>()[4] = std::numeric_limits<float>::quiet_NaN();
  check_op_error<DataError>([&] { umap.fit(rows); },
                            "data row 1, column 1: NaN; expected a finite float32 number; leave "
                            "such rows out or fill them in [umap.nan]");
}
