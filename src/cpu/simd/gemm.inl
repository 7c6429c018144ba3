// The register tile of the matrix product and the packing around it, once for every vector width.
// The including unit has defined VecF, VecD, row_tile, broadcast and multiply_add.
#include "cpu/simd/gemm_table.h"

#if defined(__clang__)
#define CYTOGRAD_UNROLL _Pragma("clang loop unroll(full)")
#else
#define CYTOGRAD_UNROLL _Pragma("GCC unroll 32")
#endif

namespace cytograd::simd {
namespace {

template <class T>
struct VecOf;
template <>
struct VecOf<float> {
  using type = VecF;
};
template <>
struct VecOf<double> {
  using type = VecD;
};
template <class T>
using Vec = typename VecOf<T>::type;
template <class T>
constexpr int64_t lanes = sizeof(Vec<T>) / sizeof(T);
constexpr int64_t column_vectors = 2;
template <class T>
constexpr int64_t panel_columns = column_vectors* lanes<T>;

template <class T>
inline Vec<T> load(const T* p) {
  Vec<T> v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}

template <class T>
inline void store(T* p, Vec<T> v) {
  __builtin_memcpy(p, &v, sizeof v);
}

// Negative elements become 0; NaN stays.
template <class T>
inline Vec<T> without_negative(Vec<T> x) {
  const Vec<T> zero = broadcast(T{0});
  return x < zero ? zero : x;
}

// Finishes one row of a tile: adds what C holds, the bias, clamps. `n` columns.
template <class T>
__attribute__((noinline)) void finish_scalars(const Product<T>& p, T* c, const T* sums, int64_t n) {
  for (int64_t j = 0; j < n; ++j) {
    T v = sums[j];
    if (p.accumulate) v += c[j];
    if (p.bias) v += p.bias[p.c_col + j];
    if (p.relu) v = v < 0 ? T{0} : v;
    c[j] = v;
  }
}

// The same for a whole tile.
template <class T, int64_t R, int64_t NV>
inline void finish_tile(const Product<T>& p, Vec<T> (&sum)[R][NV], T* const* c_rows) {
  Vec<T> bias[NV];
  CYTOGRAD_UNROLL
  for (int64_t v = 0; v < NV; ++v)
    bias[v] = p.bias ? load(p.bias + p.c_col + v * lanes<T>) : broadcast(T{0});
  CYTOGRAD_UNROLL
  for (int64_t i = 0; i < R; ++i) {
    T* c = c_rows[i] + p.c_col;
    CYTOGRAD_UNROLL
    for (int64_t v = 0; v < NV; ++v) {
      Vec<T> y = sum[i][v];
      if (p.accumulate) y += load(c + v * lanes<T>);
      if (p.bias) y += bias[v];
      store(c + v * lanes<T>, p.relu ? without_negative<T>(y) : y);
    }
  }
}

// sum[i][v] += a[i] * b[v]
template <class T, int64_t R, int64_t NV, class Element>
inline void rank_one(Vec<T> (&sum)[R][NV], const T* b, const Element& a) {
  Vec<T> bv[NV];
  CYTOGRAD_UNROLL
  for (int64_t v = 0; v < NV; ++v) bv[v] = load(b + v * lanes<T>);
  CYTOGRAD_UNROLL
  for (int64_t i = 0; i < R; ++i) {
    const Vec<T> x = broadcast(a(i));
    CYTOGRAD_UNROLL
    for (int64_t v = 0; v < NV; ++v) sum[i][v] = multiply_add(x, bv[v], sum[i][v]);
  }
}

// Lines of the panel that comes next, a share of them for each group.
template <class T>
struct Fetch {
  const T* row;
  int64_t stride, lines, line;
  void step() {
    __builtin_prefetch(row + line * (64 / static_cast<int64_t>(sizeof(T))), 0, 2);
    if (++line < lines) return;
    line = 0;
    row += stride;
  }
};

// Steps of the depth in one turn of the loop: what the turn itself costs is shared by as many.
template <int64_t NV>
constexpr int64_t turn_steps = NV == column_vectors ? 4 : 1;
// Groups from which on a line per turn is enough.
constexpr int64_t sharing_groups = 8;

template <class T, int64_t NV>
inline Fetch<T> lines_to_fetch(const Product<T>& p, int64_t group) {
  const int64_t turns = p.segments * (p.segment_depth / turn_steps<NV>);
  const int64_t first = p.group_count < sharing_groups ? 0 : group * turns;
  const int64_t row = first / p.next_b.lines;
  if (row >= p.next_b_rows) return {p.b, 0, 1, 0};
  return {p.next_b.from + row * p.next_b.stride, p.next_b.stride, p.next_b.lines,
          first - row * p.next_b.lines};
}

// Three rows share a pointer, which the addressing modes reach with one stride: fourteen pointers
// would not fit the registers.
template <class T, int64_t R, int64_t NV>
inline void add_by_row(Vec<T> (&sum)[R][NV], const Product<T>& p, const T* group, int64_t number) {
  constexpr int64_t pointers = (R + 2) / 3, steps = turn_steps<NV>;
  const int64_t stride = p.row_stride;
  const bool alone = p.group_count < sharing_groups;
  Fetch<T> fetch = lines_to_fetch<T, NV>(p, number);
  const T* b = p.b;
  for (int64_t segment = 0; segment < p.segments; ++segment) {
    const T* a[pointers];
    CYTOGRAD_UNROLL
    for (int64_t i = 0; i < pointers; ++i) {
      a[i] = group + segment * p.segment_stride + 3 * i * stride;
      __asm__("" : "+r"(a[i]));  // keeps the compiler from deriving one pointer per row
    }
    int64_t k = 0;
    for (; k + steps <= p.segment_depth; k += steps) {
      fetch.step();
      if (alone)
        for (int64_t i = 1; i < steps * column_vectors; ++i) fetch.step();
      CYTOGRAD_UNROLL
      for (int64_t u = 0; u < steps; ++u) {
        rank_one<T, R, NV>(sum, b + u * panel_columns<T>,
                           [&](int64_t i) { return a[i / 3][i % 3 * stride + u]; });
        __asm__ volatile("" ::: "memory");  // mixed steps would not fit the registers
      }
      CYTOGRAD_UNROLL
      for (int64_t i = 0; i < pointers; ++i) a[i] += steps;
      b += steps * panel_columns<T>;
    }
    for (; k < p.segment_depth; ++k) {
      rank_one<T, R, NV>(sum, b, [&](int64_t i) { return a[i / 3][i % 3 * stride]; });
      CYTOGRAD_UNROLL
      for (int64_t i = 0; i < pointers; ++i) ++a[i];
      b += panel_columns<T>;
    }
  }
}

// Each group fetches one line of the rows ahead.
template <class T>
inline Ahead<T> line_ahead(const Product<T>& p, int64_t group) {
  constexpr int64_t line = 64 / sizeof(T);
  if (group < p.ahead_b.lines) return {p.ahead_b.from + group * line, p.ahead_b.stride, 1};
  group -= p.ahead_b.lines;
  if (group < p.ahead_a.lines) return {p.ahead_a.from + group * line, p.ahead_a.stride, 1};
  return {p.b, 0, 0};
}

template <class T, int64_t R, int64_t NV>
inline void add_by_depth(Vec<T> (&sum)[R][NV], const Product<T>& p, const T* a, Ahead<T> ahead) {
  const T* b = p.b;
  for (int64_t k = 0; k < p.depth; ++k) {
    __builtin_prefetch(ahead.from, 0, 2);
    ahead.from += ahead.stride;
    rank_one<T, R, NV>(sum, b, [&](int64_t i) { return a[i]; });
    a += p.row_stride;
    b += panel_columns<T>;
  }
}

// R rows by NV vectors of C, held in registers over the whole depth.
template <class T, int64_t R, int64_t NV, bool by_depth>
void tile(const Product<T>& p, const T* a, int64_t group, T* const* c_rows) {
  Vec<T> sum[R][NV];
  CYTOGRAD_UNROLL
  for (int64_t i = 0; i < R; ++i) {
    CYTOGRAD_UNROLL
    for (int64_t v = 0; v < NV; ++v) sum[i][v] = broadcast(T{0});
  }
  // What the tile will be added to or overwrite is on its way while the sums form.
  CYTOGRAD_UNROLL
  for (int64_t i = 0; i < R; ++i) {
    CYTOGRAD_UNROLL
    for (int64_t v = 0; v < NV; ++v) __builtin_prefetch(c_rows[i] + p.c_col + v * lanes<T>, 1);
  }
  if constexpr (by_depth)
    add_by_depth<T, R, NV>(sum, p, a, line_ahead(p, group));
  else
    add_by_row<T, R, NV>(sum, p, a, group);

  if (p.cols != NV * lanes<T>) {
    T row[NV * lanes<T>];
    CYTOGRAD_UNROLL
    for (int64_t i = 0; i < R; ++i) {
      CYTOGRAD_UNROLL
      for (int64_t v = 0; v < NV; ++v) store(row + v * lanes<T>, sum[i][v]);
      finish_scalars(p, c_rows[i] + p.c_col, row, p.cols);
    }
    return;
  }
  finish_tile<T, R, NV>(p, sum, c_rows);
}

template <class T, int64_t R, int64_t NV, bool by_depth>
void tile_of_rows(int64_t rows, const Product<T>& p, const T* a, int64_t group, T* const* c_rows) {
  if (rows == R) return tile<T, R, NV, by_depth>(p, a, group, c_rows);
  if constexpr (R > 1) tile_of_rows<T, R - 1, NV, by_depth>(rows, p, a, group, c_rows);
}

template <class T, int64_t NV, bool by_depth>
void multiply_groups(const Product<T>& p) {
  T* const* c_rows = p.c_rows;
  for (int64_t g = 0; g < p.group_count; ++g) {
    const RowGroup<T>& group = p.groups[g];
    tile_of_rows<T, row_tile, NV, by_depth>(group.rows, p, group.a, g, c_rows);
    c_rows += group.rows;
  }
}

template <class T>
void multiply(const Product<T>& p) {
  if (p.cols > lanes<T>)
    p.by_depth ? multiply_groups<T, 2, true>(p) : multiply_groups<T, 2, false>(p);
  else
    p.by_depth ? multiply_groups<T, 1, true>(p) : multiply_groups<T, 1, false>(p);
}

// Two overlapping moves of half <= n bytes cover n <= 2 half.
template <int64_t half>
inline void copy_bytes(void* to, const void* from, int64_t n) {
  struct Block {
    char bytes[half];
  } first, last;
  __builtin_memcpy(&first, from, half);
  __builtin_memcpy(&last, static_cast<const char*>(from) + n - half, half);
  __builtin_memcpy(to, &first, half);
  __builtin_memcpy(static_cast<char*>(to) + n - half, &last, half);
}

template <class T>
inline void copy_short(T* to, const T* from, int64_t n) {
  const int64_t bytes = n * static_cast<int64_t>(sizeof(T));
  if (bytes >= 32)
    copy_bytes<32>(to, from, bytes);
  else if (bytes >= 16)
    copy_bytes<16>(to, from, bytes);
  else if (bytes >= 8)
    copy_bytes<8>(to, from, bytes);
  else if (n == 1)
    *to = *from;
}

// Whole vectors, the last one overlapping the one before.
template <class T>
inline void copy_run(T* to, const T* from, int64_t n) {
  if (n < lanes<T>) return copy_short(to, from, n);
  int64_t i = 0;
  for (; i + lanes<T> <= n; i += lanes<T>) store(to + i, load(from + i));
  if (i < n) store(to + n - lanes<T>, load(from + n - lanes<T>));
}

template <class T>
inline void copy_panel_row(T* to, const T* from) {
  CYTOGRAD_UNROLL
  for (int64_t v = 0; v < column_vectors; ++v) store(to + v * lanes<T>, load(from + v * lanes<T>));
}

template <class T>
inline void zero_run(T* to, int64_t n) {
  for (int64_t i = 0; i < n; ++i) to[i] = 0;
}

template <class T>
void copy(T* to, int64_t to_stride, const T* from, int64_t from_stride, int64_t rows, int64_t cols,
          int64_t padded) {
  if (cols == panel_columns<T> && padded == cols) {
    for (int64_t r = 0; r < rows; ++r) copy_panel_row(to + r * to_stride, from + r * from_stride);
    return;
  }
  for (int64_t r = 0; r < rows; ++r) {
    copy_run(to + r * to_stride, from + r * from_stride, cols);
    zero_run(to + r * to_stride + cols, padded - cols);
  }
}

template <class T, bool relu>
inline void affine_row(T* to, const T* from, int64_t cols, const T* scale, const T* shift) {
  int64_t c = 0;
  for (; c + lanes<T> <= cols; c += lanes<T>) {
    const Vec<T> y = multiply_add(load(from + c), load(scale + c), load(shift + c));
    store(to + c, relu ? without_negative<T>(y) : y);
  }
  for (; c < cols; ++c) {
    const T y = from[c] * scale[c] + shift[c];
    to[c] = relu && y < 0 ? T{0} : y;
  }
}

template <class T>
void copy_affine(T* to, int64_t to_stride, const T* from, int64_t from_stride, int64_t rows,
                 int64_t cols, const T* scale, const T* shift, bool relu) {
  for (int64_t r = 0; r < rows; ++r) {
    if (relu)
      affine_row<T, true>(to + r * to_stride, from + r * from_stride, cols, scale, shift);
    else
      affine_row<T, false>(to + r * to_stride, from + r * from_stride, cols, scale, shift);
  }
}

// A square of lanes x lanes elements: each step interleaves the halves of the list of rows, which
// rotates the bits of (row, column) by one place; log2(lanes) steps exchange the two.
template <class T>
inline void transpose_square(T* to, int64_t to_stride, const T* from, int64_t from_stride) {
  constexpr int64_t n = lanes<T>;
  Vec<T> a[n], b[n];
  CYTOGRAD_UNROLL
  for (int64_t i = 0; i < n; ++i) a[i] = load(from + i * from_stride);
  CYTOGRAD_UNROLL
  for (int64_t step = 1; step < n; step *= 2) {
    CYTOGRAD_UNROLL
    for (int64_t i = 0; i < n / 2; ++i) {
      b[2 * i] = interleave_low(a[i], a[i + n / 2]);
      b[2 * i + 1] = interleave_high(a[i], a[i + n / 2]);
    }
    CYTOGRAD_UNROLL
    for (int64_t i = 0; i < n; ++i) a[i] = b[i];
  }
  CYTOGRAD_UNROLL
  for (int64_t i = 0; i < n; ++i) store(to + i * to_stride, a[i]);
}

template <class T>
void transpose(T* to, int64_t to_stride, const T* from, int64_t from_stride, int64_t rows,
               int64_t cols, int64_t padded) {
  constexpr int64_t side = lanes<T>;
  for (int64_t r0 = 0; r0 < rows; r0 += side) {
    const int64_t r1 = r0 + side < rows ? r0 + side : rows;
    for (int64_t c0 = 0; c0 < cols; c0 += side) {
      const int64_t c1 = c0 + side < cols ? c0 + side : cols;
      if (r1 - r0 == side && c1 - c0 == side) {
        transpose_square(to + r0 * to_stride + c0, to_stride, from + c0 * from_stride + r0,
                         from_stride);
        continue;
      }
      for (int64_t r = r0; r < r1; ++r)
        for (int64_t c = c0; c < c1; ++c) to[r * to_stride + c] = from[c * from_stride + r];
    }
    for (int64_t r = r0; r < r1; ++r) zero_run(to + r * to_stride + cols, padded - cols);
  }
}

}  // namespace
}  // namespace cytograd::simd

#include "cpu/simd/gather.inl"

namespace cytograd::simd {
namespace {

template <class T>
constexpr GemmKernels<T> gemm_kernels() {
  return {row_tile,        panel_columns<T>, &multiply<T>, &copy<T>,
          &copy_affine<T>, &transpose<T>,    &gather<T>,   &gather_panel<T>};
}

}  // namespace
}  // namespace cytograd::simd
