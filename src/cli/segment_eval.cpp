#include <algorithm>
#include <map>

#include "cli/segment.h"
#include "cli/session.h"
#include "cli/train_options.h"
#include "cytograd/data/loader.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/report/detector_page.h"

namespace cytograd::cli {
namespace {

using detection::FoundObject;

struct Options : CommonOptions {
  DetectorChoice detector;
  std::vector<std::string> paths;
  std::string preset, objects, domain, page, split = "auto";
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

// Leaves the fields of one domain.
void keep_domain(ChosenFields& chosen, const std::string& name) {
  const Dataset& index = chosen.task.fields.index;
  const auto at = std::find(index.domains.begin(), index.domains.end(), name);
  if (at == index.domains.end()) {
    std::string all;
    for (const std::string& known : index.domains) all += (all.empty() ? "" : ", ") + known;
    throw ConfigError(
        Fault{"cli", "", "", "--domain " + escape_control(name), "one of " + all, ""});
  }
  std::erase_if(chosen.part, [&](int64_t i) {
    return index.samples[static_cast<size_t>(i)].domain != at - index.domains.begin();
  });
  if (chosen.part.empty())
    throw DataError(Fault{"data.empty", "", "", "no field of " + name + " in this part",
                          "at least one", "see --split"});
}

// What the page shows of the fields at the end of an order.
std::vector<PageField> page_fields(const FieldSet& fields, const std::vector<int64_t>& part,
                                   const std::map<int64_t, std::vector<FoundObject>>& found,
                                   int64_t max_pixels) {
  std::vector<PageField> out;
  for (const int64_t i : part) {
    const auto place = static_cast<size_t>(i);
    const Field& field = fields.fields[place];
    const FieldJudgement judgement = judge_field(field, found.at(i));
    const Image image = read_sample(fields.index.samples[place], max_pixels);
    out.push_back({fields.index.samples[place].id,
                   draw_judged(image, field, found.at(i), judgement), judgement});
  }
  return out;
}

// The fields with most misses and false alarms, and some of those with fewest.
void write_page(const Options& o, const TrainedDetector& trained, const ChosenFields& chosen,
                const DetectorScores& scores,
                const std::map<int64_t, std::vector<FoundObject>>& found) {
  constexpr size_t most = 6;
  const FieldSet& fields = chosen.task.fields;
  std::map<int64_t, FieldJudgement> judged;
  for (const int64_t i : chosen.part)
    judged[i] = judge_field(fields.fields[static_cast<size_t>(i)], found.at(i));
  const auto wrong = [&judged](int64_t i) {
    return judged.at(i).missed.size() + judged.at(i).alarms.size();
  };
  std::vector<int64_t> order = chosen.part;
  std::stable_sort(order.begin(), order.end(),
                   [&wrong](int64_t a, int64_t b) { return wrong(a) > wrong(b); });
  std::vector<int64_t> worst, best;
  for (const int64_t i : order)
    if (worst.size() < most && wrong(i) > 0) worst.push_back(i);
  // Of the best, those that show most.
  std::stable_sort(order.begin(), order.end(), [&judged, &wrong](int64_t a, int64_t b) {
    return wrong(a) != wrong(b) ? wrong(a) < wrong(b) : judged.at(a).hits > judged.at(b).hits;
  });
  for (const int64_t i : order)
    if (best.size() < most && std::find(worst.begin(), worst.end(), i) == worst.end())
      best.push_back(i);
  DetectorPage page;
  page.title = "Detector " + o.detector.run;
  page.subtitle = chosen.role + " part; weights " + trained.file;
  page.classes = trained.classes;
  page.scores = scores;
  page.worst = page_fields(fields, worst, found, trained.config.max_pixels);
  page.best = page_fields(fields, best, found, trained.config.max_pixels);
  write_file_atomically(o.page, detector_page_html(page));
}

void run(Options& o) {
  for (const std::string& file : {o.output, o.page})
    if (!file.empty()) require_new_file(file, o.force);
  const TrainedDetector trained =
      load_trained_detector(o.detector.run, o.detector.checkpoint, device_of(o));
  ChosenFields chosen = choose_fields(trained, o);
  if (!o.domain.empty()) keep_domain(chosen, o.domain);
  std::map<int64_t, std::vector<FoundObject>> found;
  FoundCallback keep;
  if (!o.page.empty())
    keep = [&found](int64_t i, const std::vector<FoundObject>& objects) { found[i] = objects; };
  const DetectorScores scores = evaluate_fields(trained, chosen.task.fields, chosen.part, keep);
  const std::string json = detector_json(scores, trained.classes, chosen.role) + "\n";
  console().out(o.json ? json : detector_text(scores, trained.classes, chosen.role));
  std::vector<std::string> written;
  if (!o.output.empty()) {
    write_file_atomically(o.output, json);
    written.push_back(o.output);
  }
  if (!o.page.empty()) {
    write_page(o, trained, chosen, scores, found);
    written.push_back(o.page);
  }
  say_next(written,
           "cyto segment predict --run " + shell_word(o.detector.run) + " IMAGE -o found/");
}

}  // namespace

void add_segment_eval(CommandLine segment) {
  auto options = std::make_shared<Options>();
  CommandLine command = add_command(
      segment, "eval", "Average precision of a detector on annotated fields",
      "cyto segment eval --run runs/cells                            its held-back part\n"
      "cyto segment eval --run runs/cells --data BCCD/ --preset bccd --json\n"
      "cyto segment eval --run runs/cells --page cells.html          curves, misses drawn\n");
  add_detector_choice(command, options->detector);
  command.add_option("--data", options->paths, "Annotated fields; default: those of the run")
      .type_name("PATH");
  command.add_option("--preset", options->preset,
                     "Layout of --data: auto voc coco labelme labels bccd wbc-seg [auto]");
  command.add_option("--objects", options->objects, "wbc, all; default: as in the run")
      .one_of({"wbc", "all"});
  command
      .add_option("--split", options->split,
                  "test, val, train or all; auto: the held-back part of the run's own data, all of "
                  "other data")
      .one_of({"auto", "test", "val", "train", "all"})
      .show_default();
  command
      .add_option_function(
          "--unknown-classes",
          [target = options.get()](const std::string& text) {
            target->drop_unknown = text == "drop";
          },
          "Objects of classes that the model does not know: error, drop")
      .one_of({"error", "drop"});
  command.add_option("--domain", options->domain, "Fields of this domain alone");
  command.add_option("--page", options->page,
                     "Write a page: curves, and the fields with most misses and false alarms");
  add_common_options(command, *options, with_output | with_force | with_device);
  run_command(command, options, run);
}

}  // namespace cytograd::cli
