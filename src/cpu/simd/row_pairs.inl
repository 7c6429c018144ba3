// Needs kLaneBytes, the width of a vector. Included once by each row_pairs_<isa>.cpp.
#include "cpu/simd/row_pairs_table.h"

namespace cytograd::simd {
namespace {

constexpr int64_t kRun = 1024;   // elements summed in T before they are added in float64
constexpr int64_t kStrip = 512;  // elements of dx that are summed at once; 2 or 4 KB of stack

template <class T>
using Vector __attribute__((vector_size(kLaneBytes))) = T;
template <class T>
constexpr int64_t lanes = kLaneBytes / static_cast<int64_t>(sizeof(T));

template <class V, class T>
inline V load(const T* from) {
  V v;
  __builtin_memcpy(&v, from, sizeof(V));
  return v;
}
template <class V, class T>
inline void store(T* to, V v) {
  __builtin_memcpy(to, &v, sizeof(V));
}

struct Square {
  template <class V>
  static V of(V difference) {
    return difference * difference;
  }
};
struct Magnitude {
  template <class V>
  static V of(V difference) {
    return difference < 0 ? -difference : difference;
  }
};

// out[r] = sum over k of Term(x_k - y_rk) for `rows` rows of y.
template <class Term, int rows, class T>
inline void sum_terms(const T* x, const T* y, int64_t width, double* out) {
  using V = Vector<T>;
  for (int r = 0; r < rows; ++r) out[r] = 0;
  for (int64_t begin = 0; begin < width; begin += kRun) {
    const int64_t end = begin + kRun < width ? begin + kRun : width;
    V sums[rows] = {};
    int64_t k = begin;
    for (; k + lanes<T> <= end; k += lanes<T>) {
      const V a = load<V>(x + k);
      for (int r = 0; r < rows; ++r) sums[r] += Term::of(a - load<V>(y + r * width + k));
    }
    for (int r = 0; r < rows; ++r) {
      double sum = 0;
      for (int64_t l = 0; l < lanes<T>; ++l) sum += static_cast<double>(sums[r][l]);
      for (int64_t t = k; t < end; ++t)
        sum += static_cast<double>(Term::of(x[t] - y[r * width + t]));
      out[r] += sum;
    }
  }
}

template <class Term, class T>
void distances(const T* x, RowBlock<T> y, int64_t count, double* out) {
  int64_t j = 0;
  for (; j + 4 <= count; j += 4) sum_terms<Term, 4>(x, y.data + j * y.width, y.width, out + j);
  for (; j < count; ++j) sum_terms<Term, 1>(x, y.data + j * y.width, y.width, out + j);
}

struct Difference {
  template <class V, class W>
  static V add(V sum, V x, V y, W weight) {
    return sum + weight * (x - y);
  }
  template <class V>
  static V of(V x, V y, V weight) {
    return weight * (x - y);
  }
};
struct Sign {
  template <class V, class W>
  static V add(V sum, V x, V y, W weight) {
    sum = x > y ? sum + weight : sum;
    return x < y ? sum - weight : sum;
  }
  template <class V>
  static V of(V x, V y, V weight) {
    return (x > y ? weight : V{}) - (x < y ? weight : V{});
  }
};

// dx_k += weighted terms of `rows` rows of y, `picked` by place, over k of a strip.
template <class Term, int rows, class T>
inline void add_terms(const T* x, const T* y, int64_t width, const int64_t* picked, const T* weight,
                      int64_t count, T* dx) {
  using V = Vector<T>;
  const T* row[rows];
  V w[rows];
  for (int r = 0; r < rows; ++r) {
    row[r] = y + picked[r] * width;
    w[r] = V{} + weight[picked[r]];
  }
  int64_t k = 0;
  for (; k + lanes<T> <= count; k += lanes<T>) {
    const V a = load<V>(x + k);
    V sum = load<V>(dx + k);
    for (int r = 0; r < rows; ++r) sum = Term::add(sum, a, load<V>(row[r] + k), w[r]);
    store(dx + k, sum);
  }
  for (; k < count; ++k)
    for (int r = 0; r < rows; ++r) dx[k] = Term::add(dx[k], x[k], row[r][k], weight[picked[r]]);
}

template <class Term, class T>
void gradients(const T* x, RowBlock<T> y, int64_t count, const T* weight, T* dx) {
  constexpr int64_t batch = 256;
  int64_t picked[batch];
  for (int64_t begin = 0; begin < y.width; begin += kStrip) {
    const int64_t strip = begin + kStrip < y.width ? kStrip : y.width - begin;
    for (int64_t k = 0; k < strip; ++k) dx[begin + k] = 0;
    for (int64_t from = 0; from < count;) {
      int64_t n = 0;
      for (; from < count && n < batch; ++from)
        if (weight[from] != 0) picked[n++] = from;
      int64_t j = 0;
      for (; j + 8 <= n; j += 8)
        add_terms<Term, 8>(x + begin, y.data + begin, y.width, picked + j, weight, strip,
                           dx + begin);
      for (; j < n; ++j)
        add_terms<Term, 1>(x + begin, y.data + begin, y.width, picked + j, weight, strip,
                           dx + begin);
    }
  }
}

// The pairs of `rows` rows from i on with all rows after them. Every dx_j takes its terms in the
// order of i, so that results do not depend on how many rows are taken at once.
template <class Term, int rows, class T>
inline void own_rows(const T* x, int64_t i, int64_t n, const T* weight, T* dx) {
  using V = Vector<T>;
  static_assert(pair_strip<T> % lanes<T> == 0);
  constexpr int64_t width = pair_strip<T>;
  for (int64_t k = 0; k < width; k += lanes<T>) {
    V a[rows], sum[rows];
    for (int r = 0; r < rows; ++r) {
      a[r] = load<V>(x + (i + r) * width + k);
      sum[r] = load<V>(dx + (i + r) * width + k);
    }
    for (int r = 0; r < rows; ++r)
      for (int s = r + 1; s < rows; ++s) {
        const V step = Term::of(a[r], a[s], V{} + weight[(i + r) * n + i + s]);
        sum[r] += step;
        sum[s] -= step;
      }
    for (int64_t j = i + rows; j < n; ++j) {
      const V b = load<V>(x + j * width + k);
      V own = load<V>(dx + j * width + k);
      for (int r = 0; r < rows; ++r) {
        const V step = Term::of(a[r], b, V{} + weight[(i + r) * n + j]);
        sum[r] += step;
        own -= step;
      }
      store(dx + j * width + k, own);
    }
    for (int r = 0; r < rows; ++r) store(dx + (i + r) * width + k, sum[r]);
  }
}

template <class Term, class T>
void own_gradients(const T* x, int64_t n, const T* weight, T* dx) {
  for (int64_t i = 0; i < n * pair_strip<T>; ++i) dx[i] = 0;
  int64_t i = 0;
  for (; i + 4 <= n; i += 4) own_rows<Term, 4>(x, i, n, weight, dx);
  for (; i < n; ++i) own_rows<Term, 1>(x, i, n, weight, dx);
}

template <class T>
constexpr RowPairKernels<T> kernels = {distances<Square, T>, distances<Magnitude, T>,
                                       gradients<Difference, T>, gradients<Sign, T>, own_gradients<Difference, T>, own_gradients<Sign, T>};

}  // namespace
}  // namespace cytograd::simd
