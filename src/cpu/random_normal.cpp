#include "kernels/random_normal.h"

#include "cytograd/core/parallel.h"
#include "kernels/random.h"

namespace cytograd::kernels {

void random_normal(CpuContext, uint64_t key, const Tensor& y) {
  dispatch_floating(y.dtype(), "random_normal", [&]<class T>() {
    T* values = y.data<T>();
    parallel_for(y.numel(), 1 << 12, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        values[i] = static_cast<T>(random::normal_at(key, static_cast<uint64_t>(i)));
    });
  });
}

}  // namespace cytograd::kernels
