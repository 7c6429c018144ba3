#include "cytograd/train/guide_update.h"

#include <cmath>
#include <limits>

#include "cytograd/core/error.h"

namespace cytograd {
namespace {

struct UpdateRow {
  const char* name;
  GuideUpdate (*make)(const TrainConfig&);
};

// The inverse image of a class's point in an embedding that keeps classes apart is near its mean;
// this is that limit.
GuideUpdate class_mean(const TrainConfig&) {
  return [](const GuideUpdateInput& in) { return class_means(in.rows); };
}

const UpdateRow updates[] = {
    {"class-mean", class_mean},
};

}  // namespace

std::vector<std::string> guide_update_names() {
  std::vector<std::string> out;
  for (const UpdateRow& row : updates) out.emplace_back(row.name);
  return out;
}

GuideUpdate guide_update_of(const TrainConfig& config) {
  for (const UpdateRow& row : updates)
    if (config.guide_update == row.name) return row.make(config);
  throw ConfigError("unknown guide update " + config.guide_update);
}

Tensor class_means(const LabelledRows& rows) {
  const auto width = static_cast<size_t>(rows.width), classes = static_cast<size_t>(rows.classes);
  std::vector<double> sums(classes * width), counts(classes);
  for (int64_t i = 0; i < rows.size(); ++i) {
    const auto c = static_cast<size_t>(rows.labels[static_cast<size_t>(i)]);
    ++counts[c];
    for (size_t k = 0; k < width; ++k) sums[c * width + k] += rows.row(i)[k];
  }
  for (size_t c = 0; c < classes; ++c)
    for (size_t k = 0; k < width; ++k)
      sums[c * width + k] = counts[c] > 0 ? sums[c * width + k] / counts[c]
                                          : std::numeric_limits<double>::quiet_NaN();
  return Tensor::from(sums, {rows.classes, rows.width});
}

Tensor low_pass(const Tensor& e, const Tensor& u, double keep, const std::vector<bool>& present) {
  check<ShapeError>(
      e.shape() == u.shape() && e.ndim() == 2 && e.size(0) == static_cast<int64_t>(present.size()),
      "low_pass", "expects e and u [C, n], got ", e.shape(), " and ", u.shape());
  std::vector<double> out = e.to_vector<double>();
  const std::vector<double> to = u.to_vector<double>();
  const auto n = static_cast<size_t>(e.size(1));
  for (size_t c = 0; c < present.size(); ++c)
    for (size_t k = 0; present[c] && k < n; ++k) {
      double& value = out[c * n + k];
      value = keep * value + (1 - keep) * to[c * n + k];
      if (!std::isfinite(value))
        throw DivergedError("guide update: the new point of class " + std::to_string(c) +
                            " is not finite [nan]");
    }
  return Tensor::from(out, e.shape());
}

}  // namespace cytograd
