#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/guided/guide.h"

namespace cytograd {

/// Where a share of a class lies if it is normally distributed.
struct Ellipse {
  Point2 center{};
  double major = 0, minor = 0;  ///< semi-axes
  double angle = 0;             ///< of the major axis to x, radians in (-pi/2, pi/2]
};

/// Confidence ellipse of points in the plane: mean m, covariance S with n - 1, semi-axes
/// sqrt(-2 ln(1 - level) lambda) along the eigenvectors of S. Nothing for fewer than three points
/// or points on a line (smaller eigenvalue below 1e-12). @throws ValueError unless 0 < level < 1
inline std::optional<Ellipse> confidence_ellipse(const std::vector<Point2>& points,
                                                 double level = 0.95) {
  check<ValueError>(level > 0 && level < 1, "confidence_ellipse", "level expects 0..1, got ",
                    level);
  if (points.size() < 3) return {};
  const auto n = static_cast<double>(points.size());
  Ellipse out;
  for (const Point2& p : points) out.center = {out.center[0] + p[0] / n, out.center[1] + p[1] / n};
  double xx = 0, xy = 0, yy = 0;
  for (const Point2& p : points) {
    const double x = p[0] - out.center[0], y = p[1] - out.center[1];
    xx += x * x / (n - 1);
    xy += x * y / (n - 1);
    yy += y * y / (n - 1);
  }
  const double half = (xx + yy) / 2, spread = std::hypot((xx - yy) / 2, xy);
  if (!(half - spread >= 1e-12)) return {};
  const double scale = -2 * std::log(1 - level);
  out.major = std::sqrt(scale * (half + spread));
  out.minor = std::sqrt(scale * (half - spread));
  out.angle = std::atan2(2 * xy, xx - yy) / 2;
  return out;
}

}  // namespace cytograd
