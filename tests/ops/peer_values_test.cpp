// Values of PyTorch 2.15 in float64, for inputs x[i] = sin(step i + 0.3): the conventions that a
// formula leaves open (ceil_mode, padding that counts, half-pixel centres) agree with it.
#include <cmath>
#include <functional>

#include <doctest/doctest.h>

#include "cytograd/core/cpu.h"
#include "cytograd/ops/batch_norm.h"
#include "cytograd/ops/group_norm.h"
#include "cytograd/ops/pool2d.h"
#include "cytograd/ops/upsample.h"

using namespace cytograd;

namespace {

Tensor wave(const Shape& shape, double step, double add = 0) {
  const Tensor t = Tensor::empty(shape, Dtype::float64);
  for (int64_t i = 0; i < t.numel(); ++i)
    t.data<double>()[i] = std::sin(step * static_cast<double>(i) + 0.3) + add;
  return t;
}

double dot(const Tensor& a, const Tensor& b) {
  const std::vector<double> x = a.to_vector<double>(), y = b.to_vector<double>();
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += x[i] * y[i];
  return sum;
}

struct PeerRow {
  const char* name;
  double value;  ///< sum of y wave(step 0.713)
  double slope;  ///< sum of the gradient of that by x, times wave(step 0.11)
  std::function<Tensor(const Tensor&)> op;
};

}  // namespace

TEST_CASE("normalisation, pooling and upsampling agree with values from PyTorch") {
  const Tensor w = wave({6}, 1.1, 1.5), b = wave({6}, 0.7);
  const auto normalised = [&](const Tensor& x, const BatchNormOptions& o) {
    return batch_norm(x, w, b, wave({6}, 0.9), wave({6}, 0.5, 2), o);
  };
  const Pool2dOptions three{.kernel = 3, .stride = 2, .padding = 1, .ceil_mode = true};
  const Pool2dOptions four{.kernel = 4, .stride = 3, .padding = 1, .ceil_mode = true};
  for (const PeerRow& row : {
           PeerRow{"batch_norm training", 8.654001220862, -3.24172069754,
                   [&](const Tensor& x) { return normalised(x, {.training = true, .eps = 1e-3}); }},
           PeerRow{"batch_norm evaluation", 4.210468869813, -1.419775427809,
                   [&](const Tensor& x) { return normalised(x, {}); }},
           PeerRow{"group_norm", 8.658967269897, -2.997193531647,
                   [&](const Tensor& x) { return group_norm(x, 3, w, b, 1e-4); }},
           PeerRow{"max_pool2d", 1.280698313824, 0.7237642754468,
                   [&](const Tensor& x) { return max_pool2d(x, three); }},
           PeerRow{"avg_pool2d, padding counts", 1.826796755881, -1.177372951928,
                   [&](const Tensor& x) { return avg_pool2d(x, four); }},
           PeerRow{"avg_pool2d, padding does not count", 1.768772843601, -1.191438238157,
                   [&](const Tensor& x) { return avg_pool2d(x, four, false); }},
           PeerRow{"adaptive_avg_pool2d", -0.2041981659248, 1.400171448593,
                   [&](const Tensor& x) { return adaptive_avg_pool2d(x, 4, 5); }},
           PeerRow{"adaptive_max_pool2d", 0.625379833841, 0.008657301302232,
                   [&](const Tensor& x) { return adaptive_max_pool2d(x, 4, 5); }},
           PeerRow{"upsample_nearest", 6.019548845589, -5.839685159213,
                   [&](const Tensor& x) { return upsample_nearest(x, 13, 16); }},
           PeerRow{"upsample_bilinear", 3.070915637849, -1.130071454506,
                   [&](const Tensor& x) { return upsample_bilinear(x, 13, 16); }},
           PeerRow{"upsample_bilinear, corners", -0.1978312880738, 0.366141600565,
                   [&](const Tensor& x) { return upsample_bilinear(x, 13, 5, true); }},
       }) {
    CAPTURE(row.name);
    const Tensor x = wave({3, 9, 11, 6}, 0.37);
    x.set_requires_grad(true);
    const Tensor y = row.op(x), dy = wave(y.shape(), 0.713);
    y.backward(dy);
    CHECK(std::abs(dot(y, dy) - row.value) <= 1e-10);
    CHECK(std::abs(dot(x.grad(), wave(x.shape(), 0.11)) - row.slope) <= 1e-10);
  }
}

TEST_CASE("max_pool2d gives the same bits with every instruction set") {
  Tensor x = wave({1, 7, 6, 61}, 0.37).to(Dtype::float32);  // 61 channels: blocks, vectors, rest
  x.data<float>()[61 * 8 + 2] = x.data<float>()[61 * 9 + 50] = std::nanf("");
  const std::string before = isa_name();
  std::vector<float> first_value, first_slope;
  for (const std::string& isa : available_isas()) {
    CAPTURE(isa);
    set_isa(isa);
    const Tensor leaf = x.detach();
    leaf.set_requires_grad(true);
    const Tensor y = max_pool2d(leaf, {.kernel = 3, .stride = 2, .padding = 1});
    y.backward(wave(y.shape(), 0.713).to(Dtype::float32));
    std::vector<float> value = y.to_vector<float>();
    for (float& v : value)
      if (std::isnan(v)) v = 1e30f;
    if (first_value.empty()) {
      first_value = value;
      first_slope = leaf.grad().to_vector<float>();
    }
    CHECK(value == first_value);
    CHECK(leaf.grad().to_vector<float>() == first_slope);
  }
  set_isa(before);
}
