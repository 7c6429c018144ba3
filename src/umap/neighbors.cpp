#include "cytograd/umap/neighbors.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "kernels/gemm.h"

namespace cytograd::umap {

float distance(const float* a, const float* b, int64_t columns) {
  // Four sums, for the sake of speed; their order is fixed.
  double sum[4] = {};
  int64_t c = 0;
  for (; c + 4 <= columns; c += 4)
    for (int64_t l = 0; l < 4; ++l) {
      const double difference = static_cast<double>(a[c + l]) - b[c + l];
      sum[l] += difference * difference;
    }
  for (; c < columns; ++c) {
    const double difference = static_cast<double>(a[c]) - b[c];
    sum[0] += difference * difference;
  }
  return static_cast<float>(std::sqrt((sum[0] + sum[1]) + (sum[2] + sum[3])));
}

namespace {

constexpr int64_t row_block = 256, column_block = 2048, scan = 64;
// Candidates beyond k: room for the rounding of the matrix product.
constexpr int64_t spare = 8;

struct Candidate {
  float distance;  // exact, or a stand-in from the matrix product
  int32_t index;
  bool operator<(const Candidate& o) const {
    return distance < o.distance || (distance == o.distance && index < o.index);
  }
};

// Points less their common mean, so that the products below stay small, and |x|^2 of each.
struct Centred {
  std::vector<float> values, squares;
  Centred(const Points& p, const std::vector<double>& mean)
      : values(static_cast<size_t>(p.rows * p.columns)), squares(static_cast<size_t>(p.rows)) {
    parallel_for(p.rows, 64, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        double sum = 0;
        float* out = values.data() + i * p.columns;
        for (int64_t c = 0; c < p.columns; ++c) {
          out[c] = static_cast<float>(p.row(i)[c] - mean[static_cast<size_t>(c)]);
          sum += static_cast<double>(out[c]) * out[c];
        }
        squares[static_cast<size_t>(i)] = static_cast<float>(sum);
      }
    });
  }
};

std::vector<double> mean_of(const Points& p) {
  std::vector<double> mean(static_cast<size_t>(p.columns), 0.0);
  for (int64_t i = 0; i < p.rows; ++i)
    for (int64_t c = 0; c < p.columns; ++c) mean[static_cast<size_t>(c)] += p.row(i)[c];
  for (double& m : mean) m /= static_cast<double>(p.rows);
  return mean;
}

// The `capacity` smallest so far, ascending.
struct Best {
  Candidate* items;
  int64_t count = 0, capacity;
  float limit = std::numeric_limits<float>::infinity();
  void offer(Candidate c) {
    if (count == capacity && !(c < items[count - 1])) return;
    int64_t at = count < capacity ? count++ : count - 1;
    for (; at > 0 && c < items[at - 1]; --at) items[at] = items[at - 1];
    items[at] = c;
    if (count == capacity) limit = items[count - 1].distance;
  }
};

class Search {
 public:
  Search(const Points& points, const Points& queries, int64_t k, bool self)
      : points_(points), queries_(queries), k_(k), self_(self) {
    wanted_ = self ? k - 1 : k;
    capacity_ = std::min(wanted_ + spare, points.rows - (self ? 1 : 0));
  }

  Neighbors run() {
    Neighbors out{queries_.rows, k_, {}, {}};
    out.index.resize(static_cast<size_t>(queries_.rows * k_));
    out.distance.resize(out.index.size());
    const std::vector<double> mean = mean_of(points_);
    const Centred points(points_, mean);
    const Centred other = self_ ? Centred(Points{}, {}) : Centred(queries_, mean);
    const Centred& queries = self_ ? points : other;
    parallel_for(queries_.rows, row_block,
                 [&](int64_t begin, int64_t end) { block(points, queries, begin, end, out); });
    return out;
  }

 private:
  void block(const Centred& points, const Centred& queries, int64_t begin, int64_t end,
             Neighbors& out) const {
    const int64_t rows = end - begin, width = points_.columns;
    std::vector<float> product(static_cast<size_t>(rows * column_block));
    std::vector<Candidate> kept(static_cast<size_t>(rows * capacity_));
    std::vector<Best> best;
    for (int64_t r = 0; r < rows; ++r) best.push_back({kept.data() + r * capacity_, 0, capacity_});
    for (int64_t first = 0; first < points_.rows && capacity_ > 0; first += column_block) {
      const int64_t columns = std::min(column_block, points_.rows - first);
      kernels::gemm<float>(false, true, rows, columns, width, queries.values.data() + begin * width,
                           width, points.values.data() + first * width, width, product.data(),
                           column_block);
      for (int64_t r = 0; r < rows; ++r)
        collect(product.data() + r * column_block, points.squares.data(), first, columns, begin + r,
                best[static_cast<size_t>(r)]);
    }
    for (int64_t r = 0; r < rows; ++r)
      finish(queries, begin + r, best[static_cast<size_t>(r)], out);
  }

  // |y|^2 - 2 x.y orders the points y as their distance from x does.
  void collect(float* product, const float* squares, int64_t first, int64_t columns, int64_t row,
               Best& best) const {
    for (int64_t at = 0; at < columns; at += scan) {
      const int64_t count = std::min(scan, columns - at);
      float* values = product + at;
      const float* norms = squares + first + at;
      int hits = 0;
      const float limit = best.limit;
      for (int64_t j = 0; j < count; ++j) {
        values[j] = norms[j] - 2 * values[j];
        hits += values[j] < limit;
      }
      if (hits == 0) continue;
      for (int64_t j = 0; j < count; ++j) {
        const int64_t index = first + at + j;
        if (values[j] < best.limit && !(self_ && index == row))
          best.offer({values[j], static_cast<int32_t>(index)});
      }
    }
  }

  void finish(const Centred& queries, int64_t row, Best& best, Neighbors& out) const {
    // A point that was left out lies at `limit` or farther, less what rounding may have moved it.
    const float limit = best.limit;
    const bool all = best.count + (self_ ? 1 : 0) == points_.rows;
    const float* query = queries_.row(row);
    for (int64_t i = 0; i < best.count; ++i)
      best.items[i].distance = distance(query, points_.row(best.items[i].index), points_.columns);
    std::sort(best.items, best.items + best.count);
    if (!all && wanted_ > 0) {
      const double square = queries.squares[static_cast<size_t>(row)], norm = std::sqrt(square);
      const double reached = best.items[wanted_ - 1].distance, farthest = reached * reached;
      // A nearer point is at most this far from the mean; the error of a product of n terms is at
      // most n units in the last place of |x| |y|, and centring moves every coordinate by one.
      const double reach = norm + reached;
      const double unit = 6e-8 * static_cast<double>(points_.columns + 8);
      const double error = unit * (2 * norm * reach + reach * reach + square);
      if (!(farthest < limit + square - error)) direct(query, row, best);
    }
    write(row, best, out);
  }

  void direct(const float* query, int64_t row, Best& best) const {
    best.count = 0;
    best.limit = std::numeric_limits<float>::infinity();
    for (int64_t j = 0; j < points_.rows; ++j)
      if (!(self_ && j == row))
        best.offer({distance(query, points_.row(j), points_.columns), static_cast<int32_t>(j)});
  }

  void write(int64_t row, const Best& best, Neighbors& out) const {
    int32_t* index = out.index.data() + row * k_;
    float* distance = out.distance.data() + row * k_;
    int64_t at = 0;
    if (self_) {
      index[0] = static_cast<int32_t>(row);
      distance[0] = 0;
      at = 1;
    }
    for (int64_t i = 0; i < wanted_; ++i, ++at) {
      index[at] = best.items[i].index;
      distance[at] = best.items[i].distance;
    }
  }

  Points points_, queries_;
  int64_t k_, wanted_ = 0, capacity_ = 0;
  bool self_;
};

void check_sizes(const Points& points, int64_t k) {
  check<ValueError>(points.rows <= std::numeric_limits<int32_t>::max(), "exact_neighbors",
                    "expected fewer than 2^31 points, got ", points.rows);
  check<ValueError>(k >= 1 && k <= points.rows, "exact_neighbors", "k expects 1 to ", points.rows,
                    ", got ", k);
}

}  // namespace

Neighbors exact_neighbors(const Points& points, int64_t k) {
  check_sizes(points, k);
  return Search(points, points, k, true).run();
}

Neighbors exact_neighbors(const Points& points, const Points& queries, int64_t k) {
  check_sizes(points, k);
  check<ShapeError>(points.columns == queries.columns, "exact_neighbors", "queries expect ",
                    points.columns, " columns, got ", queries.columns);
  return Search(points, queries, k, false).run();
}

}  // namespace cytograd::umap
