#include "kernels/dropout.h"

#include "cpu/strided_loop.h"
#include "cytograd/core/random.h"

namespace cytograd::kernels {

void dropout(CpuContext, const Tensor& x, DropoutParams params, const Tensor& y) {
  static_assert(cpu::grain % 4 == 0, "chunks begin at a block of four draws");
  const std::array<uint32_t, 2> key{static_cast<uint32_t>(params.key),
                                    static_cast<uint32_t>(params.key >> 32)};
  dispatch_floating(x.dtype(), "dropout", [&]<class T>() {
    const T* from = x.data<T>();
    T* to = y.data<T>();
    const T scale = static_cast<T>(params.scale);
    parallel_for(x.numel(), cpu::grain, [=](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i += 4) {
        const auto block = static_cast<uint64_t>(i) / 4;
        const auto words =
            philox({static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32), 0, 0}, key);
        for (int64_t j = i; j < std::min(i + 4, end); ++j)
          to[j] = from[j] * (words[static_cast<size_t>(j - i)] >= params.threshold ? scale : T(0));
      }
    });
  });
}

}  // namespace cytograd::kernels
