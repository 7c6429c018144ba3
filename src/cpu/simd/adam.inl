// A step of Adam, for the vectors that the compiler finds in the including unit's options.
#include "cpu/simd/adam_table.h"

namespace cytograd::simd {
namespace {

inline float square_root(float x) { return __builtin_sqrtf(x); }
inline double square_root(double x) { return __builtin_sqrt(x); }

template <class T>
void adam(const AdamNumbers<T>& numbers, int64_t n, const T* __restrict g, T* __restrict w,
          T* __restrict m, T* __restrict v) {
  const AdamNumbers<T> c = numbers;
  for (int64_t i = 0; i < n; ++i) {
    const T slope = g[i] + c.in_gradient * w[i];
    const T mean = m[i] + c.toward1 * (slope - m[i]);
    const T square = c.keep2 * v[i] + c.toward2 * (slope * slope);
    m[i] = mean;
    v[i] = square;
    w[i] = c.shrink * w[i] - c.size * mean / (square_root(square) * c.root + c.eps);
  }
}

}  // namespace
}  // namespace cytograd::simd
