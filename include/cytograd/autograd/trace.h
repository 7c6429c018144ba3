#pragma once

#include <typeinfo>
#include <vector>

#include "cytograd/core/tensor.h"

/// @file
/// A way to watch which operations a function runs: `record` tells the tracer of its thread.

namespace cytograd::autograd {

/// The plain values of a traced operation, of a type that only its sources know.
struct TracedParams {
  const std::type_info* type;
  const void* value;
  /// Null if the operation has parameters of another type.
  template <class P>
  const P* get() const {
    return *type == typeid(P) ? static_cast<const P*>(value) : nullptr;
  }
};

/// Receives every operation that runs on its thread while it exists. One at a time per thread.
class Tracer {
 public:
  Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;
  virtual ~Tracer();
  /// `saved`: what the operation would keep for backward.
  virtual void operation(const char* name, const std::vector<Tensor>& inputs, const Tensor& output,
                         const std::vector<Tensor>& saved, const TracedParams& params) = 0;
};

/// The tracer of this thread, or null.
Tracer* tracer();

}  // namespace cytograd::autograd
