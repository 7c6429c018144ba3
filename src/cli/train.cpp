#include <chrono>
#include <cmath>
#include <filesystem>

#include "cli/session.h"
#include "cli/train_options.h"
#include "cytograd/core/cuda.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/train/environment.h"
#include "cytograd/train/stop.h"
#include "cytograd/train/trainer.h"

namespace cytograd::cli {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// Progress on a terminal, one line per epoch elsewhere.
class Narrator {
 public:
  TrainHooks hooks() {
    return {[this](const StepInfo& s) { on_step(s); }, [this](const EpochInfo& e) { on_epoch(e); }};
  }

 private:
  void on_step(const StepInfo& s) {
    if (first_step_ < 0) first_step_ = s.step - 1;
    steps_ = s.steps;
    step_ = s.step;
    if (!console().progress() || seconds_since(shown_) < 0.1) return;
    shown_ = Clock::now();
    constexpr int64_t width = 20;
    const int64_t full = s.batch * width / s.batches;
    console().status("epoch " + std::to_string(s.epoch + 1) + " [" +
                     std::string(static_cast<size_t>(full), '=') +
                     std::string(static_cast<size_t>(width - full), ' ') + "] " +
                     std::to_string(s.batch) + "/" + std::to_string(s.batches) + "  loss " +
                     format_fixed(s.loss, 4) + "  " + remaining());
  }

  void on_epoch(const EpochInfo& e) {
    const auto value = [&](const char* name) {
      for (const auto& [key, v] : e.values)
        if (key == name) return std::isfinite(v) ? format_fixed(v, 4) : std::string("n/a");
      return std::string("n/a");
    };
    console().note("epoch " + std::to_string(e.epoch) + "/" + std::to_string(e.epochs) + ": loss " +
                   value("loss") + ", accuracy " + value("train_accuracy") + ", val loss " +
                   value("val_loss") + ", val macro-F1 " + value("val_f1_macro") +
                   (e.best ? " (best)" : "") + "; " + human_time(seconds_since(epoch_begin_)) +
                   ", " + remaining());
    epoch_begin_ = Clock::now();
  }

  std::string remaining() const {
    const auto done = static_cast<double>(step_ - first_step_);
    const auto left = static_cast<double>(steps_ - step_);
    return human_time(seconds_since(begin_) / std::max(done, 1.0) * left) + " left";
  }

  Clock::time_point begin_ = Clock::now(), epoch_begin_ = begin_, shown_{};
  int64_t first_step_ = -1, step_ = 0, steps_ = 0;
};

void say_data(const Task& task) {
  const ClassTable table = class_table(task.dataset, task.split.roles(task.dataset.size()));
  std::string text = table.text();
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) console().note(text.substr(begin, end - begin));
    begin = end + 1;
  }
  for (const auto* notes : {&task.dataset.notes, &task.report.notes})
    for (const Note& note : *notes)
      console().detail(note.text + " (" + std::to_string(note.count) + ") [" + note.id + "]");
  const size_t unused = task.dataset.samples.size() - task.split.train.size() -
                        task.split.val.size() - task.split.test.size();
  if (unused > 0)
    console().warn(std::to_string(unused) + " of " + std::to_string(task.dataset.size()) +
                   " samples are in no part of the split and are not used");
  for (const Note& note : table.missing()) {
    std::string text = note.text + ":";
    for (const std::string& example : note.examples) text += " " + example;
    console().warn(text + " [" + note.id + "]");
  }
}

void require_device(const TrainConfig& config) {
  CommonOptions options;
  options.device = config.device;
  (void)device_of(options);
}

double checkpoint_bytes(const models::ImageModel& model, const TrainConfig& config) {
  double bytes = 0;
  for (const auto& [name, tensor] : model.state_dict())
    bytes += static_cast<double>(tensor.bytes());
  const double copies = 1 + (config.optimizer == "sgd" ? 1 : 2) + (config.ema > 0 ? 1 : 0);
  return bytes * copies;
}

// The last two, the best, and one that is being written.
void require_disk(const std::string& path, double checkpoint) {
  const double needed = 4 * checkpoint, free = free_disk(path);
  if (free > 0 && needed > free)
    throw FileError(Fault{"disk.full", path, "", human_bytes(free) + " are free",
                          human_bytes(needed) + " for four checkpoints",
                          "choose another --output"});
}

void dry_run(const TrainConfig& config) {
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

void write_inputs(const RunFolder& folder, const TrainConfig& config, const Task& task) {
  write_samples(folder.file("samples.csv"), task.scanned, task.report);
  write_splits(folder.file("splits.csv"), task.dataset, task.folds);
  write_file_atomically(
      folder.file("environment.json"),
      environment_json(static_cast<uint64_t>(config.seed), describe(choose_device(config.device)),
                       {{"data", task.report.hash}}));
}

// Scores on the held-back part and the report.
void finish(const RunFolder& folder, const Task& task, Device device) {
  const TrainedModel trained = load_trained(folder.path(), "best", device);
  const std::string role = !task.split.test.empty()  ? "test"
                           : !task.split.val.empty() ? "val"
                                                     : "train";
  const Evaluation evaluation = evaluate(trained, task.dataset, part_of(task.split, role), role);
  const std::string page = write_run_report(folder.path(), trained, task, evaluation);
  folder.mark_done(evaluation_json(evaluation, trained.classes) + "\n");
  if (console().json())
    console().out(evaluation_json(evaluation, trained.classes) + "\n");
  else
    console().out(evaluation_text(evaluation, trained.classes));
  say_next({folder.path() + " (weights " + trained.file + ")", page},
           "cyto eval --run " + folder.path() + "   or   cyto predict --run " + folder.path() +
               " IMAGE");
}

// From the first image to the report.
void begin(const RunFolder& folder, const TrainConfig& config) {
  const Task task = load_task(config, [count = counting("reading images")](int64_t i, int64_t n) {
    throw_if_stopped("nothing was trained yet");
    count(i, n);
  });
  say_data(task);
  Trainer trainer(config, task);
  if (!config.weights.empty())
    for (const std::string& note : trainer.load_weights(config.weights)) console().note(note);
  require_disk(folder.path(), checkpoint_bytes(trainer.model(), config));
  // Earlier results go only now, when nothing but training can fail.
  folder.prepare();
  write_file_atomically(folder.file("config.toml"), config_toml(config));
  write_inputs(folder, config, task);
  Narrator narrator;
  trainer.run(folder, narrator.hooks());
  finish(folder, task, trainer.device());
}

void train_new(const TrainOptions& options) {
  const TrainConfig config = resolve_config(options).config;
  require_device(config);
  (void)model_of(config, 2, false);
  if (options.dry_run) return dry_run(config);
  RunFolder folder = RunFolder::create(options.output, options.force);
  if (!folder.note().empty()) console().note(folder.note());
  catch_stop_signals();
  try {
    begin(folder, config);
  } catch (...) {
    folder.release();
    throw;
  }
}

void go_on(const RunFolder& folder, const TrainConfig& config, bool fall_back) {
  const CheckpointStore store(folder.path());
  // Killed before its first checkpoint, that of step 0, was linked.
  const std::vector<int64_t> steps = store.steps();
  if (!store.has("last") && (steps.empty() || steps.back() == 0)) return begin(folder, config);
  std::string note;
  const Checkpoint checkpoint = read_last_checkpoint(store, fall_back, note);
  if (!note.empty()) console().warn(note);
  if (checkpoint.progress.finished && folder.is_done()) {
    console().note(folder.path() + " is finished; nothing to do");
    return;
  }
  // The split as written, not drawn again.
  TrainConfig data_config = config;
  data_config.splits = folder.file("splits.csv");
  data_config.folds = 1;
  const Task task =
      load_task(data_config, [count = counting("reading images")](int64_t i, int64_t n) {
        throw_if_stopped("the run is as it was");
        count(i, n);
      });
  Trainer trainer(config, task);
  trainer.restore(checkpoint, store.resolve("last"));
  console().note("going on after " + std::to_string(checkpoint.progress.epoch) + " epochs and " +
                 std::to_string(checkpoint.progress.batch) + " steps");
  Narrator narrator;
  trainer.run(folder, narrator.hooks());
  finish(folder, task, trainer.device());
}

void train_on(const std::string& run, const TrainOptions& options, bool fall_back) {
  const RunFolder folder = RunFolder::resume(run);
  if (!folder.note().empty()) console().note(folder.note());
  catch_stop_signals();
  const TrainConfig config = stored_config(folder.path(), options);
  require_device(config);
  go_on(folder, config, fall_back);
}

void run(TrainOptions& options) {
  if (options.resume.empty()) return train_new(options);
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
    return train_new(options);
  train_on(path, options, automatic);
}

void add_train_command(CLI::App& app) {
  auto options = std::make_shared<TrainOptions>();
  CLI::App* command = add_command(
      app, "train", "Train a classifier and write a run folder",
      "cyto train --data photos/ --output runs/a             one folder per class\n"
      "cyto train --data PBC/ --preset pbc --model resnet18 --image-size 96 --epochs 30 -o runs/b\n"
      "cyto train --data hospital1/ hospital2/ -o runs/c     two domains\n"
      "cyto train --data photos/ --dry-run                   memory, disk and time it would take\n"
      "cyto train --resume runs/b                            go on after a stop\n"
      "cyto train --config runs/b/config.toml -o runs/d      the same run again\n");
  add_train_options(*command, *options);
  command->add_option("--resume", options->resume,
                      "Go on with this run; auto: with --output, from its newest good checkpoint");
  add_common_options(*command, *options, with_output | with_config | with_dry_run | with_force);
  run_command(*command, options, run);
}

const Command registered{10, add_train_command};

}  // namespace
}  // namespace cytograd::cli
