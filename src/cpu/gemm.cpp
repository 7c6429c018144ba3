#include "kernels/gemm.h"

#include "cpu/gemm_driver.h"

namespace cytograd::cpu {
namespace {

const simd::GemmTable& table() { return CYTOGRAD_OF_ISA(simd::gemm); }

constexpr int64_t most_rows_of_a = 128;  // in a block

// Enough splits of a long depth to occupy a machine when C alone is too small for it. Depends on
// nothing but the shape.
int64_t count_splits(int64_t rows, int64_t cols, int64_t depth_blocks) {
  constexpr int64_t wanted_tasks = 16, blocks_each = 8, max_partial = 4 << 20;
  const int64_t tiles = ceil_div(rows, most_rows_of_a) * ceil_div(cols, 64);
  int64_t splits = std::min(ceil_div(wanted_tasks, tiles), depth_blocks / blocks_each);
  splits = std::min(splits, max_partial / (rows * cols));
  return std::max<int64_t>(splits, 1);
}

}  // namespace

template <>
const simd::GemmKernels<float>& gemm_kernels<float>() {
  return table().f32;
}
template <>
const simd::GemmKernels<double>& gemm_kernels<double>() {
  return table().f64;
}

GemmPlan plan_gemm(const GemmExtent& e, int64_t panel_rows, int64_t panel_cols) {
  GemmPlan plan{};
  // Runs too short to be a block of their own are joined, longer ones are cut.
  const int64_t runs = e.run > 0 ? ceil_div(e.depth, e.run) : 1;
  const int64_t joined = ceil_div(
      runs, ceil_div(runs, std::max<int64_t>(simd::max_depth / std::max<int64_t>(e.run, 1), 1)));
  plan.run = e.run * joined;
  plan.blocks_per_run = std::max<int64_t>(ceil_div(plan.run, simd::max_depth), 1);
  plan.depth_block = ceil_div(plan.run, plan.blocks_per_run);
  if (plan.run > 0) plan.blocks_per_run = ceil_div(plan.run, plan.depth_block);
  plan.depth_blocks = ceil_div(runs, joined) * plan.blocks_per_run;
  plan.blocks_per_split =
      ceil_div(plan.depth_blocks, count_splits(e.rows, e.cols, plan.depth_blocks));
  plan.splits = ceil_div(plan.depth_blocks, plan.blocks_per_split);

  // A block of A and a panel of B together fit the second-level cache with room for C.
  const int64_t unit = e.row_unit > 1 && e.row_unit <= most_rows_of_a ? e.row_unit : panel_rows;
  // One group more rather than a second block: B is then read and packed once only.
  int64_t most_rows = std::max<int64_t>(most_rows_of_a / unit, 1) * unit;
  if (unit == panel_rows && e.rows <= most_rows + unit) most_rows += unit;
  plan.row_blocks = ceil_div(e.rows, most_rows);
  plan.row_block = ceil_div(ceil_div(e.rows, plan.row_blocks), unit) * unit;
  plan.row_blocks = ceil_div(e.rows, plan.row_block);

  // Columns are shared out only while there are too few tasks to keep every thread busy.
  plan.panels = ceil_div(e.cols, panel_cols);
  // Each part packs A anew, which counts where B is not packed beforehand.
  const int64_t blocks = plan.splits * plan.row_blocks;
  const int64_t wanted = num_threads() == 1 ? 1 : (blocks == 1 ? 2 : 4) * num_threads();
  const int64_t parts = std::min(plan.panels, ceil_div(wanted, blocks));
  plan.col_block = ceil_div(plan.panels, parts) * panel_cols;
  plan.col_blocks = ceil_div(e.cols, plan.col_block);
  return plan;
}

template <class T>
void sum_splits(const GemmTask<T>& task, int64_t splits, const T* partial, T* const* c_rows) {
  const kernels::Epilogue<T>& e = task.epilogue;
  parallel_for(task.rows, std::max<int64_t>(1, 8192 / task.cols), [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r) {
      T* c = c_rows[r];
      const T* first = partial + r * task.cols;
      for (int64_t j = 0; j < task.cols; ++j) c[j] = task.accumulate ? c[j] + first[j] : first[j];
      for (int64_t s = 1; s < splits; ++s) {
        const T* next = first + s * task.rows * task.cols;
        for (int64_t j = 0; j < task.cols; ++j) c[j] += next[j];
      }
      for (int64_t j = 0; e.bias && j < task.cols; ++j) c[j] += e.bias[j];
      for (int64_t j = 0; e.relu && j < task.cols; ++j) c[j] = c[j] < 0 ? T{0} : c[j];
    }
  });
}
template void sum_splits(const GemmTask<float>&, int64_t, const float*, float* const*);
template void sum_splits(const GemmTask<double>&, int64_t, const double*, double* const*);

}  // namespace cytograd::cpu

namespace cytograd::kernels {

template <class T>
void gemm(bool trans_a, bool trans_b, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda,
          const T* b, int64_t ldb, T* c, int64_t ldc, bool accumulate,
          const Epilogue<T>& epilogue) {
  using Kernels = simd::GemmKernels<T>;
  const auto ready_a = [&](const Kernels& f, const cpu::BlockOfA& block,
                           simd::Product<T>& product) {
    if (trans_a) return cpu::pack_by_depth(f, block, product, a + block.k * lda + block.row, lda);
    cpu::pack_by_row(f, block, product, [&](T* to) {
      f.copy(to, simd::max_depth, a + block.row * lda + block.k, lda, block.rows, block.depth,
             block.depth);
    });
  };
  const auto pack_b = [&](const Kernels& f, int64_t p, int64_t depth, int64_t col, int64_t cols,
                          T* to) {
    if (trans_b)
      f.transpose(to, f.panel_cols, b + col * ldb + p, ldb, depth, cols, f.panel_cols);
    else
      f.copy(to, f.panel_cols, b + p * ldb + col, ldb, depth, cols, f.panel_cols);
  };
  // Wider products are done in slices of columns, so that packed B stays within its bound.
  constexpr int64_t whole_b_limit = 4 << 20;
  const int64_t slice = std::max<int64_t>(whole_b_limit / std::max<int64_t>(k, 1) / 64, 1) * 64;
  for (int64_t col = 0; col < n; col += slice) {
    const int64_t cols = std::min(slice, n - col);
    Epilogue<T> part = epilogue;
    if (part.bias) part.bias += col;
    cpu::run_gemm<T>(
        {.rows = m,
         .cols = cols,
         .depth = k,
         .pack_b_once = k * cols <= whole_b_limit,
         .accumulate = accumulate,
         .epilogue = part,
         .given_b = b + (trans_b ? col * ldb : col),
         .given_b_stride = ldb,
         .given_b_by_col = trans_b},
        ready_a,
        [&](const Kernels& f, int64_t p, int64_t depth, int64_t first, int64_t count, T* to) {
          pack_b(f, p, depth, col + first, count, to);
        },
        [&](int64_t row) { return c + row * ldc + col; });
  }
}

template void gemm(bool, bool, int64_t, int64_t, int64_t, const float*, int64_t, const float*,
                   int64_t, float*, int64_t, bool, const Epilogue<float>&);
template void gemm(bool, bool, int64_t, int64_t, int64_t, const double*, int64_t, const double*,
                   int64_t, double*, int64_t, bool, const Epilogue<double>&);

}  // namespace cytograd::kernels
