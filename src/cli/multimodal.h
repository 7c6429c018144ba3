#pragma once

#include "cli/common.h"

/// @file
/// What the parts of `cyto multimodal` share; one file per part.

namespace cytograd::cli {

void add_multimodal_train(CommandLine multimodal);
void add_multimodal_embed(CommandLine multimodal);
void add_multimodal_trajectory(CommandLine multimodal);
void add_multimodal_report(CommandLine multimodal);

}  // namespace cytograd::cli
