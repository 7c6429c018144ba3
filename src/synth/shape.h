#pragma once

#include <algorithm>
#include <cmath>
#include <vector>

namespace cytograd::synth {

struct Point {
  float x = 0, y = 0;
};

/// A capsule whose radius changes along its axis.
struct Capsule {
  Point from, to;
  float radius_from = 0, radius_to = 0;
};

/// Outline as a signed distance in micrometres, negative inside: capsules melted together.
struct Shape {
  std::vector<Capsule> parts;
  float melt = 0.1F;  ///< how far apart parts begin to flow together

  float distance(float x, float y) const {
    float d = 1e9F;
    for (const Capsule& part : parts) d = smooth_min(d, one(part, x, y));
    return d;
  }

  /// Half the width of a square around the origin that holds the shape.
  float extent() const {
    float reach = 0;
    for (const Capsule& c : parts) {
      reach = std::max(reach, std::hypot(c.from.x, c.from.y) + c.radius_from);
      reach = std::max(reach, std::hypot(c.to.x, c.to.y) + c.radius_to);
    }
    return reach + melt;
  }

  void rotate(float angle) {
    const float c = std::cos(angle), s = std::sin(angle);
    const auto turn = [&](Point& p) { p = {c * p.x - s * p.y, s * p.x + c * p.y}; };
    for (Capsule& part : parts) turn(part.from), turn(part.to);
  }

  void move(float dx, float dy) {
    for (Capsule& part : parts) {
      part.from.x += dx, part.to.x += dx;
      part.from.y += dy, part.to.y += dy;
    }
  }

 private:
  static float one(const Capsule& c, float x, float y) {
    const float ax = c.to.x - c.from.x, ay = c.to.y - c.from.y;
    const float px = x - c.from.x, py = y - c.from.y;
    const float length = ax * ax + ay * ay;
    const float t = length > 0 ? std::clamp((px * ax + py * ay) / length, 0.0F, 1.0F) : 0.0F;
    const float dx = px - t * ax, dy = py - t * ay;
    return std::sqrt(dx * dx + dy * dy) - (c.radius_from + t * (c.radius_to - c.radius_from));
  }

  // Quadratic blend; exact minimum farther apart than `melt`.
  float smooth_min(float a, float b) const {
    const float h = std::max(melt - std::abs(a - b), 0.0F);
    return std::min(a, b) - h * h / (4 * melt);
  }
};

}  // namespace cytograd::synth
