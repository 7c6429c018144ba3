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

template <class T>
const simd::GemmKernels<T>& gemm_kernels();

/// A product C[rows, cols] (+)= A[rows, depth] B[depth, cols] whose operands are given by how they
/// are packed. `A`, `B` and `C` are callables:
///   A(kernels, row, rows, k, depth, to)   packs a block of A in the layout `a_by_depth` names
///   B(kernels, k, depth, col, cols, to)   packs one panel of B, [depth][panel_cols]
///   C(row)                                where that row of C begins
template <class T>
struct GemmTask {
  int64_t rows, cols, depth;
  bool a_by_depth;
  bool pack_b_once;  // B is small enough, or dear enough, to pack before the threads start
  bool accumulate;
  kernels::Epilogue<T> epilogue;
};

/// How a product is cut up. Depth blocks and splits depend on the shape alone, because they decide
/// the order of the sums; tiles of C do not, and follow the number of threads.
struct GemmPlan {
  int64_t depth_block, depth_blocks;
  int64_t splits, blocks_per_split;  // splits of the depth that are summed at the end
  int64_t row_block, row_blocks;
  int64_t col_block, col_blocks;
  int64_t tasks() const { return splits * row_blocks * col_blocks; }
};
GemmPlan plan_gemm(int64_t rows, int64_t cols, int64_t depth, int64_t panel_rows,
                   int64_t panel_cols);

/// C[r][c] (+)= sum over s of partial[s][r][c] in order, then the epilogue.
template <class T>
void sum_splits(const GemmTask<T>& task, int64_t splits, const T* partial, T* const* c_rows);

/// `to` holds [col / panel_cols][depth][panel_cols] for each depth block in turn.
template <class T, class B>
void pack_whole_b(const GemmTask<T>& task, const GemmPlan& plan,
                  const simd::GemmKernels<T>& kernels, const B& pack_b, T* to) {
  const int64_t panels = (task.cols + kernels.panel_cols - 1) / kernels.panel_cols;
  parallel_for(plan.depth_blocks * panels, 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t k = i / panels * plan.depth_block, col = i % panels * kernels.panel_cols;
      pack_b(kernels, k, std::min(plan.depth_block, task.depth - k), col,
             std::min(kernels.panel_cols, task.cols - col),
             to + i * plan.depth_block * kernels.panel_cols);
    }
  });
}

/// Everything about one depth block of one tile of C.
template <class T, class A, class B>
void multiply_block(const GemmTask<T>& task, const GemmPlan& plan,
                    const simd::GemmKernels<T>& kernels, const A& pack_a, const B& pack_b,
                    const T* whole_b, int64_t row, int64_t col_begin, int64_t col_end,
                    int64_t block, simd::Product<T> product, T* a, T* panel) {
  const int64_t k = block * plan.depth_block;
  const int64_t panels = (task.cols + kernels.panel_cols - 1) / kernels.panel_cols;
  product.depth = std::min(plan.depth_block, task.depth - k);
  product.a = a;
  product.a_by_depth = task.a_by_depth;
  pack_a(kernels, row, product.rows, k, product.depth, a);
  for (int64_t col = col_begin; col < col_end; col += kernels.panel_cols) {
    product.c_col = col;
    product.cols = std::min(kernels.panel_cols, col_end - col);
    if (whole_b) {
      product.b = whole_b + (block * panels + col / kernels.panel_cols) * plan.depth_block *
                                kernels.panel_cols;
    } else {
      pack_b(kernels, k, product.depth, col, product.cols, panel);
      product.b = panel;
    }
    kernels.multiply(product);
  }
}

template <class T, class A, class B, class C>
void run_gemm(const GemmTask<T>& task, const A& pack_a, const B& pack_b, const C& c_row) {
  if (task.rows == 0 || task.cols == 0) return;
  const simd::GemmKernels<T>& kernels = gemm_kernels<T>();
  const GemmPlan plan =
      plan_gemm(task.rows, task.cols, task.depth, kernels.panel_rows, kernels.panel_cols);
  const int64_t panels = (task.cols + kernels.panel_cols - 1) / kernels.panel_cols;

  T* whole_b = nullptr;
  if (task.pack_b_once && plan.row_blocks > 1) {
    whole_b = scratch<T>(Scratch::whole_b,
                         plan.depth_blocks * plan.depth_block * panels * kernels.panel_cols);
    pack_whole_b(task, plan, kernels, pack_b, whole_b);
  }
  T* partial = plan.splits == 1 ? nullptr
                                : scratch<T>(Scratch::partial, plan.splits * task.rows * task.cols);

  parallel_for(plan.tasks(), 1, [&](int64_t index, int64_t) {
    const int64_t split = index / (plan.row_blocks * plan.col_blocks);
    const int64_t tile = index % (plan.row_blocks * plan.col_blocks);
    const int64_t row = tile / plan.col_blocks * plan.row_block;
    const int64_t col_begin = tile % plan.col_blocks * plan.col_block;
    const int64_t col_end = std::min(task.cols, col_begin + plan.col_block);
    simd::Product<T> product{};
    product.rows = std::min(plan.row_block, task.rows - row);
    T* a = scratch<T>(Scratch::block_a, (plan.row_block + kernels.panel_rows) * simd::max_depth);
    T* panel = scratch<T>(Scratch::panel_b, simd::max_depth * kernels.panel_cols);
    T** c_rows = scratch<T*>(Scratch::rows, plan.row_block);
    for (int64_t r = 0; r < product.rows; ++r)
      c_rows[r] = partial ? partial + (split * task.rows + row + r) * task.cols : c_row(row + r);
    product.c_rows = c_rows;

    const int64_t first = split * plan.blocks_per_split;
    const int64_t last = std::min(plan.depth_blocks, first + plan.blocks_per_split);
    for (int64_t block = first; block < last; ++block) {
      product.accumulate = block > first || (task.accumulate && !partial);
      if (block + 1 == last && !partial) {
        product.bias = task.epilogue.bias;
        product.relu = task.epilogue.relu;
      }
      multiply_block(task, plan, kernels, pack_a, pack_b, whole_b, row, col_begin, col_end, block,
                     product, a, panel);
    }
  });
  if (!partial) return;
  T** c_rows = scratch<T*>(Scratch::rows, task.rows);
  for (int64_t r = 0; r < task.rows; ++r) c_rows[r] = c_row(r);
  sum_splits(task, plan.splits, partial, c_rows);
}

/// Packs rows of A "by depth" (see simd/gemm_table.h) with `pack(row, rows, to)` for each group.
template <class T, class Pack>
void pack_groups(const simd::GemmKernels<T>& kernels, int64_t rows, int64_t depth, T* to,
                 const Pack& pack) {
  const int64_t groups = (rows + kernels.panel_rows - 1) / kernels.panel_rows;
  for (int64_t g = 0; g < groups; ++g) {
    const int64_t begin = g * rows / groups, end = (g + 1) * rows / groups;
    pack(begin, end - begin, to + g * depth * kernels.panel_rows);
  }
}

}  // namespace cytograd::cpu
