#include "kernels/dropout.h"

#include "cpu/strided_loop.h"
#include "kernels/random.h"

namespace cytograd::kernels {

void dropout(CpuContext, const Tensor& x, DropoutParams params, const Tensor& y) {
  static_assert(cpu::grain % 4 == 0, "chunks begin at a block of four draws");
  dispatch_floating(x.dtype(), "dropout", [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    const T scale = static_cast<T>(params.scale);
    parallel_for(x.numel(), cpu::grain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i += 4) {
        const random::Words words = random::philox_at(params.key, static_cast<uint64_t>(i) / 4);
        for (int64_t j = i; j < std::min(i + 4, end); ++j)
          to[j] = from[j] * (words.w[j - i] >= params.threshold ? scale : T(0));
      }
    });
  });
}

}  // namespace cytograd::kernels
