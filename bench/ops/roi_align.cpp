#include "cytograd/ops/roi_align.h"

#include "bench/support/counted_detector.h"
#include "bench/support/device.h"
#include "bench/support/op_passes.h"

/// @file
/// Pooling of the heads of Mask R-CNN at 480 x 640 pixels: the finest level of the pyramid, boxes
/// of 10 to 110 pixels (the same as in bench/peers/detector_ops.py).

namespace cytograd::bench {
namespace {

constexpr int64_t kStride = 4, kHeight = 480, kWidth = 640, kChannels = 256, kSampling = 2;

Tensor boxes(int64_t count) {
  const std::vector<double> u = counted_values(1, 4 * count);
  std::vector<float> out;
  for (size_t i = 0; i < u.size(); i += 4) {
    const double x = 530 * u[i], y = 370 * u[i + 1], w = 10 + 100 * u[i + 2],
                 h = 10 + 100 * u[i + 3];
    for (const double v : {0., x, y, x + w, y + h}) out.push_back(static_cast<float>(v));
  }
  return placed(Tensor::from(out, {count, 5}));
}

void add(std::vector<Case>& out, const std::string& name, int64_t count, int64_t bins) {
  const Shape shape{1, kHeight / kStride, kWidth / kStride, kChannels};
  const RoiAlignOptions options{
      .height = bins, .width = bins, .spatial_scale = 1.0 / kStride, .sampling_ratio = kSampling};
  const int64_t results = count * bins * bins * kChannels;
  const auto row = [&](const char* pass, std::function<Work()> make) {
    out.push_back({.name = "roi_align/" + name + "/" + pass,
                   .sizes = {{"h", shape[1]},
                             {"w", shape[2]},
                             {"c", kChannels},
                             {"boxes", count},
                             {"bins", bins},
                             {"sampling", kSampling}},
                   .flops = 2.0 * 4 * kSampling * kSampling * static_cast<double>(results),
                   .bytes = 4.0 * static_cast<double>(shape.numel() + results),
                   .make = std::move(make)});
  };
  row("forward", [=] {
    return forward_pass(
        [=, x = random_tensor(shape), rois = boxes(count)] { return roi_align(x, rois, options); });
  });
  row("backward", [=] {
    const Tensor x = random_tensor(shape);
    return backward_pass([=, rois = boxes(count)] { return roi_align(x, rois, options); }, {x});
  });
}

std::vector<Case> cases() {
  std::vector<Case> out;
  add(out, "box_head", 1000, 7);
  add(out, "mask_head", 100, 14);
  return out;
}

const Family registered{"roi_align", cases};

}  // namespace
}  // namespace cytograd::bench
