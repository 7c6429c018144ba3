#include "cytograd/ops/mine_triplets.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"

#ifdef CYTOGRAD_CUDA
#include "cytograd/core/cuda.h"
#endif

using namespace cytograd;

namespace {

struct Batch {
  std::vector<double> distances;
  std::vector<int64_t> rows, columns;
  bool same = false;
  size_t width() const { return columns.size(); }
};

struct Mined {
  std::vector<double> coefficients;
  std::vector<int64_t> counts;
  bool operator==(const Mined&) const = default;
};

// From the definitions: every triplet is looked at.
Mined by_definition(const Batch& b, Mining mining, double margin) {
  Mined out{std::vector<double>(b.distances.size()), {0, 0}};
  const auto positive = [&](size_t a, size_t j) {
    return b.rows[a] == b.columns[j] && !(b.same && a == j);
  };
  for (size_t a = 0; a < b.rows.size(); ++a) {
    const double* d = b.distances.data() + a * b.width();
    double* c = out.coefficients.data() + a * b.width();
    size_t far = b.width(), near = b.width();
    for (size_t p = 0; p < b.width(); ++p) {
      if (b.rows[a] != b.columns[p] && (near == b.width() || d[p] < d[near])) near = p;
      if (!positive(a, p)) continue;
      if (far == b.width() || d[p] > d[far]) far = p;
      for (size_t q = 0; q < b.width() && mining != Mining::batch_hard; ++q) {
        if (b.rows[a] == b.columns[q]) continue;
        const bool violating = d[p] + margin > d[q];
        if (mining == Mining::semi_hard ? !(d[p] < d[q] && violating)
                                        : (mining == Mining::all_hard ? d[q] > d[p] : !violating))
          continue;
        c[p] += 1;
        c[q] -= 1;
        ++out.counts[0];
        ++out.counts[1];
      }
    }
    if (mining != Mining::batch_hard || far == b.width() || near == b.width()) continue;
    ++out.counts[0];
    if (d[far] - d[near] + margin <= 0) continue;
    ++out.counts[1];
    c[far] += 1;
    c[near] -= 1;
  }
  return out;
}

Mined mined(const Batch& b, Mining mining, double margin, Dtype dtype, Device device) {
  const Shape shape{static_cast<int64_t>(b.rows.size()), static_cast<int64_t>(b.width())};
  const MinedTriplets out =
      mine_triplets(Tensor::from(b.distances, shape).to(dtype).to(device),
                    Tensor::from(b.rows).to(device), Tensor::from(b.columns).to(device),
                    {.mining = mining, .margin = margin, .rows_are_columns = b.same});
  CHECK(out.coefficients.dtype() == dtype);
  return {out.coefficients.to(Dtype::float64).to_vector<double>(), out.counts.to_vector<int64_t>()};
}

std::vector<Device> devices() {
  std::vector<Device> all{Device{}};
#ifdef CYTOGRAD_CUDA
  if (cuda_available()) all.push_back(Device::cuda());
#endif
  return all;
}

// Distances are multiples of 1/4, so that many are equal and float32 holds them.
Batch draw(size_t rows, size_t columns, int64_t classes, bool same) {
  Rng rng(rows * 1000 + columns, "triplets");
  Batch b;
  b.same = same;
  for (size_t i = 0; i < rows * columns; ++i)
    b.distances.push_back(std::floor(rng.uniform() * 16) / 4);
  const auto label = [&] {
    return static_cast<int64_t>(rng.uniform() * static_cast<double>(classes));
  };
  for (size_t i = 0; i < columns; ++i) b.columns.push_back(label());
  for (size_t i = 0; i < rows && !same; ++i) b.rows.push_back(label());
  if (same) b.rows = b.columns;
  return b;
}

}  // namespace

TEST_CASE("mine_triplets equals a walk over all triplets") {
  struct Size {
    size_t rows, columns;
    int64_t classes;
  };
  for (const Mining mining :
       {Mining::batch_hard, Mining::semi_hard, Mining::all_hard, Mining::all_violating})
    for (const Size size : {Size{1, 1, 1}, Size{2, 2, 2}, Size{7, 7, 3}, Size{33, 33, 1},
                            Size{40, 40, 4}, Size{5, 300, 3}, Size{300, 4, 4}, Size{70, 70, 70}}) {
      const Batch b = draw(size.rows, size.columns, size.classes, size.rows == size.columns);
      for (const double margin : {0.0, 0.5})
        for (const Device device : devices())
          for (const Dtype dtype : {Dtype::float32, Dtype::float64}) {
            CAPTURE(static_cast<int>(mining));
            CAPTURE(b.rows.size());
            CAPTURE(margin);
            CHECK(mined(b, mining, margin, dtype, device) == by_definition(b, mining, margin));
          }
    }
}

TEST_CASE("mine_triplets: a NaN marks its row, wrong arguments are refused") {
  Batch b = draw(6, 6, 2, true);
  b.distances[6 * 2 + 1] = std::numeric_limits<double>::quiet_NaN();
  for (const Mining mining : {Mining::batch_hard, Mining::all_hard})
    for (const Device device : devices()) {
      const Mined out = mined(b, mining, 0.2, Dtype::float32, device);
      for (size_t i = 0; i < 36; ++i) CHECK(std::isnan(out.coefficients[i]) == (i / 6 == 2));
    }
  const Tensor d = Tensor::zeros({2, 3}), two = Tensor::from(std::vector<int64_t>{0, 1}),
               three = Tensor::from(std::vector<int64_t>{0, 1, 1});
  CHECK_THROWS_AS(mine_triplets(d, three, three, {}), ShapeError);
  CHECK_THROWS_AS(mine_triplets(d, two, three, {}), ShapeError);  // rows are not the columns
  CHECK_THROWS_AS(mine_triplets(d.to(Dtype::int64), two, three, {.rows_are_columns = false}),
                  DtypeError);
  CHECK_THROWS_AS(mine_triplets(d, two, three, {.margin = -1, .rows_are_columns = false}),
                  ValueError);
  CHECK_NOTHROW(mine_triplets(d, two, three, {.rows_are_columns = false}));
}

#ifdef CYTOGRAD_CUDA
TEST_CASE("mine_triplets: more columns than a block sorts are an error on the device") {
  if (!cuda_available()) return;
  const Device card = Device::cuda();
  const Tensor d = Tensor::zeros({1, 20000}, Dtype::float32, card);
  const Tensor row = Tensor::zeros({1}, Dtype::int64, card),
               columns = Tensor::zeros({20000}, Dtype::int64, card);
  CHECK_THROWS_WITH_AS(
      mine_triplets(d, row, columns, {.mining = Mining::all_hard, .rows_are_columns = false}),
      doctest::Contains("shared memory"), ShapeError);
  CHECK_NOTHROW(mine_triplets(d, row, columns, {.rows_are_columns = false}));
}
#endif
