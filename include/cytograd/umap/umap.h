#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/core/tensor.h"
#include "cytograd/umap/graph.h"
#include "cytograd/umap/layout.h"

/// @file
/// UMAP (McInnes, Healy, Melville 2018): maps of few dimensions that keep neighbourhoods, with
/// class labels as a guide where wanted, and the way back. docs/umap.md.
///
///     Umap umap({.neighbors = 15, .seed = 1});
///     Tensor map = umap.fit(features, labels);       // [N, 2]
///     Tensor more = umap.transform(new_features);
///     Tensor back = umap.inverse_transform(Tensor::from<float>({{5, 5}}, {1, 2}));

namespace cytograd {

enum class UmapInit { spectral, pca, random };

struct UmapOptions {
  int64_t neighbors = 15;  ///< points per neighbourhood, the point itself included
  int64_t components = 2;
  double min_dist = 0.1, spread = 1;
  double local_connectivity = 1, set_op_mix = 1;
  double target_weight = 0.5;  ///< weight of the labels, 0 to 1
  double learning_rate = 1, repulsion = 1;
  int64_t negative_rate = 5;
  int64_t epochs = 0;  ///< 0: 500 up to 10,000 points, else 200
  UmapInit init = UmapInit::spectral;
  umap::Order order = umap::Order::synchronous;
  int64_t exact_limit = 100'000;  ///< more points than this: approximate neighbours
  int64_t inverse_neighbors = 0;  ///< rows that an inverse transform mixes; 0: as many as columns
  int64_t inverse_epochs = -1;    ///< -1: as a transform; 0: the weighted mean alone
  uint64_t seed = 0;
  uint64_t transform_seed = 42;

  /// @throws ConfigError naming the option
  void check() const;
};

/// A fitted map. Everything is computed in float32 on the CPU. The same options and data give the
/// same bits for any number of threads. Const members may be called by several threads at once.
class Umap {
 public:
  explicit Umap(UmapOptions options = {});

  /// @param data [N, n], float32 or float64, N >= 1
  /// @param labels int64 [N], -1 for unknown; undefined: unsupervised
  /// @param init [N, components]: where points start; every coordinate is rescaled to [0, 10] and
  /// noise of 1e-4 added. Undefined: `options.init`
  /// @return the embedding [N, components]; rows that are connected to no other are NaN
  /// @throws DataError umap.nan for NaN or infinity; ShapeError; ConfigError for an init whose
  /// coordinate is the same everywhere
  Tensor fit(const Tensor& data, const Tensor& labels = {}, const Tensor& init = {});

  /// Places rows [M, n] on the finished map; training points stay. @throws StateError before fit
  Tensor transform(const Tensor& data) const;

  /// Rows [M, n] of the data space for points [M, components] of the map: the mean of the nearest
  /// training rows on the map, weighted by the curve, then moved by `inverse_epochs` of gradient
  /// descent. Works for points anywhere, also beyond the map's edge. @throws StateError before fit
  Tensor inverse_transform(const Tensor& points) const;

  bool fitted() const { return embedding_.defined(); }
  const UmapOptions& options() const { return options_; }
  const Tensor& embedding() const;                        ///< [N, components]
  const umap::Scales& scales() const { return scales_; }  ///< unsupervised
  /// The graph that was laid out; empty after `load`.
  const umap::Graph& graph() const { return graph_; }
  umap::Curve curve() const { return curve_; }
  int64_t columns() const;  ///< of the training data
  /// What the user should know: fewer neighbours than asked for, rows without a place.
  const std::vector<std::string>& notes() const { return notes_; }

  /// Options, training data, map and scales as safetensors. @throws StateError, FileError
  void save(const std::string& path) const;
  /// @throws FileError, DataError (umap.model where the content is not such a model)
  static Umap load(const std::string& path);

 private:
  umap::Points points() const;
  void build_graph(const Tensor& labels);
  std::vector<float> start(const Tensor& init);
  int64_t transform_epochs(int64_t rows) const;

  UmapOptions options_;
  umap::Curve curve_;
  Tensor data_, embedding_;
  umap::Scales scales_;
  umap::Graph graph_;
  int64_t neighbors_ = 0;  // as used
  std::vector<std::string> notes_;
};

}  // namespace cytograd
