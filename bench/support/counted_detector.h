#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cytograd/models/mask_rcnn/weights.h"

/// @file
/// Weights, images and objects that Python makes alike (tests/reference/mask_rcnn_parity.py), from
/// a counter, so that a detector and its peer do the same work without sharing a file.

namespace cytograd::bench {

/// `count` values in [0, 1): splitmix64 of number 2^32 + 0, 1, .., upper 53 bits.
inline std::vector<double> counted_values(uint64_t number, int64_t count) {
  std::vector<double> out(static_cast<size_t>(count));
  for (size_t e = 0; e < out.size(); ++e) {
    uint64_t v = (number << 32) + e + 0x9E3779B97F4A7C15ull;
    v = (v ^ (v >> 30)) * 0xBF58476D1CE4E5B9ull;
    v = (v ^ (v >> 27)) * 0x94D049BB133111EBull;
    v ^= v >> 31;
    out[e] = static_cast<double>(v >> 11) * 0x1p-53;
  }
  return out;
}

/// A tensor of a detector's state dict in PyTorch's layout: variances about 1, filters with gains
/// that keep activations near 1, small biases.
inline Tensor counted_weight(const std::string& name, uint64_t number, const Shape& shape) {
  std::vector<double> values = counted_values(number, shape.numel());
  double offset = -0.1, factor = 0.2;
  if (name.ends_with("running_var")) {
    offset = 0.5, factor = 1;
  } else if (shape.ndim() >= 2) {
    const double gain = name.starts_with("backbone.")                      ? 1
                        : name.find("box_predictor.") != std::string::npos ? 0.5
                                                                           : std::sqrt(2.0);
    offset = -std::sqrt(3.0 / static_cast<double>(shape.numel() / shape[0])) * gain;
    factor = -2 * offset;
  } else if (name.ends_with("weight")) {
    offset = 0.5, factor = 0.5;
  }
  for (double& value : values) value = offset + factor * value;
  return Tensor::from(values, shape).to(Dtype::float32);
}

/// Fills every tensor of the model; those of a state dict are numbered in order of their names.
inline void fill_counted(const models::MaskRcnn& model) {
  std::map<std::string, Tensor> sorted;
  for (const auto& [name, tensor] : nn::to_torch_layout(model.state_dict()))
    sorted.emplace(name, tensor);
  nn::NamedTensors state;
  for (const auto& [name, tensor] : sorted)
    state.emplace_back(name, counted_weight(name, state.size(), tensor.shape()));
  models::load_detector(model, state);
}

/// Image 0, 1, ..: [H, W, 3] in 0..1.
inline Tensor counted_image(uint64_t number, int64_t height, int64_t width) {
  constexpr uint64_t first = 1000000;  // tensors have smaller numbers
  const Tensor planes =
      Tensor::from(counted_values(first + number, 3 * height * width), {3, height, width});
  return permute(planes, {1, 2, 0}).contiguous().to(Dtype::float32);
}

struct Ellipse {
  double y, x, ry, rx;
};
/// [G, H, W], uint8: 1 where ((i - y) / ry)^2 + ((j - x) / rx)^2 <= 1.
inline Tensor ellipse_masks(int64_t height, int64_t width, const std::vector<Ellipse>& list) {
  const Tensor out =
      Tensor::zeros({static_cast<int64_t>(list.size()), height, width}, Dtype::uint8);
  uint8_t* to = out.data<uint8_t>();
  for (const Ellipse& e : list)
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x) {
        const double dy = (static_cast<double>(y) - e.y) / e.ry,
                     dx = (static_cast<double>(x) - e.x) / e.rx;
        *to++ = dy * dy + dx * dx <= 1 ? 1 : 0;
      }
  return out;
}

}  // namespace cytograd::bench
