// Needs kLaneBytes, the width of a vector. Included once by each channel_norm_<isa>.cpp.
#include "cpu/simd/channel_norm_table.h"

namespace cytograd::simd {
namespace {

constexpr int64_t kRunLength = 64;  // rows summed in T before they are added in float64

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

template <class T>
inline T* row_of(const Rows<T>& rows, int64_t row) {
  return rows.data + row * rows.step;
}

template <class A>
struct ElementOf;
template <class V, int n>
struct ElementOf<V (&)[n]> {
  using type = V;
};
/// The element type of an array passed by reference.
template <class A>
using Element = typename ElementOf<A>::type;

/// Calls f(lane, c) for channels from c on, as many as the type of `lane` has: a vector or a T.
template <class T, class F>
inline void for_channels(int64_t channels, F f) {
  typedef T Vector __attribute__((vector_size(kLaneBytes)));
  constexpr int64_t count = kLaneBytes / static_cast<int64_t>(sizeof(T));
  int64_t c = 0;
  for (; c + count <= channels; c += count) f(Vector{}, c);
  for (; c < channels; ++c) f(T{}, c);
}

/// Adds to totals[k][c] the sum over rows of terms[k], which term(terms, row, c) fills: in T over
/// short runs, then in float64.
template <int kinds, class T, class Term>
inline void sum_rows(int64_t rows, int64_t channels, double* const (&totals)[kinds], Term term) {
  T runs[kinds][norm_strip];
  for (int64_t begin = 0; begin < rows; begin += kRunLength) {
    const int64_t end = begin + kRunLength < rows ? begin + kRunLength : rows;
    for (int k = 0; k < kinds; ++k)
      for (int64_t c = 0; c < channels; ++c) runs[k][c] = T(0);
    int64_t row = begin;
    for (; row + 4 <= end; row += 4)
      for_channels<T>(channels, [&](auto lane, int64_t c) {
        using V = decltype(lane);
        V t[4][kinds];
        for (int i = 0; i < 4; ++i) term(t[i], row + i, c);
        for (int k = 0; k < kinds; ++k)
          store(runs[k] + c, load<V>(runs[k] + c) + ((t[0][k] + t[1][k]) + (t[2][k] + t[3][k])));
      });
    for (; row < end; ++row)
      for_channels<T>(channels, [&](auto lane, int64_t c) {
        using V = decltype(lane);
        V t[kinds];
        term(t, row, c);
        for (int k = 0; k < kinds; ++k) store(runs[k] + c, load<V>(runs[k] + c) + t[k]);
      });
    for (int k = 0; k < kinds; ++k)
      for (int64_t c = 0; c < channels; ++c) totals[k][c] += runs[k][c];
  }
}

template <class T>
void moments(Rows<const T> x, int64_t rows, int64_t channels, double* mean, double* deviations) {
  T center[norm_strip];
  for (int64_t c = 0; c < channels; ++c) mean[c] = deviations[c] = 0;
  sum_rows<1, T>(rows, channels, {mean}, [=](auto& term, int64_t row, int64_t c) {
    using V = Element<decltype(term)>;
    term[0] = load<V>(row_of(x, row) + c);
  });
  for (int64_t c = 0; c < channels; ++c) {
    mean[c] /= static_cast<double>(rows);
    center[c] = static_cast<T>(mean[c]);
  }
  sum_rows<1, T>(rows, channels, {deviations}, [=, &center](auto& term, int64_t row, int64_t c) {
    using V = Element<decltype(term)>;
    const V d = load<V>(row_of(x, row) + c) - load<V>(center + c);
    term[0] = d * d;
  });
  // The center was rounded to T: sum (x - center)^2 = sum (x - mean)^2 + rows (mean - center)^2.
  for (int64_t c = 0; c < channels; ++c) {
    const double shift = mean[c] - static_cast<double>(center[c]);
    const double sum = deviations[c] - static_cast<double>(rows) * shift * shift;
    deviations[c] = sum < 0 ? 0 : sum;  // NaN stays
  }
}

template <bool with_residual, bool relu, class T>
void forward_rows(const NormForward<T>& p) {
  for (int64_t row = 0; row < p.rows; ++row) {
    const T *x = row_of(p.x, row), *residual = with_residual ? row_of(p.residual, row) : nullptr;
    T* y = row_of(p.y, row);
    for_channels<T>(p.channels, [&](auto lane, int64_t c) {
      using V = decltype(lane);
      V v = (load<V>(x + c) - load<V>(p.center + c)) * load<V>(p.scale + c) + load<V>(p.shift + c);
      if constexpr (with_residual) v = v + load<V>(residual + c);
      if constexpr (relu) v = v < V{} ? V{} : v;
      store(y + c, v);
    });
  }
}

template <class T>
void forward(const NormForward<T>& p) {
  if (p.residual.data)
    p.relu ? forward_rows<true, true>(p) : forward_rows<true, false>(p);
  else
    p.relu ? forward_rows<false, true>(p) : forward_rows<false, false>(p);
}

template <Mask mask, class T>
void products_rows(const NormProducts<T>& p) {
  sum_rows<2, T>(p.rows, p.channels, {p.sum_dy, p.sum_dy_x},
                 [&p](auto& term, int64_t row, int64_t c) {
                   using V = Element<decltype(term)>;
                   V g = load<V>(row_of(p.dy, row) + c);
                   const V d = load<V>(row_of(p.x, row) + c) - load<V>(p.center + c);
                   if constexpr (mask == Mask::from_input)
                     g = d * load<V>(p.scale + c) + load<V>(p.shift + c) > V{} ? g : V{};
                   if constexpr (mask == Mask::from_output) {
                     g = load<V>(row_of(p.y, row) + c) > V{} ? g : V{};
                     store(row_of(p.masked, row) + c, g);
                   }
                   term[0] = g;
                   term[1] = g * d;
                 });
}

template <class T>
void products(const NormProducts<T>& p) {
  if (p.mask == Mask::none)
    products_rows<Mask::none>(p);
  else if (p.mask == Mask::from_input)
    products_rows<Mask::from_input>(p);
  else
    products_rows<Mask::from_output>(p);
}

template <bool masked, bool with_x, bool accumulate, class T>
void gradient_rows(const NormGradient<T>& p) {
  for (int64_t row = 0; row < p.rows; ++row) {
    const T *x = masked || with_x ? row_of(p.x, row) : nullptr, *dy = row_of(p.dy, row);
    T* dx = row_of(p.dx, row);
    for_channels<T>(p.channels, [&](auto lane, int64_t c) {
      using V = decltype(lane);
      V g = load<V>(dy + c), d = V{};
      if constexpr (masked || with_x) d = load<V>(x + c) - load<V>(p.center + c);
      if constexpr (masked) g = d * load<V>(p.scale + c) + load<V>(p.shift + c) > V{} ? g : V{};
      V v = load<V>(p.of_dy + c) * g;
      if constexpr (with_x) v = v + (load<V>(p.of_x + c) * d + load<V>(p.constant + c));
      if constexpr (accumulate) v = load<V>(dx + c) + v;
      store(dx + c, v);
    });
  }
}

template <bool masked, bool with_x, class T>
void gradient_of(const NormGradient<T>& p) {
  p.accumulate ? gradient_rows<masked, with_x, true>(p) : gradient_rows<masked, with_x, false>(p);
}

template <class T>
void gradient(const NormGradient<T>& p) {
  if (p.of_x)
    p.masked ? gradient_of<true, true>(p) : gradient_of<false, true>(p);
  else
    p.masked ? gradient_of<true, false>(p) : gradient_of<false, false>(p);
}

template <class T>
constexpr ChannelNormKernels<T> kernels = {moments<T>, forward<T>, products<T>, gradient<T>};

}  // namespace
}  // namespace cytograd::simd
