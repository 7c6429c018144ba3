#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <ostream>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/core/tensor.h"

/// @file
/// Boxes on the host: coding, clipping, overlap. Coordinates are pixel edges: a box over the pixel
/// columns a..b has x1 = a, x2 = b + 1, and its width is x2 - x1. All arithmetic is in float32, as
/// in the published implementations, so that decisions near a threshold agree. NaN coordinates stay
/// NaN and overlap with nothing.

namespace cytograd::detection {

/// x1, y1, x2, y2 in pixels.
struct Box {
  float x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  float width() const { return x2 - x1; }
  float height() const { return y2 - y1; }
  float area() const { return width() * height(); }
  bool operator==(const Box&) const = default;
};

/// Prints `(x1, y1, x2, y2)`.
inline std::ostream& operator<<(std::ostream& out, const Box& b) {
  return out << '(' << b.x1 << ", " << b.y1 << ", " << b.x2 << ", " << b.y2 << ')';
}

/// Factors of the four differences dx, dy, dw, dh (Ren et al. 2015, equation 2).
struct BoxWeights {
  float x = 1, y = 1, w = 1, h = 1;
};

using BoxDeltas = std::array<float, 4>;  ///< dx, dy, dw, dh

/// Growth of a side beyond this is cut when differences are decoded: ln(1000 / 16).
inline constexpr float max_log_growth = 4.135166556742356f;

/// What leads from `reference` to `target`: dx = wx (cx_t - cx_r) / w_r, dw = ww ln(w_t / w_r), y
/// and h alike, with the centre cx = x1 + w / 2. A target of no width gives dw = -inf.
inline BoxDeltas encode(const Box& target, const Box& reference, const BoxWeights& weights = {}) {
  const float w = reference.width(), h = reference.height();
  const float cx = reference.x1 + 0.5f * w, cy = reference.y1 + 0.5f * h;
  const float tw = target.width(), th = target.height();
  return {weights.x * (target.x1 + 0.5f * tw - cx) / w,
          weights.y * (target.y1 + 0.5f * th - cy) / h, weights.w * std::log(tw / w),
          weights.h * std::log(th / h)};
}

/// The inverse of `encode`. dw and dh (after the weights) are cut at `max_log_growth`.
/// @param deltas  four floats
inline Box decode(const float* deltas, const Box& reference, const BoxWeights& weights = {}) {
  const float w = reference.width(), h = reference.height();
  const float dw = deltas[2] / weights.w, dh = deltas[3] / weights.h;
  // Written so that NaN stays NaN.
  const float half_w = 0.5f * (std::exp(dw > max_log_growth ? max_log_growth : dw) * w),
              half_h = 0.5f * (std::exp(dh > max_log_growth ? max_log_growth : dh) * h);
  const float cx = deltas[0] / weights.x * w + (reference.x1 + 0.5f * w),
              cy = deltas[1] / weights.y * h + (reference.y1 + 0.5f * h);
  return {cx - half_w, cy - half_h, cx + half_w, cy + half_h};
}

/// x cut to [0, width], y to [0, height]; NaN stays.
inline Box clip(const Box& b, int64_t height, int64_t width) {
  const auto w = static_cast<float>(width), h = static_cast<float>(height);
  return {std::clamp(b.x1, 0.f, w), std::clamp(b.y1, 0.f, h), std::clamp(b.x2, 0.f, w),
          std::clamp(b.y2, 0.f, h)};
}

/// Are both sides at least this long? No for NaN.
inline bool sides_at_least(const Box& b, float side) {
  return b.width() >= side && b.height() >= side;
}

/// Is every coordinate finite?
inline bool finite(const Box& b) {
  return std::isfinite(b.x1) && std::isfinite(b.y1) && std::isfinite(b.x2) && std::isfinite(b.y2);
}

/// Multiplies x and y by factors of their own.
inline Box scaled(const Box& b, float x, float y) {
  return {b.x1 * x, b.y1 * y, b.x2 * x, b.y2 * y};
}

/// Intersection over union; 0 where boxes do not meet, have no area, or hold NaN.
inline float overlap(const Box& a, const Box& b) {
  const float w = std::min(a.x2, b.x2) - std::max(a.x1, b.x1),
              h = std::min(a.y2, b.y2) - std::max(a.y1, b.y1);
  if (!(w > 0 && h > 0)) return 0;
  const float both = w * h, ratio = both / (a.area() + b.area() - both);
  return ratio >= 0 ? ratio : 0;
}

/// Boxes as float32 [M, 4] on the host.
inline Tensor boxes_tensor(const std::vector<Box>& boxes) {
  const Tensor out = Tensor::empty({static_cast<int64_t>(boxes.size()), 4});
  float* to = out.data<float>();
  for (const Box& b : boxes) {
    for (const float v : {b.x1, b.y1, b.x2, b.y2}) *to++ = v;
  }
  return out;
}

/// Boxes from any tensor [M, 4]. @throws ShapeError
inline std::vector<Box> boxes_of(const Tensor& boxes) {
  check<ShapeError>(boxes.ndim() == 2 && boxes.size(1) == 4, "boxes", "expects [M, 4], got ",
                    boxes.shape());
  const std::vector<float> values = boxes.detach().to_vector<float>();
  std::vector<Box> out(static_cast<size_t>(boxes.size(0)));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = {values[4 * i], values[4 * i + 1], values[4 * i + 2], values[4 * i + 3]};
  return out;
}

}  // namespace cytograd::detection
