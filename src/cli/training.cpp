#include "cli/training.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cli/narrator.h"
#include "cli/train_options.h"
#include "cli/training_end.h"
#include "cytograd/core/cuda.h"
#include "cytograd/data/domains.h"
#include "cytograd/guided/guide.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/train/environment.h"
#include "cytograd/train/method.h"
#include "cytograd/train/pretraining.h"
#include "cytograd/train/stop.h"
#include "cytograd/train/trainer.h"

namespace cytograd::cli {
namespace {

// What the line of an epoch says.
Narrator narrator_of(const TrainConfig& config) {
  if (self_supervised(config))
    return Narrator({{"loss", "loss"},
                     {"alignment", "loss_alignment"},
                     {"uniformity", "loss_uniformity"},
                     {"spread", "loss_spread"},
                     {"kNN accuracy", "val_accuracy"}});
  return Narrator({{"loss", "loss"},
                   {"accuracy", "train_accuracy"},
                   {"val loss", "val_loss"},
                   {"val macro-F1", "val_f1_macro"}});
}

double checkpoint_bytes(const models::ImageModel& model, const TrainConfig& config) {
  double bytes = 0;
  for (const auto& [name, tensor] : model.state_dict())
    bytes += static_cast<double>(tensor.bytes());
  const double copies = 1 + (config.optimizer == "sgd" ? 1 : 2) + (config.ema > 0 ? 1 : 0);
  return bytes * copies;
}

void write_inputs(const RunFolder& folder, const TrainConfig& config, const Task& task) {
  write_samples(folder.file("samples.csv"), task.scanned, task.report);
  write_splits(folder.file("splits.csv"), task.dataset, task.folds);
  if (!config.guide.empty())
    write_file_atomically(folder.file("guide.csv"), guide_csv(find_guide(config.guide)));
  write_file_atomically(
      folder.file("environment.json"),
      environment_json(static_cast<uint64_t>(config.seed), describe(choose_device(config.device)),
                       {{"data", task.report.hash}}));
}

// Rows of the guide that no class of the data has.
void say_guide(const Task& task, const TrainConfig& config) {
  if (config.guide.empty()) return;
  const MatchedGuide matched = match_guide(find_guide(config.guide), task.dataset.classes);
  if (matched.unused.empty()) return;
  std::string names;
  for (const std::string& name : matched.unused) names += (names.empty() ? "" : ", ") + name;
  console().warn("the guide has classes that the data lack: " + names);
}

// Classes that only unseen domains have cannot be told.
void say_missing(const Task& task) {
  if (task.split.unseen.empty()) return;
  const auto trained = class_counts(task.dataset, task.split.train);
  const auto outside = class_counts(task.dataset, task.split.unseen);
  const auto any = [](const std::vector<int64_t>& row) {
    return std::any_of(row.begin(), row.end(), [](int64_t n) { return n > 0; });
  };
  std::string names;
  for (size_t c = 0; c < trained.size(); ++c)
    if (!any(trained[c]) && any(outside[c]))
      names += (names.empty() ? "" : ", ") + escape_control(task.dataset.classes[c]);
  if (!names.empty())
    console().warn("no training domain has " + names +
                   "; the F1 of what nobody could learn counts 0 in the unseen domain "
                   "[class.missing]");
}

}  // namespace

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
                        task.split.val.size() - task.split.test.size() - task.split.unseen.size();
  if (unused > 0)
    console().warn(std::to_string(unused) + " of " + std::to_string(task.dataset.size()) +
                   " samples are in no part of the split and are not used");
  for (const Note& note : table.missing()) {
    std::string text = note.text + ":";
    for (const std::string& example : note.examples) text += " " + example;
    console().warn(text + " [" + note.id + "]");
  }
  if (table.domains.size() > 1)
    for (const Note& note : domain_notes(table)) {
      std::string line = note.text + ":";
      for (const std::string& example : note.examples) line += " " + example;
      console().note(line + " [" + note.id + "]");
    }
  say_missing(task);
}

Task read_task(const TrainConfig& config) {
  return load_task(config, [count = counting("reading images")](int64_t i, int64_t n) {
    throw_if_stopped("nothing was trained in this call");
    count(i, n);
  });
}

namespace {

void begin(const RunFolder& folder, const TrainConfig& config, const TaskSource& source, bool again,
           bool quiet);
void go_on(const RunFolder& folder, const TrainConfig& config, bool fall_back,
           const TaskSource& source, bool quiet);

// The stage whose network the run keeps, as a run of its own in RUN/stage1.
void train_first_stage(const RunFolder& folder, const TrainConfig& config,
                       const TaskSource& source) {
  const TrainConfig first = first_stage(config);
  const std::string path = folder.file("stage1");
  std::error_code error;
  console().note("stage 1: " + path);
  if (std::filesystem::exists(path + "/config.toml", error))
    go_on(RunFolder::resume(path), first, true, source, true);
  else
    begin(RunFolder::create(path, false), first, source, false, true);
}

// Earlier results go, and the run can be resumed. @param keep  folders that stay
void take_over(const RunFolder& folder, const TrainConfig& config,
               const std::vector<std::string>& keep) {
  folder.prepare(keep);
  write_file_atomically(folder.file("config.toml"), config_toml(config));
}

// Cells are drawn into the run folder: it is taken over before there are data. What an earlier call
// has drawn to its end stays.
TrainConfig draw_data(const RunFolder& folder, const TrainConfig& config, bool again) {
  namespace fs = std::filesystem;
  TrainConfig out = config;
  const fs::path manifest = fs::absolute(folder.file("drawn/manifest.csv")).lexically_normal();
  out.data = {manifest.string()};
  const bool drawn = again && fs::exists(manifest);
  take_over(folder, out, drawn ? std::vector<std::string>{"drawn"} : std::vector<std::string>{});
  draw_world(out, counting("drawing cells"));
  return out;
}

// From the first image to the report. @param again  an earlier call may have got through stage 1
void begin(const RunFolder& folder, const TrainConfig& wanted, const TaskSource& source, bool again,
           bool quiet) {
  const bool drawn = wanted.synthetic > 0;
  const TrainConfig config = drawn ? draw_data(folder, wanted, again) : wanted;
  const Task task = source(config);
  say_data(task);
  say_guide(task, config);
  auto trainer = std::make_unique<Trainer>(config, task);
  const bool stages = trains_head_alone(config), two = stages && config.stage1.empty();
  if (!config.weights.empty() && !stages)
    for (const std::string& note : trainer->load_weights(config.weights)) console().note(note);
  if (stages && !two) trainer->load_first_stage(config.stage1);
  require_disk(folder.path(), checkpoint_bytes(trainer->model(), config));
  // Earlier results go only now, when nothing but training can fail.
  if (!drawn)
    take_over(folder, config,
              again && two ? std::vector<std::string>{"stage1"} : std::vector<std::string>{});
  write_inputs(folder, config, task);
  if (two) {
    trainer.reset();  // its memory
    train_first_stage(folder, config, source);
    trainer = std::make_unique<Trainer>(config, task);
    trainer->load_first_stage(folder.file("stage1"));
    console().note("stage 2: the classifier, on the network of stage 1");
  }
  Narrator narrator = narrator_of(config);
  trainer->run(folder, narrator.hooks());
  finish_training(folder, task, trainer->device(), quiet);
}

void go_on(const RunFolder& folder, const TrainConfig& config, bool fall_back,
           const TaskSource& source, bool quiet) {
  const Standing standing = standing_of(folder, config, fall_back);
  if (!standing.begun) return begin(folder, config, source, true, quiet);
  if (standing.finished) return;
  const Task task = source(standing.config);
  Trainer trainer(config, task);
  trainer.restore(standing.checkpoint, standing.path);
  say_going_on(standing.checkpoint);
  Narrator narrator = narrator_of(config);
  trainer.run(folder, narrator.hooks());
  finish_training(folder, task, trainer.device(), quiet);
}

}  // namespace

Standing standing_of(const RunFolder& folder, const TrainConfig& config, bool fall_back) {
  Standing out;
  const CheckpointStore store(folder.path());
  const std::vector<int64_t> steps = store.steps();
  out.begun = store.has("last") || (!steps.empty() && steps.back() != 0);
  if (!out.begun) return out;
  std::string note;
  out.checkpoint = read_last_checkpoint(store, fall_back, note);
  if (!note.empty()) console().warn(note);
  out.finished = out.checkpoint.progress.finished && folder.is_done();
  if (out.finished) {
    console().note(folder.path() + " is finished; nothing to do");
    return out;
  }
  out.path = store.resolve("last");
  out.config = config;
  out.config.splits = folder.file("splits.csv");
  out.config.folds = 1;
  return out;
}

void say_going_on(const Checkpoint& checkpoint) {
  console().note("going on after " + std::to_string(checkpoint.progress.epoch) + " epochs and " +
                 std::to_string(checkpoint.progress.batch) + " steps");
}

void in_new_folder(const TrainOptions& options, const std::function<void(RunFolder&)>& begin) {
  RunFolder folder = RunFolder::create(options.output, options.force);
  if (!folder.note().empty()) console().note(folder.note());
  catch_stop_signals();
  try {
    begin(folder);
  } catch (...) {
    folder.release();
    throw;
  }
}

void begin_training(const RunFolder& folder, const TrainConfig& config, const TaskSource& source) {
  begin(folder, config, source, false, false);
}

void resume_training(const RunFolder& folder, const TrainConfig& config, bool fall_back,
                     const TaskSource& source) {
  go_on(folder, config, fall_back, source, false);
}

}  // namespace cytograd::cli
