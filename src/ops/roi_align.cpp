#include "cytograd/ops/roi_align.h"

#include <limits>

#include "cytograd/autograd/record.h"
#include "kernels/roi_align.h"
#include "ops/common.h"

namespace cytograd {
namespace {

constexpr const char* op = "roi_align";

void check_options(const RoiAlignOptions& o) {
  constexpr int64_t most = 1 << 15;
  check<ValueError>(o.height >= 1 && o.width >= 1 && o.height <= most && o.width <= most, op,
                    "height and width must be in 1..", most, ", got ", o.height, " and ", o.width);
  check<ValueError>(o.sampling_ratio >= 0 && o.sampling_ratio <= most, op,
                    "sampling_ratio must be in 0..", most, ", got ", o.sampling_ratio);
  check<ValueError>(o.spatial_scale > 0, op, "spatial_scale must be > 0, got ", o.spatial_scale);
}

void check_boxes(const Tensor& rois, int64_t images) {
  const std::vector<double> values = rois.to_vector<double>();
  for (int64_t m = 0; m < rois.size(0); ++m) {
    const double image = values[static_cast<size_t>(5 * m)];
    check<ValueError>(image >= 0 && image < static_cast<double>(images), op, "batch index ", image,
                      " of roi ", m, " is not in 0..", images - 1);
  }
}

void check_arguments(const Tensor& x, const Tensor& rois) {
  check<ShapeError>(x.ndim() == 4, op, "features expects [N, H, W, C], got ", x.shape());
  check<ShapeError>(x.size(1) >= 1 && x.size(2) >= 1, op,
                    "features expects at least one cell, got ", x.shape());
  constexpr int64_t longest = std::numeric_limits<int>::max() / 2;
  check<ShapeError>(x.size(1) <= longest && x.size(2) <= longest, op, "features ", x.shape(),
                    " is too large");
  check<ShapeError>(rois.ndim() == 2 && rois.size(1) == 5, op, "rois expects [M, 5], got ",
                    rois.shape());
  check<DtypeError>(is_floating(x.dtype()), op, "features expects a floating dtype, got ",
                    x.dtype());
  const Dtype expected = x.dtype() == Dtype::bfloat16 ? Dtype::float32 : x.dtype();
  check<DtypeError>(rois.dtype() == expected, op, "rois expects ", expected, ", got ",
                    rois.dtype());
  check_device(op, x, rois, "rois");
  check<StateError>(!rois.requires_grad(), op, "rois take no gradient; detach them first");
}

}  // namespace

Tensor roi_align(const Tensor& features, const Tensor& rois, const RoiAlignOptions& options) {
  check_options(options);
  check_arguments(features, rois);
  const Tensor x = packed(features.detach()), boxes = packed(rois);
  if (x.device().type == DeviceType::cpu) check_boxes(boxes, x.size(0));
  const Tensor y = Tensor::empty({rois.size(0), options.height, options.width, x.size(3)},
                                 x.dtype(), x.device());
  on_device(x, [&](auto ctx) { kernels::roi_align(ctx, x, boxes, options, y); });
  return record(op, {features}, y, Saved{boxes}, options,
                [](const auto& back, const Tensor& dy) -> Grads {
                  const Tensor dx = Tensor::empty(back.input_shape(0), dy.dtype(), dy.device());
                  on_device(dy, [&](auto ctx) {
                    kernels::roi_align_backward(ctx, packed(dy), back.saved[0], back.params, dx);
                  });
                  return {dx};
                });
}

}  // namespace cytograd
