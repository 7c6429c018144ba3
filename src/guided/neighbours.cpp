#include <algorithm>
#include <numeric>
#include <span>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/guided/classifiers.h"
#include "cytograd/ops/pairwise_distance.h"

namespace cytograd {

Neighbours nearest_rows(const LabelledRows& train, const std::vector<float>& queries, int64_t k) {
  const int64_t n = train.size(), width = train.width;
  check<ValueError>(n >= 1 && width >= 1 && k >= 1, "nearest_rows", "expects rows and k >= 1, got ",
                    n, " rows and k ", k);
  check<ShapeError>(static_cast<int64_t>(queries.size()) % width == 0, "nearest_rows",
                    "expects rows of ", width, ", got ", queries.size(), " values");
  const NoGrad no_grad;
  const int64_t rows = static_cast<int64_t>(queries.size()) / width;
  Neighbours out;
  out.k = std::min(k, n);
  out.indices.resize(static_cast<size_t>(rows * out.k));
  out.distances.resize(out.indices.size());
  const Tensor all = Tensor::from(train.values, {n, width});
  constexpr int64_t block = 256;
  for (int64_t begin = 0; begin < rows; begin += block) {
    const int64_t count = std::min(block, rows - begin);
    const Tensor part = Tensor::from(
        std::span<const float>(queries.data() + begin * width, static_cast<size_t>(count * width)),
        {count, width});
    const Tensor d = pairwise_distance(part, all);
    const float* distances = d.data<float>();
    parallel_for(count, 8, [&](int64_t first, int64_t last) {
      std::vector<int64_t> order(static_cast<size_t>(n));
      for (int64_t i = first; i < last; ++i) {
        const float* row = distances + i * n;
        std::iota(order.begin(), order.end(), int64_t{0});
        std::partial_sort(
            order.begin(), order.begin() + out.k, order.end(),
            [row](int64_t a, int64_t b) { return row[a] < row[b] || (row[a] == row[b] && a < b); });
        for (int64_t j = 0; j < out.k; ++j) {
          const auto at = static_cast<size_t>((begin + i) * out.k + j);
          out.indices[at] = order[static_cast<size_t>(j)];
          out.distances[at] = row[order[static_cast<size_t>(j)]];
        }
      }
    });
  }
  return out;
}

std::vector<double> neighbour_votes(const Neighbours& neighbours,
                                    const std::vector<int64_t>& labels, int64_t classes, int64_t k,
                                    bool by_distance) {
  const int64_t used = std::min(k, neighbours.k);
  const auto rows = static_cast<int64_t>(neighbours.indices.size()) / neighbours.k;
  std::vector<double> out(static_cast<size_t>(rows * classes));
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t* index = neighbours.indices.data() + i * neighbours.k;
    const double* distance = neighbours.distances.data() + i * neighbours.k;
    double* votes = out.data() + i * classes;
    double sum = 0;
    for (int64_t j = 0; j < used; ++j) {
      double weight = 1;
      // Ascending: whether there is a distance of 0 shows in the first.
      if (by_distance) weight = distance[0] == 0 ? distance[j] == 0 : 1 / distance[j];
      votes[labels[static_cast<size_t>(index[j])]] += weight;
      sum += weight;
    }
    for (int64_t c = 0; c < classes; ++c) votes[c] /= sum;
  }
  return out;
}

}  // namespace cytograd
