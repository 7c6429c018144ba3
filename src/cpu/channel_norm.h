#pragma once

#include "cpu/simd/channel_norm_table.h"

/// @file
/// Passes over [batch, rows, channels] that normalisation layers are made of: batch norm is the
/// case of one batch item, group norm that of one item per sample. Per-channel vectors are
/// [batch, channels]. Rows may lie further apart than their channels; a batch item follows the last
/// row of the one before. Work is cut by the sizes alone, so the bits do not depend on threads.

namespace cytograd::cpu {

struct ChannelSizes {
  int64_t batch, rows, channels;
  int64_t vectors() const { return batch * channels; }
};

/// mean, and the sum of squared deviations from it. Reads x from memory once: each tile is summed
/// twice while it is in the cache, and tiles are joined by Chan, Golub and LeVeque's formula
/// (1983).
template <class T>
void channel_moments(const ChannelSizes& sizes, simd::Rows<const T> x, double* mean,
                     double* deviations);

/// The passes of simd/channel_norm_table.h over all rows and channels; `pass` gives the first ones.
/// The sums of products are assigned. All data may be strided except for the vectors.
template <class T>
void channel_forward(const ChannelSizes& sizes, const simd::NormForward<T>& pass);
template <class T>
void channel_products(const ChannelSizes& sizes, const simd::NormProducts<T>& pass);
template <class T>
void channel_gradient(const ChannelSizes& sizes, const simd::NormGradient<T>& pass);

}  // namespace cytograd::cpu
