#include "kernels/conv2d.h"

#include "cpu/conv2d_depthwise.h"
#include "cpu/gemm_driver.h"
#include "cpu/strips.h"
#include "cpu/winograd.h"
#include "kernels/conv_taps.h"

/// @file
/// Convolutions as matrix products whose operand is gathered from the image block by block, so that
/// the matrix of patches never exists as a whole.

namespace cytograd::kernels {
namespace {

using simd::max_depth;
using simd::Patches;

bool is_pointwise(const Conv2dShape& s) {
  return s.kh == 1 && s.kw == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_h == 0 &&
         s.pad_w == 0;
}

bool is_depthwise(const Conv2dShape& s) { return s.groups == s.c_in && s.groups == s.c_out; }

// Rows are output pixels; columns the [kh, kw, c_in/groups] inputs that a filter sees there.
template <class T>
Patches<T> input_patches(const Conv2dShape& s, const T* x) {
  return {.data = x,
          .height = s.h,
          .width = s.w,
          .pixel_stride = s.x_pitch_or_packed(),
          .channels = s.c_in / s.groups,
          .grid_h = s.out_h(),
          .grid_w = s.out_w(),
          .taps_h = s.kh,
          .taps_w = s.kw,
          .step_h = s.stride_h,
          .step_w = s.stride_w,
          .origin_h = -s.pad_h,
          .origin_w = -s.pad_w,
          .tap_step_h = s.dilation_h,
          .tap_step_w = s.dilation_w};
}

// Threads share the groups when there are several, else the tiles of the one product.
template <class F>
void for_each_group(const Conv2dShape& s, const F& f) {
  parallel_for(s.groups, 1, [&](int64_t group, int64_t) { f(group); });
}

template <class T>
cpu::GemmTask<T> task_of(const Patches<T>& p, int64_t n, int64_t cols) {
  cpu::GemmTask<T> task{.rows = n * p.grid_h * p.grid_w,
                        .cols = cols,
                        .depth = p.taps_h * p.taps_w * p.channels,
                        .pack_b_once = true};
  if (!cpu::strips_fit(p)) return task;
  task.run = p.taps_w * p.channels;
  task.row_unit = p.grid_w;
  return task;
}

// Patches of one tap that step from pixel to pixel are the rows of the image itself.
template <class T>
bool are_rows(const Patches<T>& p) {
  return p.taps_h * p.taps_w == 1 && p.step_h == 1 && p.step_w == 1 && p.origin_h == 0 &&
         p.origin_w == 0 && p.grid_h == p.height && p.grid_w == p.width;
}

// The product of the patches with B, through strips where the shape allows.
template <class T, class B, class C>
void multiply_patches(const Patches<T>& p, const cpu::GemmTask<T>& task, const B& pack_b,
                      const C& c_row, const Conv2dInput<T>& input = {}) {
  using Kernels = simd::GemmKernels<T>;
  if (cpu::strips_fit(p)) {
    return cpu::run_gemm(
        task,
        [&](const Kernels& f, const cpu::BlockOfA& block, simd::Product<T>& product) {
          cpu::ready_strips(f, p, block, product);
        },
        pack_b, c_row);
  }
  const bool dense = are_rows(p);
  cpu::run_gemm(
      task,
      [&](const Kernels& f, const cpu::BlockOfA& block, simd::Product<T>& product) {
        cpu::pack_by_row(f, block, product, [&](T* to) {
          const T* from = p.data + block.row * p.pixel_stride + block.k;
          if (input.scale)
            f.copy_affine(to, max_depth, from, p.pixel_stride, block.rows, block.depth,
                          input.scale + block.k, input.shift + block.k, true);
          else if (dense)
            f.copy(to, max_depth, from, p.pixel_stride, block.rows, block.depth, block.depth);
          else
            f.gather(to, max_depth, p, block.row, block.rows, block.k, block.depth);
        });
      },
      pack_b, c_row);
}

// Packs the filters of one group as B: row k is one place of the patch, column c one filter.
template <class T>
auto filters_of_group(const Conv2dShape& s, const T* weight, int64_t group) {
  const int64_t filter = s.kh * s.kw * (s.c_in / s.groups);
  return [filter, from = weight + group * (s.c_out / s.groups) * filter](
             const simd::GemmKernels<T>& f, int64_t k, int64_t depth, int64_t col, int64_t cols,
             T* to) {
    f.transpose(to, f.panel_cols, from + col * filter + k, filter, depth, cols, f.panel_cols);
  };
}

// Gradient for the input pixels (first_h + i*stride_h, first_w + j*stride_w). They all see the same
// taps, and without gaps: a convolution of dy with stride 1.
template <class T>
void backward_data_of_residue(const Conv2dShape& s, const T* dy, const T* weight, T* dx,
                              int64_t group, int64_t first_h, int64_t first_w) {
  using Kernels = simd::GemmKernels<T>;
  const int64_t c_in = s.c_in / s.groups, c_out = s.c_out / s.groups;
  const int64_t filter = s.kh * s.kw * c_in;
  const int64_t grid_h = (s.h - first_h + s.stride_h - 1) / s.stride_h;
  const int64_t grid_w = (s.w - first_w + s.stride_w - 1) / s.stride_w;
  const TapSequence th = taps_reaching(first_h, s.kh, s.stride_h, s.pad_h, s.dilation_h);
  const TapSequence tw = taps_reaching(first_w, s.kw, s.stride_w, s.pad_w, s.dilation_w);
  const T* dy_group = dy + group * c_out;
  const T* weight_group = weight + group * c_out * filter;
  const Patches<T> patches{.data = dy_group,
                           .height = s.out_h(),
                           .width = s.out_w(),
                           .pixel_stride = s.c_out,
                           .channels = c_out,
                           .grid_h = grid_h,
                           .grid_w = grid_w,
                           .taps_h = th.count,
                           .taps_w = tw.count,
                           .step_h = 1,
                           .step_w = 1,
                           .origin_h = th.origin,
                           .origin_w = tw.origin,
                           .tap_step_h = th.output_step,
                           .tap_step_w = tw.output_step};
  const auto pack_b = [&](const Kernels& f, int64_t k, int64_t depth, int64_t col, int64_t cols,
                          T* to) {
    while (depth > 0) {  // the output channels of one tap at a time
      const int64_t tap = k / c_out, channel = k % c_out;
      const int64_t h = th.last - tap / tw.count * th.step, w = tw.last - tap % tw.count * tw.step;
      const int64_t n = std::min(depth, c_out - channel);
      f.copy(to, f.panel_cols, weight_group + channel * filter + (h * s.kw + w) * c_in + col,
             filter, n, cols, f.panel_cols);
      to += n * f.panel_cols;
      k += n;
      depth -= n;
    }
  };
  multiply_patches<T>(patches, task_of(patches, s.n, c_in), pack_b, [&](int64_t row) {
    const int64_t j = row % grid_w, i = row / grid_w % grid_h, n = row / grid_w / grid_h;
    const int64_t y = first_h + i * s.stride_h, x = first_w + j * s.stride_w;
    return dx + ((n * s.h + y) * s.w + x) * s.c_in + group * c_in;
  });
}

}  // namespace

template <class T>
void conv2d_forward(const Conv2dShape& s, const T* x, const T* weight, T* y,
                    const Epilogue<T>& epilogue) {
  if (is_depthwise(s) && s.groups > 1) return cpu::depthwise_forward(s, x, weight, y, epilogue);
  if constexpr (sizeof(T) == 4)
    if (cpu::winograd_pays(s))
      return cpu::winograd_forward(s, x, cpu::pack_winograd(s, weight), y, false, epilogue);
  const int64_t c_in = s.c_in / s.groups, c_out = s.c_out / s.groups;
  for_each_group(s, [&](int64_t group) {
    const Patches<T> patches = input_patches(s, x + group * c_in);
    cpu::GemmTask<T> task = task_of(patches, s.n, c_out);
    task.epilogue = epilogue;
    if (epilogue.bias) task.epilogue.bias += group * c_out;
    multiply_patches<T>(patches, task, filters_of_group(s, weight, group), [&](int64_t row) {
      return y + row * s.y_pitch_or_packed() + group * c_out;
    });
  });
}

template <class T>
PackedFilters pack_filters(const Conv2dShape& s, const T* weight) {
  if constexpr (sizeof(T) == 4)
    if (cpu::winograd_pays(s)) return {cpu::pack_winograd(s, weight), true};
  const simd::GemmKernels<T>& kernels = cpu::gemm_kernels<T>();
  const cpu::GemmTask<T> task = task_of(input_patches<T>(s, nullptr), s.n, s.c_out);
  const cpu::GemmPlan plan = cpu::plan_gemm({task.rows, task.cols, task.depth, task.run, 1},
                                            kernels.panel_rows, kernels.panel_cols);
  Tensor out = Tensor::empty({plan.packed_b_size(kernels.panel_cols)},
                             sizeof(T) == 4 ? Dtype::float32 : Dtype::float64);
  cpu::pack_whole_b(task, plan, kernels, filters_of_group(s, weight, 0), out.data<T>());
  return {out};
}

template <class T>
void conv2d_fused(const Conv2dShape& s, const T* x, const PackedFilters& filters, T* y,
                  const Conv2dInput<T>& input, bool accumulate, const Epilogue<T>& epilogue) {
  if constexpr (sizeof(T) == 4)
    if (filters.winograd) return cpu::winograd_forward(s, x, filters.data, y, accumulate, epilogue);
  const Patches<T> patches = input_patches(s, x);
  cpu::GemmTask<T> task = task_of(patches, s.n, s.c_out);
  task.epilogue = epilogue;
  task.accumulate = accumulate;
  task.packed_b = filters.data.data<T>();
  multiply_patches<T>(
      patches, task, [](const auto&...) {},
      [&](int64_t row) { return y + row * s.y_pitch_or_packed(); }, input);
}

template <class T>
void conv2d_backward_data(const Conv2dShape& s, const T* dy, const T* weight, T* dx) {
  if (is_depthwise(s) && s.groups > 1) return cpu::depthwise_backward_data(s, dy, weight, dx);
  if constexpr (sizeof(T) == 4)
    if (cpu::winograd_pays(s)) return cpu::winograd_backward_data(s, dy, weight, dx);
  for_each_group(s, [&](int64_t group) {
    for (int64_t first_h = 0; first_h < std::min(s.stride_h, s.h); ++first_h)
      for (int64_t first_w = 0; first_w < std::min(s.stride_w, s.w); ++first_w)
        backward_data_of_residue(s, dy, weight, dx, group, first_h, first_w);
  });
}

template <class T>
void conv2d_backward_weight(const Conv2dShape& s, const T* x, const T* dy, T* dw) {
  using Kernels = simd::GemmKernels<T>;
  if (is_depthwise(s) && s.groups > 1) return cpu::depthwise_backward_weight(s, x, dy, dw);
  if constexpr (sizeof(T) == 4)
    if (cpu::winograd_pays(s)) return cpu::winograd_backward_weight(s, x, dy, dw);
  const int64_t c_in = s.c_in / s.groups, c_out = s.c_out / s.groups;
  const int64_t filter = s.kh * s.kw * c_in;
  const bool pointwise = is_pointwise(s);
  for_each_group(s, [&](int64_t group) {
    const Patches<T> patches = input_patches(s, x + group * c_in);
    const T* dy_group = dy + group * c_out;
    T* dw_group = dw + group * c_out * filter;
    cpu::run_gemm<T>(
        {.rows = c_out,
         .cols = filter,
         .depth = s.n * s.out_h() * s.out_w(),
         .row_unit = cpu::gemm_kernels<T>().panel_cols,
         .stored_a = dy_group,
         .stored_b = pointwise ? patches.data : nullptr,
         .stored_a_stride = s.c_out,
         .stored_b_stride = s.c_in},
        [&](const Kernels& f, const cpu::BlockOfA& block, simd::Product<T>& product) {
          cpu::pack_by_depth(f, block, product, dy_group + block.k * s.c_out + block.row, s.c_out);
        },
        [&](const Kernels& f, int64_t k, int64_t depth, int64_t col, int64_t cols, T* to) {
          if (pointwise)
            f.copy(to, f.panel_cols, patches.data + k * s.c_in + col, s.c_in, depth, cols,
                   f.panel_cols);
          else if (depth > 0)
            f.gather_panel(to, patches, k, depth, col, cols);
        },
        [&](int64_t row) { return dw_group + row * filter; });
  });
}

#define CYTOGRAD_INSTANTIATE(T)                                                                 \
  template void conv2d_forward(const Conv2dShape&, const T*, const T*, T*, const Epilogue<T>&); \
  template PackedFilters pack_filters(const Conv2dShape&, const T*);                            \
  template void conv2d_fused(const Conv2dShape&, const T*, const PackedFilters&, T*,            \
                             const Conv2dInput<T>&, bool, const Epilogue<T>&);                  \
  template void conv2d_backward_data(const Conv2dShape&, const T*, const T*, T*);               \
  template void conv2d_backward_weight(const Conv2dShape&, const T*, const T*, T*);
CYTOGRAD_INSTANTIATE(float)
CYTOGRAD_INSTANTIATE(double)
#undef CYTOGRAD_INSTANTIATE

}  // namespace cytograd::kernels
