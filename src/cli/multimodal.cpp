#include "cli/multimodal.h"

/// @file
/// `cyto multimodal`: cell images and single-cell RNA in one latent space.

namespace cytograd::cli {
namespace {

void add_multimodal_command(CLI::App& app) {
  CLI::App* multimodal =
      app.add_subcommand("multimodal", "Images and RNA in one latent space, and paths through it");
  multimodal->require_subcommand(1);
  add_multimodal_train(*multimodal);
  add_multimodal_embed(*multimodal);
  add_multimodal_trajectory(*multimodal);
  add_multimodal_report(*multimodal);
}

const Command registered{48, add_multimodal_command};

}  // namespace
}  // namespace cytograd::cli
