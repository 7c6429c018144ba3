#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/umap/graph.h"

/// @file
/// Placing points in few dimensions so that distances follow the graph.

namespace cytograd::umap {

/// Similarity of two placed points at distance d: 1 / (1 + a d^(2b)).
struct Curve {
  double a = 1, b = 1;
};

/// Least squares fit of the curve, by Levenberg and Marquardt's method, to 1 where x < min_dist and
/// exp(-(x - min_dist) / spread) beyond, at 300 equal steps of [0, 3 spread].
/// @throws ValueError unless 0 <= min_dist <= spread and spread > 0
Curve fit_curve(double min_dist, double spread);

/// How the steps of one epoch follow each other. Both give the same bits for any number of threads.
enum class Order {
  /// Every point is moved by its own edges in turn and sees the others where they stood at the
  /// start of the epoch: runs in parallel and in vectors.
  synchronous,
  /// One edge after the other, both ends moved at once, as the algorithm was published.
  /// One thread.
  sequential,
};

struct LayoutOptions {
  Curve curve;
  int64_t epochs = 500;
  double learning_rate = 1, repulsion = 1;
  int64_t negative_rate = 5;  ///< random points that repel, per attraction
  uint64_t seed = 0;
  Order order = Order::synchronous;
};

/// Moves `positions` [rows, dims] by stochastic gradient descent over the edges of a symmetric
/// `graph`. An edge of weight w is visited every w_max / w epochs; edges that would never be are
/// left out. @throws ValueError for sizes that disagree or dims outside 1..64
void optimize_layout(std::vector<float>& positions, int64_t dims, const Graph& graph,
                     const LayoutOptions& options);

/// The same with fixed partners: rows of `graph` are the points that move, columns are `anchors`
/// [columns, dims], which stay. Random points are drawn from the anchors.
void optimize_layout(std::vector<float>& positions, const std::vector<float>& anchors, int64_t dims,
                     const Graph& graph, const LayoutOptions& options);

/// Times at which edges are due. All counts are in epochs.
class Schedule {
 public:
  /// @param weight per edge  @param largest the weight that is due in every epoch
  Schedule(const std::vector<float>& weight, double largest, int64_t epochs, int64_t negative_rate);
  /// Whether the edge is due in `epoch`; each due visit must be taken by `visit`.
  bool due(int64_t edge, int64_t epoch) const { return due_[edge] <= epoch; }
  const int32_t* due() const { return due_.data(); }
  /// Books the attraction of this epoch; returns how many random points to draw with it.
  int64_t visit(int64_t edge, int64_t epoch);

 private:
  void set_due(int64_t edge);
  double negative_rate_;
  std::vector<double> period_, next_, next_negative_;
  std::vector<int32_t> due_;  ///< first epoch at or after next_
};

}  // namespace cytograd::umap
