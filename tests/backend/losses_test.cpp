#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/core/cuda.h"
#include "cytograd/core/random.h"
#include "cytograd/losses/boda.h"
#include "cytograd/losses/coral.h"
#include "cytograd/losses/cosine.h"
#include "cytograd/losses/gaussian_kl.h"
#include "cytograd/losses/guide.h"
#include "cytograd/losses/nt_xent.h"
#include "cytograd/losses/onehot_bce.h"
#include "cytograd/losses/reconstruction.h"
#include "cytograd/losses/triplet.h"
#include "cytograd/ops/reverse_gradient.h"

using namespace cytograd;

/// @file
/// The losses of the methods and their gradients on the device beside the CPU.

namespace {

Tensor draw(const Shape& shape, const char* name, Dtype dtype) {
  Rng rng(1, name);
  std::vector<double> values(static_cast<size_t>(shape.numel()));
  for (double& v : values) v = rng.normal();
  return Tensor::from(values, shape).to(dtype);
}

struct Inputs {
  Tensor x, labels, guide;
};
using Loss = std::function<Tensor(const Inputs&)>;

std::pair<double, std::vector<double>> run(const Loss& loss, Dtype dtype, Device device) {
  std::vector<int64_t> labels;
  for (int64_t i = 0; i < 37; ++i) labels.push_back(i * 7 % 5);
  const Tensor x = draw({37, 11}, "x", dtype).to(device);
  x.set_requires_grad(true);
  const Tensor value =
      loss({x, Tensor::from(labels).to(device), draw({5, 2}, "guide", dtype).to(device)});
  value.backward();
  return {value.detach().to(Dtype::float64).to_vector<double>()[0],
          x.grad().to(Dtype::float64).to_vector<double>()};
}

}  // namespace

TEST_CASE("losses on the device equal the CPU's") {
  using namespace losses;
  const auto triplets = [](Mining mining) {
    return [mining](const Inputs& in) {
      return triplet_loss(in.x, in.labels, {.mining = mining, .margin = 0.7}).value;
    };
  };
  const auto centers = [](CenterAnchor anchor) {
    return [anchor](const Inputs& in) {
      return center_triplet_loss(in.x, in.labels, {anchor, 0.7}).value;
    };
  };
  const std::pair<const char*, Loss> all[] = {
      {"guide_distance",
       [](const Inputs& in) { return guide_distance(in.x, in.labels, in.guide); }},
      {"distance_loss",
       [](const Inputs& in) { return distance_loss(in.x, in.labels, guide_table(in.guide)); }},
      {"norm_term", [](const Inputs& in) { return norm_term(in.x) + norm_term(in.x, 2); }},
      {"batch_hard", triplets(Mining::batch_hard)},
      {"semi_hard", triplets(Mining::semi_hard)},
      {"all_hard", triplets(Mining::all_hard)},
      {"all_violating", triplets(Mining::all_violating)},
      {"center as anchor", centers(CenterAnchor::center)},
      {"sample as anchor", centers(CenterAnchor::sample)},
      {"centers of before",
       [](const Inputs& in) {
         const Tensor before = slice(in.x.detach(), 0, 0, 5) * 0.5;
         return center_triplet_loss(in.x, in.labels, {.margin = 0.7}, before).value;
       }},
      {"onehot_bce", [](const Inputs& in) { return onehot_bce(in.x, in.labels); }},
      {"coral",
       [](const Inputs& in) {
         return coral({slice(in.x, 0, 0, 20), reverse_gradient(slice(in.x, 0, 20, 37), 0.5)});
       }},
      {"nt_xent",
       [](const Inputs& in) {
         return nt_xent(slice(in.x, 0, 0, 18), slice(in.x, 0, 18, 36), 0.3);
       }},
      {"alignment and uniformity",
       [](const Inputs& in) {
         return alignment(slice(in.x, 0, 0, 18), slice(in.x, 0, 18, 36)) + uniformity(in.x);
       }},
      {"boda",
       [](const Inputs& in) {
         const std::vector<DomainClass> pairs = {{0, 0, 20}, {0, 1, 5}, {1, 0, 4}, {1, 1, 10}};
         const Tensor x = slice(in.x, 0, 0, 4), centroids = slice(in.x.detach(), 0, 4, 8);
         return boda(centroid_distance(x, centroids), {0, 0, 1, 1}, {0, 1, 0, 1}, pairs);
       }},
      {"mean_squared_error",
       [](const Inputs& in) { return mean_squared_error(in.x, in.x.detach() * 0.5); }},
      {"gaussian_kl", [](const Inputs& in) { return gaussian_kl(in.x, in.x * 0.1); }},
      {"cosine_distance",
       [](const Inputs& in) { return cosine_distance(in.x, in.x.detach() * 0.5 + 1.0); }},
  };
  for (const Dtype dtype : {Dtype::float64, Dtype::float32})
    for (const auto& entry : all) {
      INFO(entry.first);
      const double tolerance = dtype == Dtype::float64 ? 1e-12 : 2e-6;
      const auto cpu = run(entry.second, dtype, {});
      const auto device = run(entry.second, dtype, Device::cuda());
      CHECK(std::abs(cpu.first - device.first) <= tolerance * std::max(1.0, std::abs(cpu.first)));
      double apart = 0;
      for (size_t i = 0; i < cpu.second.size(); ++i)
        apart = std::max(apart, std::abs(cpu.second[i] - device.second[i]));
      CHECK(apart <= tolerance);
    }
}
