#include "cytograd/guided/confidence.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/core/error.h"

namespace cytograd {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

// -log softmax(-d / T) at one class.
double log_loss(const double* d, int64_t count, int64_t at, double temperature) {
  const double nearest = *std::min_element(d, d + count);
  if (nearest == infinity) return infinity;
  double sum = 0;
  for (int64_t c = 0; c < count; ++c) sum += std::exp((nearest - d[c]) / temperature);
  return (d[at] - nearest) / temperature + std::log(sum);
}

}  // namespace

std::vector<double> anchor_distances(const std::vector<float>& values, const Tensor& anchors) {
  check<ShapeError>(anchors.ndim() == 2 && anchors.size(1) > 0 &&
                        static_cast<int64_t>(values.size()) % anchors.size(1) == 0,
                    "anchor_distances", "expects rows of the points' width, got points ",
                    anchors.shape(), " and ", values.size(), " values");
  const std::vector<double> points = anchors.to_vector<double>();
  const auto width = static_cast<size_t>(anchors.size(1));
  const auto classes = static_cast<size_t>(anchors.size(0));
  std::vector<double> out;
  out.reserve(values.size() / width * classes);
  for (size_t row = 0; row < values.size(); row += width)
    for (size_t c = 0; c < classes; ++c) {
      double d = 0;
      for (size_t k = 0; k < width; ++k) d += std::abs(values[row + k] - points[c * width + k]);
      out.push_back(std::isfinite(d) ? d : infinity);
    }
  return out;
}

std::vector<double> distance_confidence(const std::vector<double>& distances, int64_t count,
                                        const std::vector<int64_t>& classes, double temperature) {
  check<ValueError>(temperature > 0, "distance_confidence", "temperature expects > 0, got ",
                    temperature);
  check<ShapeError>(
      static_cast<int64_t>(distances.size()) == count * static_cast<int64_t>(classes.size()),
      "distance_confidence", "expects distances [", classes.size(), ", ", count, "], got ",
      distances.size(), " values");
  std::vector<double> out;
  for (size_t i = 0; i < classes.size(); ++i)
    out.push_back(std::exp(-log_loss(distances.data() + i * static_cast<size_t>(count), count,
                                     classes[i], temperature)));
  return out;
}

double fit_temperature(const std::vector<double>& distances, int64_t count,
                       const std::vector<int64_t>& labels) {
  const auto loss = [&](double log_temperature) {
    const double temperature = std::exp(log_temperature);
    double sum = 0;
    for (size_t i = 0; i < labels.size(); ++i) {
      const double v = log_loss(distances.data() + i * static_cast<size_t>(count), count, labels[i],
                                temperature);
      if (v < infinity) sum += v;
    }
    return sum;
  };
  if (labels.empty()) return 1;
  const double ratio = (std::sqrt(5.0) - 1) / 2;
  double low = std::log(0.02), high = std::log(50.0);
  double a = high - ratio * (high - low), b = low + ratio * (high - low);
  double fa = loss(a), fb = loss(b);
  while (high - low > 1e-4) {
    // Equal losses (no row counts, or all are sure) lead to the middle.
    if (fa < fb) {
      high = b;
      b = a;
      fb = fa;
      fa = loss(a = high - ratio * (high - low));
    } else if (fb < fa) {
      low = a;
      a = b;
      fa = fb;
      fb = loss(b = low + ratio * (high - low));
    } else {
      low = a;
      high = b;
      fa = loss(a = high - ratio * (high - low));
      fb = loss(b = low + ratio * (high - low));
    }
  }
  return std::exp((low + high) / 2);
}

}  // namespace cytograd
