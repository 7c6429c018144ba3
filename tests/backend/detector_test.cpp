#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "cytograd/core/cuda.h"
#include "detection/small_detector.h"

#ifndef CYTOGRAD_INSTRUMENTED  // there one small network is enough, in models_test.cpp

using namespace cytograd;
using namespace cytograd::test;

/// @file
/// The detector on the device beside the CPU, in float64: the two differ by the order of sums
/// alone, so that they choose the same boxes.

namespace {

struct Result {
  std::vector<std::pair<std::string, double>> losses;
  std::vector<std::pair<std::string, std::vector<double>>> gradients;
  models::Detections found;
};

Result run(Device device) {
  models::MaskRcnnOptions options = small_detector();
  options.input.min_size = {32};
  options.rpn.before_nms = options.rpn.train_before_nms = 50;
  options.roi.samples = 32;
  models::MaskRcnn model(options);
  model.to(Dtype::float64);
  model.to(device);
  Result out;
  const Tensor image = noise(32, 32);
  const models::Target target = rectangles(32, 32, {{3, 4, 15, 17}, {16, 10, 30, 27}});
  const models::DetectionLosses losses = model.losses({image}, {target}, {.seed = 1});
  for (const auto& [name, loss] : losses.named()) out.losses.emplace_back(name, loss.item());
  losses.total().backward();
  for (const auto& [name, parameter] : model.named_parameters())
    if (parameter.grad().defined())
      out.gradients.emplace_back(name, parameter.grad().to_vector<double>());
  out.found = model.detect({image})[0];
  return out;
}

}  // namespace

TEST_CASE("models on the device: the detector equals the CPU's") {
  const Result cpu = run({}), device = run(Device::cuda());
  REQUIRE(cpu.losses.size() == device.losses.size());
  for (size_t i = 0; i < cpu.losses.size(); ++i) {
    INFO(cpu.losses[i].first);
    CHECK(device.losses[i].second == doctest::Approx(cpu.losses[i].second).epsilon(1e-7));
  }
  REQUIRE(cpu.gradients.size() == device.gradients.size());
  for (size_t i = 0; i < cpu.gradients.size(); ++i) {
    INFO(cpu.gradients[i].first);
    const std::vector<double>&a = cpu.gradients[i].second, &b = device.gradients[i].second;
    double largest = 1e-6, apart = 0;
    for (const double v : a) largest = std::max(largest, std::abs(v));
    for (size_t k = 0; k < a.size(); ++k) apart = std::max(apart, std::abs(a[k] - b[k]));
    CHECK(apart <= 1e-5 * largest);
  }
  REQUIRE(cpu.found.size() == device.found.size());
  CHECK(cpu.found.labels == device.found.labels);
  for (size_t i = 0; i < cpu.found.size(); ++i) {
    CHECK(device.found.scores[i] == doctest::Approx(cpu.found.scores[i]).epsilon(1e-5));
    CHECK(std::abs(device.found.boxes[i].x1 - cpu.found.boxes[i].x1) <= 1e-4f);
    CHECK(std::abs(device.found.boxes[i].y2 - cpu.found.boxes[i].y2) <= 1e-4f);
  }
  const std::vector<float> a = cpu.found.masks.to_vector<float>(),
                           b = device.found.masks.to_vector<float>();
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) REQUIRE(std::abs(a[i] - b[i]) <= 1e-5f);
}

#endif
