#include "cytograd/ops/nms.h"

#include "cytograd/ops/shape.h"
#include "kernels/nms.h"
#include "ops/common.h"

namespace cytograd {

Tensor nms(const Tensor& boxes, const Tensor& scores, double threshold, const Tensor& groups) {
  constexpr const char* op = "nms";
  check<ShapeError>(boxes.ndim() == 2 && boxes.size(1) == 4, op, "boxes expects [M, 4], got ",
                    boxes.shape());
  const Shape expected{boxes.size(0)};
  check<ShapeError>(scores.shape() == expected, op, "scores expects ", expected, ", got ",
                    scores.shape());
  check<DtypeError>(boxes.dtype() == Dtype::float32 && scores.dtype() == Dtype::float32, op,
                    "boxes and scores expect float32, got ", boxes.dtype(), " and ",
                    scores.dtype());
  check<ValueError>(threshold >= 0 && threshold <= 1, op, "threshold must be in [0, 1], got ",
                    threshold);
  check_device(op, boxes, scores, "scores");
  check_device(op, boxes, groups, "groups");
  if (groups.defined()) {
    check<ShapeError>(groups.shape() == expected, op, "groups expects ", expected, ", got ",
                      groups.shape());
    check<DtypeError>(groups.dtype() == Dtype::int64, op, "groups expects int64, got ",
                      groups.dtype());
  }
  const Tensor kept = Tensor::empty(expected, Dtype::int64, boxes.device()),
               count = Tensor::empty({}, Dtype::int64, boxes.device());
  if (expected[0] == 0) return kept;
  on_device(boxes, [&](auto ctx) {
    kernels::nms(ctx, packed(boxes.detach()), packed(scores.detach()),
                 static_cast<float>(threshold), packed(groups), kept, count);
  });
  return kept.as_strided({static_cast<int64_t>(count.item())}, {1}, 0).clone();
}

}  // namespace cytograd
