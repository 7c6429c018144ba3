#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "cytograd/core/random.h"
#include "cytograd/report/trajectory_figure.h"

/// @file
/// A path that no model made.

namespace cytograd::test {

/// Genes G0, G1, ... of `steps` steps: in turn up, down, a peak and flat. Frames are noise, masks
/// discs; nothing is outside the data.
inline multimodal::Trajectory invented_path(int64_t genes, int64_t steps, int64_t side) {
  multimodal::Trajectory p;
  p.name = "first to last";
  p.stations = {"first", "last"};
  p.station_t = {0, 1};
  for (int64_t i = 0; i < steps; ++i)
    p.t.push_back(static_cast<double>(i) / static_cast<double>(std::max<int64_t>(1, steps - 1)));
  for (cluster::Curves* c : {&p.expression, &p.fold_low, &p.fold_high}) {
    c->rows = genes;
    c->length = steps;
    c->values.resize(static_cast<size_t>(genes * steps));
  }
  const cluster::Trend trends[] = {cluster::Trend::up, cluster::Trend::down,
                                   cluster::Trend::transient_peak};
  for (const cluster::Trend trend : trends) {
    cluster::GeneCluster c;
    c.name = cluster::name_of(trend);
    c.trend = trend;
    c.mean.assign(p.t.size(), 1);
    c.deviation.assign(p.t.size(), 0.25);
    p.clusters.clusters.push_back(c);
  }
  Rng rng(1, "invented path");
  for (int64_t g = 0; g < genes; ++g) {
    p.genes.push_back("G" + std::to_string(g));
    const int64_t kind = g % 4;
    p.clusters.labels.push_back(kind == 3 ? -1 : kind);
    if (kind < 3) p.clusters.clusters[static_cast<size_t>(kind)].members.push_back(g);
    const double middle = rng.uniform(0.2, 0.8), much = rng.uniform(0.5, 3);
    for (size_t i = 0; i < p.t.size(); ++i) {
      const double x = (p.t[i] - middle) / 0.1, rise = 1 / (1 + std::exp(-x));
      const double shape = kind == 0   ? rise
                           : kind == 1 ? 1 - rise
                           : kind == 2 ? std::exp(-x * x / 2)
                                       : 0;
      p.expression.row(g)[i] = 0.5 + much * shape;
    }
  }
  p.fold = cluster::fold_changes(p.expression);
  for (size_t i = 0; i < p.fold.values.size(); ++i) {
    p.fold_low.values[i] = 0.9 * p.fold.values[i];
    p.fold_high.values[i] = 1.2 * p.fold.values[i];
  }
  p.support.image.assign(p.t.size(), 40);
  p.support.rna.assign(p.t.size(), 70);
  std::vector<float> frames, masks;
  for (int64_t k = 0; k < steps * side * side; ++k) {
    for (int c = 0; c < 3; ++c) frames.push_back(static_cast<float>(rng.uniform()));
    const double y = static_cast<double>(k / side % side) + 0.5 - static_cast<double>(side) / 2,
                 x = static_cast<double>(k % side) + 0.5 - static_cast<double>(side) / 2;
    masks.push_back(std::hypot(x, y) < 0.4 * static_cast<double>(side) ? 1.0F : 0.0F);
  }
  p.frames = Tensor::from(frames, {steps, side, side, 3});
  p.masks = Tensor::from(masks, {steps, side, side});
  return p;
}

/// A driver per gene with numbers for all six scores, and morphology that changes.
inline TrajectoryFigure invented_figure(const multimodal::Trajectory& p) {
  TrajectoryFigure f;
  f.subtitle = "invented";
  Rng rng(2, "invented figure");
  for (const double t : p.t) f.morphology.push_back({1 - t, 1 + t, 0.9, 4000 + t, 0.1, 0.4});
  for (int64_t g = 0; g < p.fold.rows; ++g) {
    multimodal::Driver d;
    d.gene = g;
    d.change = cluster::rise(p.fold.row(g));
    d.half_time = 0.5;
    for (int m = 0; m < 6; ++m) {
      d.along.push_back(rng.uniform(-1, 1));
      d.across.push_back(rng.uniform(-1, 1));
      d.p.push_back(rng.uniform());
      d.q.push_back(rng.uniform());
    }
    f.drivers.push_back(d);
  }
  return f;
}

}  // namespace cytograd::test
