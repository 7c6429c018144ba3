#include "cytograd/ops/random_normal.h"

#include "cytograd/core/parallel.h"
#include "cytograd/core/random.h"
#include "cytograd/core/random_scope.h"
#include "kernels/context.h"

namespace cytograd {

Tensor random_normal(const Shape& shape, Dtype dtype) {
  constexpr int64_t chunk = 1 << 12;
  const uint64_t key = RandomScope::next_key("random_normal", "normal");
  Tensor out = Tensor::empty(shape, dtype);
  dispatch_floating(dtype, "random_normal", [&]<class T>() {
    T* values = out.data<T>();
    parallel_for(out.numel(), chunk, [&](int64_t begin, int64_t end) {
      Rng rng(key, "normal", static_cast<uint64_t>(begin / chunk));
      for (int64_t i = begin; i < end; ++i) values[i] = static_cast<T>(rng.normal());
    });
  });
  return out;
}

}  // namespace cytograd
