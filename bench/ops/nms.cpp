#include "cytograd/ops/nms.h"

#include "bench/support/counted_detector.h"
#include "bench/support/device.h"
#include "bench/support/op_passes.h"

/// @file
/// Suppression among boxes of 20 to 120 pixels in 480 x 640, anywhere or crowded about objects (the
/// same as in bench/peers/detector_ops.py).

namespace cytograd::bench {
namespace {

/// Boxes crowd about `objects` places, at most 8 pixels away.
void add(std::vector<Case>& out, const std::string& name, int64_t count, int64_t objects,
         int64_t percent) {
  const std::vector<double> u = counted_values(1, 5 * count),
                            place = counted_values(2, 2 * objects);
  std::vector<float> boxes, scores;
  for (int64_t i = 0; i < count; ++i) {
    const double* v = &u[static_cast<size_t>(5 * i)];
    const double* at = &place[static_cast<size_t>(2 * (i % objects))];
    const double x = 520 * at[0] + 8 * v[0], y = 360 * at[1] + 8 * v[1], w = 20 + 100 * v[2],
                 h = 20 + 100 * v[3];
    for (const double side : {x, y, x + w, y + h}) boxes.push_back(static_cast<float>(side));
    scores.push_back(static_cast<float>(v[4]));
  }
  out.push_back(
      {.name = "nms/" + name,
       .sizes = {{"boxes", count}, {"objects", objects}, {"percent", percent}},
       .bytes = 4.0 * 5 * static_cast<double>(count),
       .make = [=]() -> Work {
         const Tensor b = placed(Tensor::from(boxes, {count, 4})), s = placed(Tensor::from(scores));
         return {[=] { nms(b, s, static_cast<double>(percent) / 100); }};
       }});
}

std::vector<Case> cases() {
  std::vector<Case> out;
  add(out, "proposals", 2000, 2000, 70);
  add(out, "crowded", 2000, 40, 70);
  add(out, "detections", 1000, 40, 50);
  return out;
}

const Family registered{"nms", cases};

}  // namespace
}  // namespace cytograd::bench
