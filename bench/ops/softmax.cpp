#include "cytograd/ops/softmax.h"

#include "bench/support/device.h"
#include "bench/support/op_passes.h"
#include "cytograd/ops/cross_entropy.h"

/// @file
/// Softmax and cross-entropy: class scores of a large batch, region scores of a detector, and the
/// pixels of a segmentation.

namespace cytograd::bench {
namespace {

struct Rows {
  const char* name;
  int64_t rows, classes;
};
constexpr Rows sizes[] = {{"imagenet", 256, 1000}, {"regions", 8192, 21}, {"pixels", 262144, 4}};

Tensor labels(const Rows& r) {
  std::vector<int64_t> values(static_cast<size_t>(r.rows));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<int64_t>(i * 7) % r.classes;
  return placed(Tensor::from(values));
}

std::vector<Case> cases() {
  std::vector<Case> out;
  for (const Rows& r : sizes) {
    const double tensor = 4.0 * static_cast<double>(r.rows * r.classes);
    const auto add = [&](const char* op, const char* pass, double tensors,
                         std::function<Work()> make) {
      out.push_back({.name = std::string(op) + "/" + r.name + "/" + pass,
                     .sizes = {{"rows", r.rows}, {"classes", r.classes}},
                     .bytes = tensors * tensor,
                     .make = std::move(make)});
    };
    add("softmax", "forward", 2, [r] {
      return forward_pass([x = random_tensor({r.rows, r.classes})] { return softmax(x, -1); });
    });
    add("softmax", "backward", 3, [r] {
      const Tensor x = random_tensor({r.rows, r.classes});
      return backward_pass([x] { return softmax(x, -1); }, {x});
    });
    add("cross_entropy", "forward", 1, [r] {
      return forward_pass(
          [x = random_tensor({r.rows, r.classes}), y = labels(r)] { return cross_entropy(x, y); });
    });
    add("cross_entropy", "backward", 2, [r] {
      const Tensor x = random_tensor({r.rows, r.classes});
      return backward_pass([x, y = labels(r)] { return cross_entropy(x, y); }, {x});
    });
  }
  return out;
}

const Family registered{"softmax", cases};

}  // namespace
}  // namespace cytograd::bench
