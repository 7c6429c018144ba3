#include <algorithm>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/io/text.h"
#include "cytograd/train/task.h"

namespace cytograd {
namespace {

constexpr size_t most_images = 256;

std::vector<int64_t> training_images_of(const std::string& domain, const Task& task) {
  std::vector<int64_t> out;
  for (const int64_t i : task.split.train) {
    const Sample& s = task.dataset.samples[static_cast<size_t>(i)];
    if (task.dataset.domains[static_cast<size_t>(s.domain)] == domain) out.push_back(i);
  }
  if (out.empty()) {
    std::string names;
    for (const std::string& d : task.dataset.domains) names += (names.empty() ? "" : ", ") + d;
    const std::string near = nearest_name(domain, task.dataset.domains);
    throw ConfigError(Fault{"cfg", "", "", "no training image of a domain \"" + domain + "\"",
                            "a domain that is trained on; there are " + names,
                            near.empty() || near == domain ? "" : "did you mean " + near + "?"});
  }
  if (out.size() <= most_images) return out;
  std::vector<int64_t> spread;
  for (size_t k = 0; k < most_images; ++k) spread.push_back(out[k * out.size() / most_images]);
  return spread;
}

StainStats stain_of_domain(const std::string& domain, const TrainConfig& config, const Task& task) {
  const std::vector<int64_t> images = training_images_of(domain, task);
  Preprocess preprocess;
  preprocess.fit = config.fit == "crop" ? Fit::crop : Fit::pad;
  preprocess.field_um = config.field_um;
  preprocess.box_margin = config.box_margin;
  std::vector<StainStats> stats(images.size());
  parallel_for(static_cast<int64_t>(images.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Sample& s = task.dataset.samples[static_cast<size_t>(images[static_cast<size_t>(i)])];
      const Image image = read_sample(s, config.max_pixels);
      stats[static_cast<size_t>(i)] =
          measure_stain(image, source_region(image.height, image.width, s, preprocess));
    }
  });
  return typical_stain(stats);
}

}  // namespace

StainStats stain_target_of(const TrainConfig& config, const Task& task) {
  if (config.stain == "none" || config.stain_target.empty()) return builtin_stain();
  constexpr std::string_view domain = "domain:";
  if (config.stain_target.starts_with(domain))
    return stain_of_domain(config.stain_target.substr(domain.size()), config, task);
  ImageOptions options;
  options.max_pixels = config.max_pixels;
  const Image image = read_image(config.stain_target, options);
  try {
    return typical_stain({measure_stain(image, {0, 0, image.height, image.width})});
  } catch (const DataError& e) {
    Fault fault = e.fault();
    fault.file = config.stain_target;
    throw DataError(fault);
  }
}

Augmentation augmentation_of(const TrainConfig& config) {
  Augmentation out = Augmentation::named(config.augment);
  if (config.stain_augment >= 0) {
    // Tellez et al. 2018 shift by as much as they scale, in a space of about a fifth of the span.
    out.stain = config.stain_augment;
    out.stain_bias = config.stain_augment / 5;
  }
  if (config.hue >= 0) out.hue = config.hue;
  if (config.gray_p >= 0) out.gray = config.gray_p;
  return out;
}

}  // namespace cytograd
