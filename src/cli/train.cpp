#include <filesystem>

#include "cli/session.h"
#include "cli/train_options.h"
#include "cli/training.h"
#include "cytograd/core/cuda.h"
#include "cytograd/io/text.h"
#include "cytograd/train/environment.h"
#include "cytograd/train/stop.h"
#include "cytograd/train/trainer.h"

namespace cytograd::cli {
namespace {

void require_device(const TrainConfig& config) {
  CommonOptions options;
  options.device = config.device;
  options.kernels = config.kernels;
  (void)device_of(options);
}

void dry_run(const TrainConfig& config) {
  if (config.synthetic > 0)
    throw ConfigError(
        "--dry-run reads a data set; try it with --data, or draw one by `cyto synth cells` [cli]");
  const Task task = load_task(config, counting("reading images"));
  say_data(task);
  Trainer trainer(config, task);
  if (!config.weights.empty())
    for (const std::string& note : trainer.load_weights(config.weights)) console().note(note);
  const StepCost cost = trainer.measure();
  const auto batches = static_cast<double>(trainer.batches_per_epoch());
  const double epoch = cost.seconds * batches,
               images = static_cast<double>(task.split.train.size());
  const double all = epoch * static_cast<double>(config.epochs);
  const auto parameters = trainer.model().parameter_count();
  if (console().json()) {
    console().out("{\"parameters\":" + std::to_string(parameters) +
                  ",\"memory_bytes\":" + format_double(cost.peak_bytes) +
                  ",\"disk_bytes\":" + format_double(4 * cost.state_bytes) +
                  ",\"seconds_per_epoch\":" + format_double(epoch) + ",\"train_images\":" +
                  format_double(images) + ",\"epochs\":" + std::to_string(config.epochs) + "}\n");
    return;
  }
  console().out("model        " + config.model + ", " + std::to_string(parameters) +
                " parameters\nmemory       " + human_bytes(cost.peak_bytes) + " of tensors, " +
                human_bytes(available_memory()) + " free\ndisk         " +
                human_bytes(4 * cost.state_bytes) + " for checkpoints\nepoch        " +
                std::to_string(trainer.batches_per_epoch()) + " steps, " + human_time(epoch) +
                "\nall epochs   " + human_time(all) + "\n");
}

void train_new(const TrainOptions& options, const ConfigSource& resolve) {
  const TrainConfig config = resolve(options).config;
  if (config.synthetic > 0 && options.given.contains("--data"))
    throw ConfigError("--data and --synthetic exclude each other [cli]");
  require_device(config);
  (void)model_of(config, 2, false);
  if (options.dry_run) return dry_run(config);
  in_new_folder(options, [&](RunFolder& folder) { begin_training(folder, config); });
}

void train_on(const std::string& run, const TrainOptions& options, bool fall_back) {
  const RunFolder folder = RunFolder::resume(run);
  if (!folder.note().empty()) console().note(folder.note());
  catch_stop_signals();
  const TrainConfig config = stored_config(folder.path(), options);
  if (config.detector != "none")
    throw ConfigError(Fault{"cfg", run, "", "the run is of a detector", "a run of `cyto train`",
                            "`cyto segment train --resume` goes on with it"});
  require_device(config);
  resume_training(folder, config, fall_back);
}

void run(TrainOptions& options) { run_training(options, resolve_config); }

}  // namespace

void run_training(const TrainOptions& options, const ConfigSource& resolve) {
  if (options.resume.empty()) return train_new(options, resolve);
  const bool automatic = options.resume == "auto";
  if (automatic && options.output.empty())
    throw ConfigError("--resume auto goes with --output RUN, the run to go on with [cli]");
  if (!automatic && !options.output.empty())
    throw ConfigError("--resume RUN goes on in RUN; leave --output out [cli]");
  if (options.force || options.dry_run)
    throw ConfigError("--resume goes with neither --force nor --dry-run [cli]");
  const std::string path = automatic ? options.output : options.resume;
  std::error_code error;
  if (automatic && !std::filesystem::exists(path + "/config.toml", error))
    return train_new(options, resolve);
  train_on(path, options, automatic);
}

namespace {

void add_train_command(CommandLine app) {
  auto options = std::make_shared<TrainOptions>();
  CommandLine command = add_command(
      app, "train", "Train a classifier and write a run folder",
      "cyto train --data photos/ --output runs/a             one folder per class\n"
      "cyto train --data PBC/ --preset pbc --model resnet18 --image-size 96 --epochs 30 -o runs/b\n"
      "cyto train --data hospital1/ hospital2/ -o runs/c     two domains\n"
      "cyto train --data a/ b/ c/ --method boda -o runs/e    domains that shall look alike\n"
      "cyto train --data photos/ --dry-run                   memory, disk and time it would take\n"
      "cyto train --resume runs/b                            go on after a stop\n"
      "cyto train --config runs/b/config.toml -o runs/d      the same run again\n");
  add_train_options(command, *options);
  command.add_option("--resume", options->resume,
                     "Go on with this run; auto: with --output, from its newest good checkpoint");
  add_common_options(command, *options, with_output | with_config | with_dry_run | with_force);
  run_command(command, options, run);
}

const Command registered{10, add_train_command};

}  // namespace
}  // namespace cytograd::cli
