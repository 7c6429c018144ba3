#include "kernels/affine.h"

#include "cpu/gemm_driver.h"

namespace cytograd::kernels {

template <class T>
void affine(int64_t rows, int64_t channels, const T* x, int64_t x_pitch, const T* scale,
            const T* shift, bool relu, T* y, int64_t y_pitch) {
  const simd::GemmKernels<T>& f = cpu::gemm_kernels<T>();
  const int64_t grain = std::max<int64_t>(1, (1 << 15) / std::max<int64_t>(channels, 1));
  parallel_for(rows, grain, [&](int64_t begin, int64_t end) {
    f.copy_affine(y + begin * y_pitch, y_pitch, x + begin * x_pitch, x_pitch, end - begin, channels,
                  scale, shift, relu);
  });
}

template void affine(int64_t, int64_t, const float*, int64_t, const float*, const float*, bool,
                     float*, int64_t);
template void affine(int64_t, int64_t, const double*, int64_t, const double*, const double*, bool,
                     double*, int64_t);

}  // namespace cytograd::kernels
