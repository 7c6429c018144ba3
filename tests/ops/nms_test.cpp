#include "cytograd/ops/nms.h"

#include <doctest/doctest.h>

#include "cytograd/core/random.h"
#include "support/op_case.h"

#ifdef CYTOGRAD_CUDA
#include "cytograd/core/cuda.h"
#endif

using namespace cytograd;
using namespace cytograd::test;

namespace {

std::vector<int64_t> kept(const std::vector<float>& boxes, const std::vector<float>& scores,
                          double threshold, const std::vector<int64_t>& groups = {}) {
  const int64_t n = static_cast<int64_t>(scores.size());
  const Tensor b = Tensor::from(boxes, {n, 4}), s = Tensor::from(scores);
  const Tensor g = groups.empty() ? Tensor{} : Tensor::from(groups);
  const std::vector<int64_t> out = nms(b, s, threshold, g).to_vector<int64_t>();
#ifdef CYTOGRAD_CUDA
  if (cuda_available()) {
    const Device card = Device::cuda();
    CHECK(
        nms(b.to(card), s.to(card), threshold, g.defined() ? g.to(card) : g).to_vector<int64_t>() ==
        out);
  }
#endif
  return out;
}

using Places = std::vector<int64_t>;

}  // namespace

TEST_CASE("nms keeps what no better box of its group covers") {
  const std::vector<float> boxes{0, 0, 10, 10, 1, 1, 11, 11, 0, 0, 10, 5, 20, 20, 30, 30};
  CHECK(kept(boxes, {0.9f, 0.8f, 0.7f, 0.6f}, 0.5) == Places{0, 2, 3});
  CHECK(kept(boxes, {0.9f, 0.8f, 0.7f, 0.6f}, 0.49) == Places{0, 3});
  CHECK(kept(boxes, {0.5f, 0.5f, 0.5f, 0.5f}, 0.4) == Places{0, 3});
  CHECK(kept(boxes, {0.6f, 0.7f, 0.8f, 0.9f}, 0.5) == Places{3, 2, 1});
  CHECK(kept(boxes, {0.9f, 0.8f, 0.7f, 0.6f}, 0.49, {0, 1, 0, 0}) == Places{0, 1, 3});
  CHECK(kept({}, {}, 0.5).empty());
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(kept(boxes, {nan, 0.8f, nan, 0.6f}, 0.4) == Places{1, 3, 2});
}

TEST_CASE("nms of many boxes") {
  Rng rng(3, "nms");
  for (const int64_t n : {1, 63, 64, 65, 300}) {
    std::vector<float> boxes, scores;
    std::vector<int64_t> groups;
    for (int64_t i = 0; i < n; ++i) {
      const auto x = static_cast<float>(20 * rng.uniform()),
                 y = static_cast<float>(20 * rng.uniform());
      for (const float v : {x, y, x + 4, y + 3}) boxes.push_back(v);
      scores.push_back(static_cast<float>(static_cast<int>(50 * rng.uniform())));
      groups.push_back(i % 3);
    }
    const Places all = kept(boxes, scores, 0.3), grouped = kept(boxes, scores, 0.3, groups);
    CHECK(all.size() <= grouped.size());
    // The definition: walk by falling score, the first of equal ones first.
    const auto overlap = [&](int64_t i, int64_t j) {
      const float *a = &boxes[static_cast<size_t>(4 * i)], *b = &boxes[static_cast<size_t>(4 * j)];
      const double w = std::min(a[2], b[2]) - std::max(a[0], b[0]),
                   h = std::min(a[3], b[3]) - std::max(a[1], b[1]);
      if (w <= 0 || h <= 0) return 0.0;
      return w * h / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - w * h);
    };
    for (size_t k = 0; k < grouped.size(); ++k)
      for (size_t l = 0; l < k; ++l) {
        CHECK((groups[static_cast<size_t>(grouped[k])] != groups[static_cast<size_t>(grouped[l])] ||
               overlap(grouped[k], grouped[l]) <= 0.3));
        CHECK(scores[static_cast<size_t>(grouped[l])] >= scores[static_cast<size_t>(grouped[k])]);
      }
    for (int64_t i = 0; i < n; ++i) {
      if (std::find(all.begin(), all.end(), i) != all.end()) continue;
      CHECK(std::any_of(all.begin(), all.end(), [&](int64_t j) {
        return overlap(i, j) > 0.3 &&
               scores[static_cast<size_t>(j)] >= scores[static_cast<size_t>(i)];
      }));
    }
  }
}

TEST_CASE("nms refuses what it cannot do") {
  const Tensor boxes = Tensor::zeros({3, 4}), scores = Tensor::zeros({3});
  check_op_error<ShapeError>(
      [&] {
        nms(Tensor::zeros({3, 5}), scores, 0.5);
      },
      "nms: boxes expects [M, 4], got [3, 5]");
  check_op_error<ShapeError>([&] { nms(boxes, Tensor::zeros({2}), 0.5); },
                             "nms: scores expects [3], got [2]");
  check_op_error<DtypeError>([&] { nms(boxes, Tensor::zeros({3}, Dtype::float64), 0.5); },
                             "nms: boxes and scores expect float32, got float32 and float64");
  check_op_error<ValueError>([&] { nms(boxes, scores, 1.5); },
                             "nms: threshold must be in [0, 1], got 1.5");
  check_op_error<DtypeError>([&] { nms(boxes, scores, 0.5, Tensor::zeros({3})); },
                             "nms: groups expects int64, got float32");
}
