#include "cli/training.h"
#include "cytograd/core/error.h"
#include "cytograd/train/method.h"

/// @file
/// `cyto pretrain`: weights to start from where no file of them is at hand.

namespace cytograd::cli {
namespace {

// Without labels unless cells are drawn, which come with theirs.
ResolvedConfig resolve_pretraining(const TrainOptions& options) {
  ResolvedConfig out;
  if (!options.config.empty()) apply_config_file(out, options.config);
  apply_config_variables(out);
  apply_given_options(out, options);
  const bool drawn = out.config.synthetic > 0;
  const auto give = [&out](const char* key, const char* text) {
    if (!out.sources.contains(key)) set_config(out, config_field(key), text, "pretrain");
  };
  give("method.name", drawn ? "ce" : "simclr");
  if (!drawn && !self_supervised(out.config))
    throw ConfigError(Fault{"cfg", "", "", "method.name " + out.config.method + " with --data",
                            "simclr or byol, or --synthetic N",
                            "`cyto train` learns from labels; its checkpoints are weight files"});
  if (!self_supervised(out.config)) give("input.augment", "full");
  apply_method_defaults(out);
  check_config(out.config);
  return out;
}

void run(TrainOptions& options) { run_training(options, resolve_pretraining); }

void add_pretrain_command(CommandLine app) {
  auto options = std::make_shared<TrainOptions>();
  CommandLine command = add_command(
      app, "pretrain", "Make weights to start from, of images without labels or of drawn cells",
      "cyto pretrain --data scans/ more/ -o runs/body       any folders of images, no labels\n"
      "cyto pretrain --synthetic 20000 -o runs/drawn        cells that are drawn for it\n"
      "cyto pretrain --synthetic 20000 --method simclr -o runs/both\n"
      "cyto pretrain --resume runs/body                     go on after a stop\n"
      "cyto train --data photos/ --weights runs/body/weights.safetensors -o runs/tuned\n");
  add_train_options(command, *options);
  command.add_option("--resume", options->resume,
                     "Go on with this run; auto: with --output, from its newest good checkpoint");
  add_common_options(command, *options, with_output | with_config | with_dry_run | with_force);
  run_command(command, options, run);
}

const Command registered{12, add_pretrain_command};

}  // namespace
}  // namespace cytograd::cli
