#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cytograd/data/dataset.h"
#include "cytograd/data/scan.h"
#include "cytograd/data/stain.h"
#include "cytograd/io/image.h"

/// @file
/// How domains look: their stains measured, and images of every class side by side.

namespace cytograd::cli {

struct LookOptions {
  std::string stain = "none", target;
  double field_um = 0;
  int64_t pictures = 4;  ///< per class and domain
  int64_t size = 96;     ///< side of each, pixels
};

/// Stains of a domain's images.
struct DomainLook {
  int64_t images = 0, measured = 0, background_only = 0;
  std::optional<StainStats> typical;  ///< where at least one image shows two dyes
};
std::vector<DomainLook> domain_looks(const Dataset& data, const LookOptions& options);
/// What --stain-target names. @throws ConfigError, DataError
StainStats look_target(const LookOptions& options, const Dataset& data,
                       const std::vector<DomainLook>& looks);

/// [class][domain]: the first, last and evenly spaced images between, one beside the other.
std::vector<std::vector<Image>> picture_strips(const Dataset& data, const ClassTable& table,
                                               const LookOptions& options,
                                               const StainStats& target);
/// Classes down, domains across, in the order of the table.
Image joined_strips(const std::vector<std::vector<Image>>& strips);

}  // namespace cytograd::cli
