#include "cli/segment.h"

#include <algorithm>
#include <filesystem>
#include <map>

#include "cli/narrator.h"
#include "cli/train_options.h"
#include "cli/training.h"
#include "cli/unlabelled.h"
#include "cytograd/core/cuda.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/train/detector_trainer.h"
#include "cytograd/train/environment.h"
#include "cytograd/train/stop.h"

namespace cytograd::cli {

namespace fs = std::filesystem;

void add_detector_choice(CommandLine command, DetectorChoice& choice) {
  command.add_option("--run", choice.run, "Run folder of `cyto segment train`").required();
  command.add_option("--checkpoint", choice.checkpoint, "best or last")
      .one_of({"best", "last"})
      .show_default();
}

DetectionWork open_work(const DetectorChoice& choice, const std::vector<std::string>& paths,
                        int64_t max_pixels, Device device) {
  DetectionWork out{load_trained_detector(choice.run, choice.checkpoint, device), {}, {}};
  for (const Sample& sample : unlabelled(paths).samples) out.paths.push_back(sample.path);
  out.reading.max_pixels = max_pixels > 0 ? max_pixels : out.trained.config.max_pixels;
  return out;
}

std::vector<detection::FoundObject> search_image(const TrainedDetector& trained, const Image& image,
                                                 const Search& search, const std::string& path,
                                                 int64_t* not_finite) {
  const detection::TileOptions tiles =
      tiles_for(trained, image.height, image.width, search.side, search.overlap);
  if (tiles.side > 0)
    console().detail(escape_control(path) + ": tiles of " + std::to_string(tiles.side) + " pixels");
  std::vector<detection::FoundObject> out =
      find_objects(*trained.model, image, tiles, path, not_finite);
  std::erase_if(out, [&](const detection::FoundObject& o) { return !(o.score >= search.score); });
  return out;
}

std::vector<std::string> result_names(const std::vector<std::string>& paths) {
  std::vector<std::string> out;
  std::map<std::string, int> taken;
  for (const std::string& path : paths) {
    const std::string stem = fs::path(path).stem().string();
    std::string name = stem;
    while (taken.contains(name)) name = stem + "-" + std::to_string(++taken[stem]);
    taken.emplace(name, 1);
    out.push_back(name);
  }
  return out;
}

DetectorScores evaluate_fields(const TrainedDetector& trained, const FieldSet& fields,
                               const std::vector<int64_t>& part, const FoundCallback& found) {
  detection::TileOptions tiles;
  for (const int64_t i : part) {
    const Field& field = fields.fields[static_cast<size_t>(i)];
    if (std::max(field.height, field.width) > trained.config.field_tile)
      tiles.side = trained.config.field_tile;
  }
  return score_fields(*trained.model, fields, part, tiles, trained.config.max_pixels,
                      counting("fields"), found);
}

namespace {

FieldTask read_fields(const TrainConfig& config) {
  return load_field_task(config, [count = counting("reading fields")](int64_t i, int64_t n) {
    throw_if_stopped("nothing was trained in this call");
    count(i, n);
  });
}

void say_lines(const std::string& text) {
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    if (end > begin) console().note(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

void say_fields(const FieldTask& task) {
  say_lines(field_table(task));
  for (const Note& note : task.task.report.notes)
    console().note(note.text + " (" + std::to_string(note.count) + ") [" + note.id + "]");
}

Narrator narrator_of_objects() {
  return Narrator({{"loss", "loss"},
                   {"val box AP", "val_box_ap"},
                   {"AP50", "val_box_ap50"},
                   {"val mask AP", "val_mask_ap"},
                   {"AP50", "val_mask_ap50"}});
}

std::pair<std::string, const std::vector<int64_t>*> held_back(const Split& split) {
  if (!split.test.empty()) return {"test", &split.test};
  if (!split.val.empty()) return {"val", &split.val};
  return {"train", &split.train};
}

void write_field_inputs(const RunFolder& folder, const TrainConfig& config, const Task& task) {
  write_samples(folder.file("samples.csv"), task.scanned, task.report);
  write_splits(folder.file("splits.csv"), task.dataset, task.folds);
  write_file_atomically(
      folder.file("environment.json"),
      environment_json(static_cast<uint64_t>(config.seed), describe(choose_device(config.device)),
                       {{"data", task.report.hash}}));
}

// Scores of the best checkpoint on the held-back part.
void finish(const RunFolder& folder, const FieldTask& task, Device device) {
  const TrainedDetector trained = load_trained_detector(folder.path(), "best", device);
  const auto part = held_back(task.task.split);
  const DetectorScores scores = evaluate_fields(trained, task.fields, *part.second);
  const std::string json = detector_json(scores, trained.classes, part.first) + "\n";
  write_file_atomically(folder.file("results.json"), json);
  folder.mark_done(json);
  console().out(console().json() ? json : detector_text(scores, trained.classes, part.first));
  say_next({folder.path() + " (weights " + trained.file + ")"},
           "cyto segment predict --run " + shell_word(folder.path()) + " IMAGE -o cells/");
}

void train(DetectorTrainer& trainer, const RunFolder& folder, const FieldTask& task) {
  Narrator narrator = narrator_of_objects();
  trainer.run(folder, narrator.hooks());
  finish(folder, task, trainer.device());
}

void begin(const RunFolder& folder, const TrainConfig& config) {
  const FieldTask task = read_fields(config);
  say_fields(task);
  DetectorTrainer trainer(config, task);
  if (!config.weights.empty())
    for (const std::string& note : trainer.load_weights(config.weights)) console().note(note);
  require_disk(folder.path(), trainer.checkpoint_bytes());
  // Earlier results go only now, when nothing but training can fail.
  folder.prepare();
  write_file_atomically(folder.file("config.toml"), config_toml(config));
  write_field_inputs(folder, config, task.task);
  train(trainer, folder, task);
}

void go_on(const RunFolder& folder, const TrainConfig& config, bool fall_back) {
  if (config.detector == "none")
    throw ConfigError(Fault{"cfg", folder.path(), "", "the run is of a classifier",
                            "a run of `cyto segment train`",
                            "`cyto train --resume` goes on with it"});
  const Standing standing = standing_of(folder, config, fall_back);
  if (!standing.begun) return begin(folder, config);
  if (standing.finished) return;
  const FieldTask task = read_fields(standing.config);
  DetectorTrainer trainer(config, task);
  trainer.restore(standing.checkpoint, standing.path);
  say_going_on(standing.checkpoint);
  train(trainer, folder, task);
}

void dry_run(const TrainConfig& config) {
  const FieldTask task = read_fields(config);
  say_fields(task);
  DetectorTrainer trainer(config, task);
  if (!config.weights.empty())
    for (const std::string& note : trainer.load_weights(config.weights)) console().note(note);
  const auto cost = trainer.measure();
  const double epoch = cost.first * static_cast<double>(trainer.batches_per_epoch());
  const std::string parameters = std::to_string(trainer.model().parameter_count());
  if (console().json()) {
    console().out("{\"parameters\":" + parameters +
                  ",\"memory_bytes\":" + format_double(cost.second) +
                  ",\"disk_bytes\":" + format_double(4 * trainer.checkpoint_bytes()) +
                  ",\"seconds_per_epoch\":" + format_double(epoch) +
                  ",\"train_fields\":" + std::to_string(task.task.split.train.size()) +
                  ",\"epochs\":" + std::to_string(config.epochs) + "}\n");
    return;
  }
  console().out("model        " + config.detector + ", " + config.model + ", " + parameters +
                " parameters\nmemory       " + human_bytes(cost.second) + " of tensors, " +
                human_bytes(available_memory()) + " free\ndisk         " +
                human_bytes(4 * trainer.checkpoint_bytes()) + " for checkpoints\nepoch        " +
                std::to_string(trainer.batches_per_epoch()) + " steps, " + human_time(epoch) +
                " and validation\nall epochs   " +
                human_time(epoch * static_cast<double>(config.epochs)) + "\n");
}

void require_device(const TrainConfig& config) {
  CommonOptions options;
  options.device = config.device;
  options.kernels = config.kernels;
  (void)device_of(options);
}

void train_new(const TrainOptions& options) {
  const TrainConfig config = resolve_detector_config(options).config;
  require_device(config);
  if (options.dry_run) return dry_run(config);
  in_new_folder(options, [&](RunFolder& folder) { begin(folder, config); });
}

void run_train(TrainOptions& options) {
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
  if (automatic && !fs::exists(path + "/config.toml", error)) return train_new(options);
  const RunFolder folder = RunFolder::resume(path);
  if (!folder.note().empty()) console().note(folder.note());
  catch_stop_signals();
  const TrainConfig config = stored_config(folder.path(), options);
  require_device(config);
  go_on(folder, config, automatic);
}

void add_segment_command(CommandLine app) {
  CommandLine segment = add_command(
      app, "segment", "Find, outline and describe cells in fields of view",
      "cyto segment train --data BCCD_Dataset/ --output runs/cells    boxes and masks\n"
      "cyto segment eval --run runs/cells --json                      average precision\n"
      "cyto segment predict --run runs/cells photos/ -o found/        outlines of every cell\n"
      "cyto segment features --run runs/cells crops/ -o cells.h5      what the network sees\n");
  segment.require_subcommand(1);
  add_segment_train(segment);
  add_segment_eval(segment);
  add_segment_predict(segment);
  add_segment_features(segment);
}

const Command registered{25, add_segment_command};

}  // namespace

void add_segment_train(CommandLine segment) {
  auto options = std::make_shared<TrainOptions>();
  CommandLine command = add_command(
      segment, "train", "Train a detector on annotated fields and write a run folder",
      "cyto segment train --data BCCD_Dataset/ --output runs/cells\n"
      "cyto segment train --data smears/ --objects all --model resnet50 --min-size 480 -o runs/b\n"
      "cyto segment train --data annotations.json --weights maskrcnn.pth --norm-eps 0 -o runs/c\n"
      "cyto segment train --data smears/ --dry-run              memory, disk and time\n"
      "cyto segment train --resume runs/cells                   go on after a stop\n");
  ResolvedConfig defaults;
  apply_detector_defaults(defaults);
  add_train_options(command, *options, is_detector_setting, defaults.config);
  command.add_option("--resume", options->resume,
                     "Go on with this run; auto: with --output, from its newest good checkpoint");
  add_common_options(command, *options, with_output | with_config | with_dry_run | with_force);
  run_command(command, options, run_train);
}

}  // namespace cytograd::cli
