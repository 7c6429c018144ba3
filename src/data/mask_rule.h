#pragma once

#include <optional>

#include "cytograd/data/dataset.h"

namespace cytograd {

/// The rule that `mask_threshold` or `mask_map` asks for; nothing if neither is set.
/// @throws ConfigError
std::optional<MaskRule> mask_rule_of(const DatasetOptions& options);

}  // namespace cytograd
