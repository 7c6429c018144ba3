#pragma once

#include <cstdint>

/// @file
/// Passes over [batch, rows, channels] that normalisation layers are made of: batch norm is the
/// case of one batch item, group norm that of one item per sample. Per-channel vectors are
/// [batch, channels]. Work is cut by the sizes alone, so the bits do not depend on threads.

namespace cytograd::cpu {

struct ChannelSizes {
  int64_t batch, rows, channels;
  int64_t vectors() const { return batch * channels; }
};

/// mean, and the sum of squared deviations from it. Reads x from memory once: each tile is summed
/// twice while it is in the cache, and tiles are joined by Chan, Golub and LeVeque's formula
/// (1983).
template <class T>
void channel_moments(const ChannelSizes& sizes, const T* x, double* mean, double* deviations);

/// sum(dy) and sum(dy (x - center)) over rows.
template <class T>
void channel_products(const ChannelSizes& sizes, const T* x, const T* center, const T* dy,
                      double* sum_dy, double* sum_dy_x);

/// y = (x - center) scale + shift
template <class T>
void channel_affine(const ChannelSizes& sizes, const T* x, const T* center, const T* scale,
                    const T* shift, T* y);

/// dx = of_dy dy + of_x (x - center) + constant
template <class T>
void channel_gradient(const ChannelSizes& sizes, const T* x, const T* center, const T* dy,
                      const T* of_dy, const T* of_x, const T* constant, T* dx);

/// dx = of_dy dy
template <class T>
void channel_scale(const ChannelSizes& sizes, const T* dy, const T* of_dy, T* dx);

}  // namespace cytograd::cpu
