#include "cli/segment.h"
#include "cli/session.h"
#include "cli/train_options.h"
#include "cytograd/io/file.h"

namespace cytograd::cli {
namespace {

struct Options : CommonOptions {
  DetectorChoice detector;
  std::vector<std::string> paths;
  std::string preset, objects, split = "auto";
  bool drop_unknown = false;
};

struct ChosenFields {
  FieldTask task;
  std::vector<int64_t> part;
  std::string role;
};

// The fields given, or those of the run; `auto` takes the held-back part of the run's own data and
// all of others.
ChosenFields choose_fields(const TrainedDetector& trained, const Options& o) {
  ResolvedConfig resolved{trained.config, {}};
  if (!o.paths.empty()) {
    std::string text;
    for (const std::string& path : o.paths) text += (text.empty() ? "" : "\n") + path;
    set_config(resolved, config_field("data.path"), text, "--data");
    // The run's layout is that of its own data.
    set_config(resolved, config_field("data.preset"), "auto", "--data");
  }
  if (!o.preset.empty()) set_config(resolved, config_field("data.preset"), o.preset, "--preset");
  if (!o.objects.empty())
    set_config(resolved, config_field("data.objects"), o.objects, "--objects");
  ChosenFields out;
  out.task = load_field_data(resolved.config, counting("reading fields"));
  Task& task = out.task.task;
  out.role = o.split;
  if (task.report.hash == trained.data_hash) {
    task.folds = read_splits(o.detector.run + "/splits.csv", task.dataset);
    const auto fold = task.folds.size() == 1 ? size_t{0} : static_cast<size_t>(trained.config.fold);
    const Split& split = task.folds.at(fold);
    if (out.role == "auto")
      out.role = !split.test.empty() ? "test" : !split.val.empty() ? "val" : "train";
    if (out.role != "all") out.part = part_of(split, out.role);
  } else {
    if (out.role != "auto" && out.role != "all")
      throw ConfigError(Fault{"cli", "", "",
                              "--split " + out.role + " with other data than the run's",
                              "--split all", "the split belongs to the data of the run"});
    out.role = "all";
    const int64_t dropped = map_field_classes(out.task.fields, trained.classes, o.drop_unknown);
    if (dropped > 0) console().warn(count_text(dropped, "object") + " of unknown classes left out");
  }
  if (out.role == "all")
    for (int64_t i = 0; i < out.task.fields.size(); ++i) out.part.push_back(i);
  return out;
}

void run(Options& o) {
  if (!o.output.empty()) require_new_file(o.output, o.force);
  const TrainedDetector trained =
      load_trained_detector(o.detector.run, o.detector.checkpoint, device_of(o));
  const ChosenFields chosen = choose_fields(trained, o);
  const DetectorScores scores = evaluate_fields(trained, chosen.task.fields, chosen.part);
  const std::string json = detector_json(scores, trained.classes, chosen.role) + "\n";
  console().out(o.json ? json : detector_text(scores, trained.classes, chosen.role));
  if (!o.output.empty()) write_file_atomically(o.output, json);
  say_next(o.output.empty() ? std::vector<std::string>{} : std::vector<std::string>{o.output},
           "cyto segment predict --run " + shell_word(o.detector.run) + " IMAGE -o found/");
}

}  // namespace

void add_segment_eval(CLI::App& segment) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(
      segment, "eval", "Average precision of a detector on annotated fields",
      "cyto segment eval --run runs/cells                            its held-back part\n"
      "cyto segment eval --run runs/cells --data BCCD/ --preset bccd --json\n");
  add_detector_choice(*command, options->detector);
  command->add_option("--data", options->paths, "Annotated fields; default: those of the run")
      ->type_name("PATH");
  command->add_option("--preset", options->preset,
                      "Layout of --data: auto voc coco labelme labels bccd wbc-seg [auto]");
  command->add_option("--objects", options->objects, "wbc, all; default: as in the run")
      ->check(CLI::IsMember({"wbc", "all"}));
  command
      ->add_option(
          "--split", options->split,
          "test, val, train or all; auto: the held-back part of the run's own data, all of "
          "other data")
      ->check(CLI::IsMember({"auto", "test", "val", "train", "all"}))
      ->capture_default_str();
  command
      ->add_option_function<std::string>(
          "--unknown-classes",
          [target = options.get()](const std::string& text) {
            target->drop_unknown = text == "drop";
          },
          "Objects of classes that the model does not know: error, drop")
      ->check(CLI::IsMember({"error", "drop"}));
  add_common_options(*command, *options, with_output | with_force | with_device);
  run_command(*command, options, run);
}

}  // namespace cytograd::cli
