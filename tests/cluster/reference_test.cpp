// Agreement with tslearn and scikit-learn; tests/reference/kshape.py prints the header.
#include "cluster/reference_expected.h"

#include "cluster/cluster_support.h"
#include "cytograd/cluster/kshape.h"

using namespace cytograd;
using namespace cytograd::cluster;
using test::close_values;

namespace {

Curves data() {
  constexpr int rows = 60, length = 50;
  Curves out{rows, length, {}};
  for (int i = 0; i < rows; ++i)
    for (int l = 0; l < length; ++l) {
      const double t = static_cast<double>(l) / (length - 1), centre = .3 + .002 * i;
      const double shape = i % 3 == 0   ? 1 / (1 + std::exp(12 - 24 * t))
                           : i % 3 == 1 ? 1 - t
                                        : std::exp(-60 * (t - centre) * (t - centre));
      out.values.push_back(shape + .1 * std::sin(2.3 * l * (1 + i % 7) + i));
    }
  return z_normalised(out);
}

}  // namespace

TEST_CASE("clusters: tslearn's distances, k-shape and silhouette") {
  const Curves curves = data();
  const std::vector<int64_t> five = {0, 1, 2, 3, 4};
  std::vector<double> distances;
  for (const ShapeMatch& m : shape_matches(curves, curves.subset(five)))
    distances.push_back(m.distance);
  close_values(distances, expected::distances, 1e-6);
  const Clusters found = k_shape(curves, {.k = 3, .initial = {0, 1, 2}});
  CHECK(found.labels == expected::kshape_labels);
  close_values(found.centroids.values, expected::kshape_centroids, 1e-6);
  close_values({found.inertia}, expected::kshape_inertia, 1e-6);
  close_values(shape_silhouettes(curves, {found.labels}), expected::silhouette, 1e-6);
}

TEST_CASE("clusters: scikit-learn's k-means") {
  const Clusters found = k_means(data(), {.k = 3, .initial = {0, 1, 2}});
  CHECK(found.labels == expected::kmeans_labels);
  close_values({found.inertia}, expected::kmeans_inertia, 1e-6);
}
