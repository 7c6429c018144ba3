#include "cytograd/ops/random_normal.h"

#include "cytograd/core/random_scope.h"
#include "kernels/random_normal.h"

namespace cytograd {

Tensor random_normal(const Shape& shape, Dtype dtype, Device device) {
  const uint64_t key = RandomScope::next_key("random_normal", "normal");
  check<DtypeError>(dtype == Dtype::float32 || dtype == Dtype::float64, "random_normal",
                    "expects float32 or float64, got ", dtype);
  const Tensor out = Tensor::empty(shape, dtype, device);
  on_device(out, [&](auto ctx) { kernels::random_normal(ctx, key, out); });
  return out;
}

}  // namespace cytograd
