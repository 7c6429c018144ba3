#include "cli/domain_looks.h"

#include <algorithm>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/data/loader.h"
#include "cytograd/data/transform.h"
#include "cytograd/io/text.h"

namespace cytograd::cli {
namespace {

Preprocess preprocess_of(const LookOptions& options) {
  Preprocess out;
  out.size = options.size;
  out.field_um = options.field_um;
  return out;
}

// Images that cannot be read show nothing; cyto check names them.
StainStats stain_of(const Sample& sample, const Preprocess& preprocess) {
  try {
    const Image image = read_sample(sample);
    return measure_stain(image, source_region(image.height, image.width, sample, preprocess));
  } catch (const IoError& e) {
    if (e.fault().id == "data.resolution") throw;
    return {};
  }
}

void paste(const Image& part, int64_t x, int64_t y, Image& out) {
  for (int64_t row = 0; row < part.height; ++row)
    std::copy_n(part.at(row, 0), part.width * 3, out.at(y + row, x));
}

Image strip_of(const Dataset& data, const std::vector<size_t>& members, const LookOptions& options,
               const Preprocess& preprocess) {
  if (members.empty()) return {};
  const auto count = std::min(members.size(), static_cast<size_t>(options.pictures));
  Image out(options.size, options.size * static_cast<int64_t>(count), 3, 255);
  for (size_t k = 0; k < count; ++k) {
    const size_t at = count > 1 ? k * (members.size() - 1) / (count - 1) : 0;
    const Sample& sample = data.samples[members[at]];
    try {
      const Image tile =
          preview(read_sample(sample), sample, preprocess, Augmentation::none(), Rng(0));
      paste(tile, static_cast<int64_t>(k) * options.size, 0, out);
    } catch (const IoError& e) {
      if (e.fault().id == "data.resolution") throw;
    }
  }
  return out;
}

}  // namespace

std::vector<DomainLook> domain_looks(const Dataset& data, const LookOptions& options) {
  const Preprocess preprocess = preprocess_of(options);
  std::vector<StainStats> stats(data.samples.size());
  parallel_for(data.size(), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      stats[static_cast<size_t>(i)] = stain_of(data.samples[static_cast<size_t>(i)], preprocess);
  });
  std::vector<std::vector<StainStats>> by_domain(data.domains.size());
  for (size_t i = 0; i < stats.size(); ++i)
    by_domain[static_cast<size_t>(data.samples[i].domain)].push_back(stats[i]);
  std::vector<DomainLook> out;
  for (const auto& domain : by_domain) {
    DomainLook look;
    look.images = static_cast<int64_t>(domain.size());
    for (const StainStats& s : domain) {
      look.measured += s.trust == StainStats::all;
      look.background_only += s.trust == StainStats::background;
    }
    if (look.measured > 0) look.typical = typical_stain(domain);
    out.push_back(look);
  }
  return out;
}

StainStats look_target(const LookOptions& options, const Dataset& data,
                       const std::vector<DomainLook>& looks) {
  if (options.target.empty() || options.target == "built-in") return builtin_stain();
  constexpr std::string_view prefix = "domain:";
  if (options.target.starts_with(prefix)) {
    const std::string name = options.target.substr(prefix.size());
    for (size_t d = 0; d < looks.size(); ++d)
      if (data.domains[d] == name && looks[d].typical) return *looks[d].typical;
    const std::string near = nearest_name(name, data.domains);
    throw ConfigError({"cfg", "", "--stain-target",
                       "no domain \"" + name + "\" with stained images",
                       "one of " + std::to_string(data.domains.size()) + " domains",
                       near.empty() || near == name ? "" : "did you mean " + near + "?"});
  }
  const Image image = read_image(options.target);
  return typical_stain({measure_stain(image, {0, 0, image.height, image.width})});
}

std::vector<std::vector<Image>> picture_strips(const Dataset& data, const ClassTable& table,
                                               const LookOptions& options,
                                               const StainStats& target) {
  Preprocess preprocess = preprocess_of(options);
  preprocess.stain = stain_method(options.stain);
  preprocess.stain_target = target;
  const size_t classes = table.classes.size(), domains = table.domains.size();
  std::vector<std::vector<size_t>> members(classes * domains);
  for (size_t i = 0; i < data.samples.size(); ++i)
    members[static_cast<size_t>(data.samples[i].label) * domains +
            static_cast<size_t>(data.samples[i].domain)]
        .push_back(i);
  std::vector<std::vector<Image>> out(classes, std::vector<Image>(domains));
  parallel_for(static_cast<int64_t>(members.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto at = static_cast<size_t>(i);
      out[at / domains][at % domains] = strip_of(data, members[at], options, preprocess);
    }
  });
  return out;
}

Image joined_strips(const std::vector<std::vector<Image>>& strips) {
  constexpr int64_t gap = 6;
  const size_t domains = strips.empty() ? 0 : strips[0].size();
  std::vector<int64_t> width(domains, 0), height(strips.size(), 0);
  for (size_t c = 0; c < strips.size(); ++c)
    for (size_t d = 0; d < domains; ++d) {
      width[d] = std::max(width[d], strips[c][d].width);
      height[c] = std::max(height[c], strips[c][d].height);
    }
  int64_t all_width = gap, all_height = gap;
  for (const int64_t w : width) all_width += w + gap;
  for (const int64_t h : height) all_height += h + gap;
  Image out(all_height, all_width, 3, 255);
  int64_t y = gap;
  for (size_t c = 0; c < strips.size(); ++c) {
    int64_t x = gap;
    for (size_t d = 0; d < domains; ++d) {
      if (!strips[c][d].pixels.empty()) paste(strips[c][d], x, y, out);
      x += width[d] + gap;
    }
    y += height[c] + gap;
  }
  return out;
}

}  // namespace cytograd::cli
