#include "cli/multimodal.h"

/// @file
/// `cyto multimodal`: cell images and single-cell RNA in one latent space.

namespace cytograd::cli {
namespace {

void add_multimodal_command(CommandLine app) {
  CommandLine multimodal = add_command(
      app, "multimodal", "Images and RNA in one latent space, and paths through it",
      "cyto multimodal train --rna atlas.h5ad --images cells.h5 --map map.toml -o runs/joint\n"
      "cyto multimodal train --resume runs/joint                      go on after a stop\n"
      "cyto multimodal embed --run runs/joint --rna new.h5ad -o new-latents.h5ad\n"
      "cyto multimodal trajectory --help                              paths between kinds of "
      "cells\n");
  multimodal.require_subcommand(1);
  add_multimodal_train(multimodal);
  add_multimodal_embed(multimodal);
  add_multimodal_trajectory(multimodal);
  add_multimodal_report(multimodal);
}

const Command registered{48, add_multimodal_command};

}  // namespace

void require_both(const multimodal::Run& run, const std::string& command) {
  if (run.image && run.rna) return;
  throw ConfigError(Fault{"cli", run.path, "",
                          std::string("the run has no ") + (run.image ? "RNA" : "image") + " VAE",
                          "a run on images and RNA, for cyto multimodal " + command, ""});
}

}  // namespace cytograd::cli
