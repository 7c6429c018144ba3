#pragma once

#include "cytograd/ops/batch_norm.h"

namespace cytograd {

/// Channels that grow in one block of memory, for densely connected networks: where concat({x, y})
/// copies x again with every layer, this copies each layer's new channels once.
///
/// `channels()` is what there is so far, a view [..., c] of a tensor with room for all. Appending
/// writes only channels that no view shows yet, so what was returned, or saved for backward, does
/// not change; a change in place through a view is noticed as for every other tensor.
///
/// Differentiable: the gradients of the parts are views of the gradient of the whole, and what
/// layers add to the gradient of what they read is added there in place.
class ChannelBuffer {
 public:
  /// Starts with a copy of `first` [..., C].
  /// @param capacity  channels that there will be room for, at least C
  /// @param with_moments  take mean and variance of every part as it comes
  /// @throws ShapeError if `first` is a scalar, ValueError if capacity is too small
  ChannelBuffer(const Tensor& first, int64_t capacity, bool with_moments = false);
  // A copy would write other channels to the same memory.
  ChannelBuffer(const ChannelBuffer&) = delete;
  ChannelBuffer& operator=(const ChannelBuffer&) = delete;

  /// All channels so far.
  const Tensor& channels() const { return channels_; }
  /// Mean and variance of all channels so far, if wanted: norms that read them need not sum again.
  ChannelMoments moments() const;
  /// Adds x [..., G] and returns all channels, [..., C + G].
  /// @throws ShapeError if x differs from them in another axis than the last or there is no room,
  /// DtypeError
  const Tensor& append(const Tensor& x);

 private:
  Tensor prefix(int64_t channels) const;
  void take_moments(const Tensor& x, int64_t begin);
  Tensor block_;  // [..., capacity]; outside the graph
  Tensor channels_;
  ChannelMoments moments_;  // [capacity]
};

}  // namespace cytograd
