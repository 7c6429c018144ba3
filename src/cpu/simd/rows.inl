// Needs kLaneBytes, the width of a vector. Included once by each rows_<isa>.cpp.
#include "cpu/simd/rows_table.h"

#define CYTOGRAD_HD

namespace cytograd::simd {
namespace {

inline double exp(double x) { return __builtin_exp(x); }
inline double tanh(double x) { return __builtin_tanh(x); }
inline uint32_t bits_of(float x) { return __builtin_bit_cast(uint32_t, x); }
inline float float_of(uint32_t bits) { return __builtin_bit_cast(float, bits); }

#include "kernels/math.inl"

constexpr int64_t kNarrow = 64;   // rows shorter than this are taken side by side
constexpr int64_t kBlock = 64;    // so many of them
constexpr int64_t kBuffer = 512;  // elements of a longer row between exponential and sum

typedef double Sum __attribute__((vector_size(64)));
typedef float Eight __attribute__((vector_size(32)));

inline void add_eight(Sum& sum, const float* x) {
  Eight v;
  __builtin_memcpy(&v, x, sizeof v);
  sum += __builtin_convertvector(v, Sum);
}
inline void add_eight(Sum& sum, const double* x) {
  Sum v;
  __builtin_memcpy(&v, x, sizeof v);
  sum += v;
}

// Adds x, of a length that is a multiple of 8 unless it is the last part of a row.
template <class T>
inline void add_to(Sum& sum, const T* x, int64_t n) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) add_eight(sum, x + i);
  for (int j = 0; i < n; ++i, ++j) sum[j] += static_cast<double>(x[i]);
}
inline double total_of(const Sum& s) {
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

// NaN is passed over: what follows meets it anyway.
template <class T>
inline T row_max(const T* x, int64_t n) {
  typedef T Vector __attribute__((vector_size(kLaneBytes)));
  constexpr int64_t lanes = kLaneBytes / static_cast<int64_t>(sizeof(T));
  T best = -static_cast<T>(__builtin_inf());
  int64_t i = 0;
  if (n >= lanes) {
    Vector most = best - Vector{};
    for (; i + lanes <= n; i += lanes) {
      Vector v;
      __builtin_memcpy(&v, x + i, sizeof v);
      most = v > most ? v : most;
    }
    for (int j = 0; j < lanes; ++j) best = most[j] > best ? most[j] : best;
  }
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

template <class T>
inline double sum_of_exp(const T* x, int64_t n, T shift) {
  T buffer[kBuffer];
  Sum sum{};
  for (int64_t begin = 0; begin < n; begin += kBuffer) {
    const int64_t count = n - begin < kBuffer ? n - begin : kBuffer;
    for (int64_t i = 0; i < count; ++i) buffer[i] = exp(x[begin + i] - shift);
    add_to(sum, buffer, count);
  }
  return total_of(sum);
}

// Some narrow rows with a column of them in the lanes of vectors: the loops go over rows.
template <class T>
struct SideBySide {
  int64_t rows, n;
  T value[kNarrow][kBlock], top[kBlock];
  double total[kBlock];

  SideBySide(const T* x, int64_t r, int64_t c) : rows(r), n(c) {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t i = 0; i < n; ++i) value[i][row] = x[row * n + i];
  }
  void write(T* y) const {
    for (int64_t row = 0; row < rows; ++row)
      for (int64_t i = 0; i < n; ++i) y[row * n + i] = value[i][row];
  }
  void find_top() {
    for (int64_t row = 0; row < rows; ++row) top[row] = -static_cast<T>(__builtin_inf());
    for (int64_t i = 0; i < n; ++i)
      for (int64_t row = 0; row < rows; ++row)
        top[row] = value[i][row] > top[row] ? value[i][row] : top[row];
  }
  // Sums exp(value - top), and keeps them as values if `keep`.
  template <bool keep>
  void sum_exp() {
    for (int64_t row = 0; row < rows; ++row) total[row] = 0;
    for (int64_t i = 0; i < n; ++i)
      for (int64_t row = 0; row < rows; ++row) {
        const T e = exp(value[i][row] - top[row]);
        if constexpr (keep) value[i][row] = e;
        total[row] += static_cast<double>(e);
      }
  }
};

// Calls f(rows, first row) for blocks of narrow rows.
template <class F>
inline void for_blocks(int64_t rows, F f) {
  for (int64_t row = 0; row < rows; row += kBlock)
    f(rows - row < kBlock ? rows - row : kBlock, row);
}

template <class T>
void softmax_narrow(const T* x, int64_t rows, int64_t n, bool logarithm, T* y) {
  for_blocks(rows, [=](int64_t count, int64_t row) {
    SideBySide<T> block(x + row * n, count, n);
    block.find_top();
    T last[kBlock];
    if (logarithm) {
      block.template sum_exp<false>();
      for (int64_t r = 0; r < count; ++r) last[r] = static_cast<T>(__builtin_log(block.total[r]));
      for (int64_t i = 0; i < n; ++i)
        for (int64_t r = 0; r < count; ++r)
          block.value[i][r] = block.value[i][r] - block.top[r] - last[r];
    } else {
      block.template sum_exp<true>();
      for (int64_t r = 0; r < count; ++r) last[r] = static_cast<T>(1 / block.total[r]);
      for (int64_t i = 0; i < n; ++i)
        for (int64_t r = 0; r < count; ++r) block.value[i][r] *= last[r];
    }
    block.write(y + row * n);
  });
}

template <class T>
void softmax(const T* x, int64_t rows, int64_t n, bool logarithm, T* y) {
  if (n < kNarrow) return softmax_narrow(x, rows, n, logarithm, y);
  for (int64_t row = 0; row < rows; ++row, x += n, y += n) {
    const T top = row_max(x, n);
    if (logarithm) {
      const T shift = static_cast<T>(__builtin_log(sum_of_exp(x, n, top)));
      for (int64_t i = 0; i < n; ++i) y[i] = x[i] - top - shift;
    } else {
      for (int64_t i = 0; i < n; ++i) y[i] = exp(x[i] - top);
      Sum sum{};
      add_to(sum, y, n);
      const T scale = static_cast<T>(1 / total_of(sum));
      for (int64_t i = 0; i < n; ++i) y[i] *= scale;
    }
  }
}

// Of rows of nothing but -inf the terms are 0, with +inf one is: either way not NaN.
template <class T>
inline T finite_or_zero(T top) {
  return __builtin_isinf(top) ? T(0) : top;
}

template <class T>
void logsumexp(const T* x, int64_t rows, int64_t n, double* out) {
  if (n < kNarrow)
    return for_blocks(rows, [=](int64_t count, int64_t row) {
      SideBySide<T> block(x + row * n, count, n);
      block.find_top();
      for (int64_t r = 0; r < count; ++r) block.top[r] = finite_or_zero(block.top[r]);
      block.template sum_exp<false>();
      for (int64_t r = 0; r < count; ++r)
        out[row + r] = __builtin_log(block.total[r]) + static_cast<double>(block.top[r]);
    });
  for (int64_t row = 0; row < rows; ++row, x += n) {
    const T top = finite_or_zero(row_max(x, n));
    out[row] = __builtin_log(sum_of_exp(x, n, top)) + static_cast<double>(top);
  }
}

template <class T>
void exp_scaled(const T* x, int64_t rows, int64_t n, const T* shift, const T* scale, T* y) {
  if (n < kNarrow)
    return for_blocks(rows, [=](int64_t count, int64_t row) {
      SideBySide<T> block(x + row * n, count, n);
      for (int64_t i = 0; i < n; ++i)
        for (int64_t r = 0; r < count; ++r)
          block.value[i][r] = exp(block.value[i][r] - shift[row + r]) * scale[row + r];
      block.write(y + row * n);
    });
  for (int64_t row = 0; row < rows; ++row, x += n, y += n) {
    const T s = shift[row], factor = scale[row];
    for (int64_t i = 0; i < n; ++i) y[i] = exp(x[i] - s) * factor;
  }
}

template <class T>
void exp_array(const T* x, int64_t n, T* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = exp(x[i]);
}
template <class T>
void sigmoid_array(const T* x, int64_t n, T* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = sigmoid(x[i]);
}
template <class T>
void tanh_array(const T* x, int64_t n, T* y) {
  for (int64_t i = 0; i < n; ++i) y[i] = tanh(x[i]);
}

template <class T>
constexpr RowKernels<T> kernels = {softmax<T>,   logsumexp<T>,     exp_scaled<T>,
                                   exp_array<T>, sigmoid_array<T>, tanh_array<T>};

}  // namespace
}  // namespace cytograd::simd
