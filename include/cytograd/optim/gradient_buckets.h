#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cytograd/optim/optimizer.h"

namespace cytograd::optim {

/// The gradients of a model in a few flat tensors ("buckets"), so that a reduction over processes
/// moves many gradients at once and can begin while backward still computes the others.
///
/// Each gradient is a view of its bucket for as long as this object lives: rules, `clip_grad_norm`
/// and optimisers work in that memory. Values and bits are those of training without buckets. A
/// parameter that has no gradient yet (at the start, after `zero_grad`) has none here either, and
/// an optimiser leaves it alone; its place in the bucket holds zeros whenever the bucket is ready.
///
/// Buckets hold one dtype each and are filled in the reverse order of the parameters, because
/// backward comes to the last layers first. Works on every device. Make them after
/// `Module::to(Device)`; a parameter is in one GradientBuckets at a time. Not for several threads.
class GradientBuckets {
 public:
  /// @param bytes  a bucket takes no further gradient beyond this size
  /// @throws StateError if a parameter is in other buckets; parameters without requires_grad are
  ///         left out
  explicit GradientBuckets(const NamedTensors& parameters, size_t bytes = size_t{25} << 20);
  /// Gradients that are there become tensors of their own again.
  ~GradientBuckets();
  GradientBuckets(const GradientBuckets&) = delete;
  GradientBuckets& operator=(const GradientBuckets&) = delete;

  size_t size() const;
  /// [n]: the gradients of `names(bucket)` one after the other, each from a multiple of 64 bytes,
  /// zeros between them.
  const Tensor& flat(size_t bucket) const;
  const std::vector<std::string>& names(size_t bucket) const;

  /// Called once per bucket in every backward pass, as soon as the gradients of the bucket and of
  /// all buckets before it are complete (so that every process reduces in one order). It runs
  /// inside backward, with recording off: on CUDA the values are complete in the order of the
  /// current stream; record an event there and reduce behind it on a stream of its own.
  void on_ready(std::function<void(size_t bucket, const Tensor& flat)> ready);
  /// Off: gradients add up and nothing is called, for all but the last of several passes whose sum
  /// is one step.
  void set_active(bool active);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace cytograd::optim
