#pragma once

#include <algorithm>
#include <cstdint>

#include "core/isa.h"
#include "cpu/scratch.h"
#include "cpu/simd/gemm_table.h"
#include "cytograd/core/parallel.h"
#include "kernels/gemm.h"

/// @file
/// Cache blocking and threads for every matrix product, dense or over image patches.

namespace cytograd::cpu {

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

template <class T>
const simd::GemmKernels<T>& gemm_kernels();

/// A product C[rows, cols] (+)= A[rows, depth] B[depth, cols] whose operands are given by how they
/// are packed. `A`, `B` and `C` are callables:
///   A(kernels, block, product)                readies a block of A, fills the product's groups
///   B(kernels, k, depth, col, cols, to)       packs one panel of B, [depth][panel_cols]
///   C(row)                                    where that row of C begins
template <class T>
struct GemmTask {
  int64_t rows, cols, depth;
  bool pack_b_once = false;  // B is small enough, or dear enough, to pack before the threads start
  bool accumulate = false;
  kernels::Epilogue<T> epilogue = {};
  int64_t run = depth;   // no block of the depth crosses a multiple of this
  int64_t row_unit = 1;  // tiles of C start at multiples of this
  // Operands stored [depth][...] in memory, whose next block is fetched during the arithmetic.
  const T *stored_a = nullptr, *stored_b = nullptr;
  int64_t stored_a_stride = 0, stored_b_stride = 0;
  // B in memory, where it is a matrix: its rows lie given_b_stride apart, its columns if `by_col`.
  const T* given_b = nullptr;
  int64_t given_b_stride = 0;
  bool given_b_by_col = false;
  const T* packed_b = nullptr;  // all of B as `pack_whole_b` leaves it, when it was packed before
};

/// The part of A that one step needs.
struct BlockOfA {
  int64_t row, rows, k, depth;
  bool first;  // the first step of these rows
};

/// How a product is cut up. Depth blocks and splits depend on the shape alone, because they decide
/// the order of the sums; tiles of C do not, and follow the number of threads.
struct GemmPlan {
  int64_t run, blocks_per_run, depth_block, depth_blocks;
  int64_t splits, blocks_per_split;  // splits of the depth that are summed at the end
  int64_t row_block, row_blocks;
  int64_t col_block, col_blocks;
  int64_t panels;

  int64_t packed_b_size(int64_t panel_cols) const {
    return depth_blocks * panels * depth_block * panel_cols;
  }
  int64_t tasks() const { return splits * row_blocks * col_blocks; }
  int64_t first_k(int64_t block) const {
    return block / blocks_per_run * run + block % blocks_per_run * depth_block;
  }
  int64_t depth_of(int64_t block, int64_t depth) const {
    const int64_t end = std::min((block / blocks_per_run + 1) * run, depth);
    return std::min(depth_block, end - first_k(block));
  }
};

struct GemmExtent {
  int64_t rows, cols, depth, run, row_unit;
};
GemmPlan plan_gemm(const GemmExtent& extent, int64_t panel_rows, int64_t panel_cols);

/// C[r][c] (+)= sum over s of partial[s][r][c] in order, then the epilogue.
template <class T>
void sum_splits(const GemmTask<T>& task, int64_t splits, const T* partial, T* const* c_rows);

/// `to` holds [panel][depth_block][panel_cols] for each depth block in turn.
template <class T, class B>
void pack_whole_b(const GemmTask<T>& task, const GemmPlan& plan,
                  const simd::GemmKernels<T>& kernels, const B& pack_b, T* to) {
  parallel_for(plan.depth_blocks * plan.panels, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t block = i / plan.panels, col = i % plan.panels * kernels.panel_cols;
      pack_b(kernels, plan.first_k(block), plan.depth_of(block, task.depth), col,
             std::min(kernels.panel_cols, task.cols - col),
             to + i * plan.depth_block * kernels.panel_cols);
    }
  });
}

/// The rows of a stored operand from `k` on, columns [col, col + cols); none where it has no more.
template <class T>
simd::Ahead<T> rows_ahead(const GemmTask<T>& task, const T* stored, int64_t stride, int64_t k,
                          int64_t col, int64_t cols) {
  constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
  if (!stored || k >= task.depth) return {nullptr, 0, 0};
  return {stored + k * stride + col, stride, ceil_div(cols, line)};
}

/// What the product fetches for the panel of B at `col`, `cols` wide (0: there is none), of a depth
/// block that is packed during the product.
template <class T>
void fetch_given(const GemmTask<T>& task, const BlockOfA& a, int64_t col, int64_t cols,
                 simd::Product<T>& product) {
  constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
  product.next_b = {product.b, 0, 1};
  product.next_b_rows = 0;
  if (!task.given_b || cols <= 0) return;
  const bool by_col = task.given_b_by_col;
  const int64_t at = by_col ? col * task.given_b_stride + a.k : a.k * task.given_b_stride + col;
  product.next_b = {task.given_b + at, task.given_b_stride,
                    std::max<int64_t>(1, ceil_div(by_col ? a.depth : cols, line))};
  product.next_b_rows = by_col ? cols : a.depth;
}

/// The same of a panel that is packed already and lies in one piece.
template <class T>
void fetch_packed(const T* panel, int64_t size, simd::Product<T>& product) {
  constexpr int64_t line = 64 / static_cast<int64_t>(sizeof(T));
  product.next_b = {panel, 0, std::max<int64_t>(1, ceil_div(size, line))};
  product.next_b_rows = 1;
}

/// One depth block of one tile of C; `whole_b` is null unless B was packed beforehand.
template <class T, class A, class B>
void multiply_block(const GemmTask<T>& task, const GemmPlan& plan,
                    const simd::GemmKernels<T>& kernels, const A& ready_a, const B& pack_b,
                    const T* whole_b, BlockOfA a, int64_t block, int64_t col_begin, int64_t col_end,
                    simd::Product<T> product) {
  a.k = plan.first_k(block);
  a.depth = plan.depth_of(block, task.depth);
  product.depth = a.depth;
  ready_a(kernels, a, product);
  const int64_t next = a.k + a.depth;
  product.ahead_a = rows_ahead(task, task.stored_a, task.stored_a_stride, next, a.row, a.rows);
  for (int64_t col = col_begin; col < col_end; col += kernels.panel_cols) {
    product.c_col = col;
    product.cols = std::min(kernels.panel_cols, col_end - col);
    if (whole_b) {
      const int64_t panel = block * plan.panels + col / kernels.panel_cols;
      product.b = whole_b + panel * plan.depth_block * kernels.panel_cols;
      const int64_t size = plan.depth_block * kernels.panel_cols;
      fetch_packed(product.b + size, size, product);
    } else {
      T* panel = scratch<T>(Scratch::panel_b, simd::max_depth * kernels.panel_cols);
      pack_b(kernels, a.k, a.depth, col, product.cols, panel);
      product.b = panel;
      const int64_t after = col + kernels.panel_cols;
      fetch_given(task, a, after, std::min(kernels.panel_cols, col_end - after), product);
    }
    product.ahead_b =
        rows_ahead(task, task.stored_b, task.stored_b_stride, next, col, product.cols);
    kernels.multiply(product);
    product.ahead_a.lines = 0;
  }
}

template <class T, class A, class B, class C>
void run_gemm(const GemmTask<T>& task, const A& ready_a, const B& pack_b, const C& c_row) {
  if (task.rows == 0 || task.cols == 0) return;
  const simd::GemmKernels<T>& kernels = gemm_kernels<T>();
  const GemmPlan plan = plan_gemm({task.rows, task.cols, task.depth, task.run, task.row_unit},
                                  kernels.panel_rows, kernels.panel_cols);
  const T* whole_b = task.packed_b;
  if (!whole_b && task.pack_b_once && plan.row_blocks > 1) {
    T* to = scratch<T>(Scratch::whole_b, plan.packed_b_size(kernels.panel_cols));
    pack_whole_b(task, plan, kernels, pack_b, to);
    whole_b = to;
  }
  T* partial = plan.splits == 1 ? nullptr
                                : scratch<T>(Scratch::partial, plan.splits * task.rows * task.cols);

  parallel_for(plan.tasks(), 1, [&](int64_t index, int64_t) {
    const int64_t split = index / (plan.row_blocks * plan.col_blocks);
    const int64_t tile = index % (plan.row_blocks * plan.col_blocks);
    const int64_t row = tile / plan.col_blocks * plan.row_block;
    const int64_t rows = std::min(plan.row_block, task.rows - row);
    const int64_t col_begin = tile % plan.col_blocks * plan.col_block;
    const int64_t col_end = std::min(task.cols, col_begin + plan.col_block);
    T** c_rows = scratch<T*>(Scratch::rows, plan.row_block);
    for (int64_t r = 0; r < rows; ++r)
      c_rows[r] = partial ? partial + (split * task.rows + row + r) * task.cols : c_row(row + r);
    simd::Product<T> product{};
    product.c_rows = c_rows;

    const int64_t first = split * plan.blocks_per_split;
    const int64_t last = std::min(plan.depth_blocks, first + plan.blocks_per_split);
    for (int64_t block = first; block < last; ++block) {
      product.accumulate = block > first || (task.accumulate && !partial);
      if (block + 1 == last && !partial) {
        product.bias = task.epilogue.bias;
        product.relu = task.epilogue.relu;
      }
      multiply_block(task, plan, kernels, ready_a, pack_b, whole_b,
                     {row, rows, 0, 0, block == first}, block, col_begin, col_end, product);
    }
  });
  if (!partial) return;
  T** c_rows = scratch<T*>(Scratch::rows, task.rows);
  for (int64_t r = 0; r < task.rows; ++r) c_rows[r] = c_row(r);
  sum_splits(task, plan.splits, partial, c_rows);
}

/// Cuts `rows` into groups as equal as possible, so that none is left with a row or two, each
/// starting `offset(group, first row)` elements into `a`.
template <class T, class Offset>
void cut_groups(const simd::GemmKernels<T>& kernels, int64_t rows, const T* a, const Offset& offset,
                simd::Product<T>& product) {
  const int64_t count = (rows + kernels.panel_rows - 1) / kernels.panel_rows;
  auto* groups = scratch<simd::RowGroup<T>>(Scratch::groups, count);
  for (int64_t g = 0; g < count; ++g) {
    const int64_t begin = g * rows / count, end = (g + 1) * rows / count;
    groups[g] = {a + offset(g, begin), end - begin};
  }
  product.groups = groups;
  product.group_count = count;
}

/// Readies a block of A whose rows lie along the depth: `copy(to)` writes them max_depth apart.
template <class T, class Copy>
void pack_by_row(const simd::GemmKernels<T>& kernels, const BlockOfA& block,
                 simd::Product<T>& product, const Copy& copy) {
  T* to = scratch<T>(Scratch::block_a, block.rows * simd::max_depth);
  if (block.depth > 0) copy(to);
  cut_groups(
      kernels, block.rows, to, [](int64_t, int64_t row) { return row * simd::max_depth; }, product);
  product.by_depth = false;
  product.row_stride = simd::max_depth;
  product.segments = 1;
  product.segment_depth = block.depth;
}

/// Cuts rows stored [panel][depth][panel_cols] into groups, none across panels.
template <class T>
void cut_panels(const simd::GemmKernels<T>& kernels, int64_t rows, const T* a, int64_t panel_size,
                simd::Product<T>& product) {
  const int64_t width = kernels.panel_cols;
  auto* groups = scratch<simd::RowGroup<T>>(Scratch::groups, rows);
  product.group_count = 0;
  for (int64_t row = 0; row < rows; row += width, a += panel_size) {
    const int64_t here = std::min(width, rows - row), parts = ceil_div(here, kernels.panel_rows);
    for (int64_t g = 0; g < parts; ++g) {
      const int64_t begin = g * here / parts, end = (g + 1) * here / parts;
      groups[product.group_count++] = {a + begin, end - begin};
    }
  }
  product.groups = groups;
  product.by_depth = true;
  product.row_stride = width;
}

/// Readies a block of A stored [depth][rows]: `from` is its first element of these rows. Panels as
/// wide as those of B, because whole vectors are quickly copied.
template <class T>
void pack_by_depth(const simd::GemmKernels<T>& kernels, const BlockOfA& block,
                   simd::Product<T>& product, const T* from, int64_t from_stride) {
  const int64_t width = kernels.panel_cols, panel = block.depth * width;
  T* to = scratch<T>(Scratch::block_a, ceil_div(block.rows, width) * simd::max_depth * width);
  cut_panels(kernels, block.rows, to, panel, product);
  for (int64_t row = 0; row < block.rows; row += width) {
    const int64_t rows = std::min(width, block.rows - row);
    kernels.copy(to + row * block.depth, width, from + row, from_stride, block.depth, rows, rows);
  }
}

}  // namespace cytograd::cpu
