#pragma once

#include "cli/common.h"
#include "cytograd/multimodal/run.h"

/// @file
/// What the parts of `cyto multimodal` share; one file per part.

namespace cytograd::cli {

/// @throws ConfigError unless the run has both VAEs   @param command  "report"
void require_both(const multimodal::Run& run, const std::string& command);

void add_multimodal_train(CommandLine multimodal);
void add_multimodal_embed(CommandLine multimodal);
void add_multimodal_trajectory(CommandLine multimodal);
void add_multimodal_report(CommandLine multimodal);

}  // namespace cytograd::cli
