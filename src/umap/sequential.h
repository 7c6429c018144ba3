#pragma once

#include <vector>

#include "cytograd/umap/layout.h"

namespace cytograd::umap {

/// The step length of an epoch: the first two use the full rate, then it falls linearly.
double epoch_rate(const LayoutOptions& options, int64_t epoch);

/// One edge after the other; see `Order::sequential`.
void layout_sequential(std::vector<float>& positions, int64_t dims, const Graph& graph,
                       const LayoutOptions& options, Schedule& schedule);

/// Single steps, for two points of `dims` coordinates. `k` is left where it is if null.
void attract_step(const Curve& curve, double rate, int64_t dims, float* j, float* k,
                  const float* k_place);
void repel_step(const Curve& curve, double rate, double repulsion, int64_t dims, float* j,
                const float* k);

/// The partner that draw `number` of a visit to `edge` meets, of `count`. @param key of the epoch
int64_t drawn_partner(uint64_t key, uint32_t edge, uint32_t number, int64_t count);
/// Puts the visits of a row of this epoch in a new order, in `Order::synchronous`: the last have
/// the most weight on where the point ends up, and in one order the same neighbours would always be
/// the last.
void shuffle_visits(uint32_t* edges, size_t count, uint64_t key, int64_t row);
/// Names the random numbers of an epoch.
uint64_t epoch_key(const LayoutOptions& options, int64_t epoch);

}  // namespace cytograd::umap
