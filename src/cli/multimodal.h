#pragma once

#include "cli/common.h"

/// @file
/// What the parts of `cyto multimodal` share; one file per part.

namespace cytograd::cli {

void add_multimodal_train(CLI::App& multimodal);
void add_multimodal_embed(CLI::App& multimodal);
void add_multimodal_trajectory(CLI::App& multimodal);
void add_multimodal_report(CLI::App& multimodal);

}  // namespace cytograd::cli
