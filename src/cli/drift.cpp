#include "cytograd/train/drift.h"

#include <filesystem>

#include "cli/session.h"
#include "cli/train_options.h"
#include "cli/unlabelled.h"
#include "cytograd/data/domains.h"
#include "cytograd/io/file.h"
#include "cytograd/report/drift_report.h"
#include "cytograd/train/run_folder.h"

/// @file
/// `cyto drift`: images without labels beside those a run was trained on.

namespace cytograd::cli {
namespace {

namespace fs = std::filesystem;

struct Options : CommonOptions {
  std::string run, on_bad_image = "error";
  std::vector<std::string> paths;
  double low = 0.5, microns_per_pixel = 0;
};

// From the run folder; made there where the images of the run are at hand.
DriftReference reference_of(const std::string& run, const TrainedModel& trained) {
  const std::string path = run + "/drift.safetensors";
  std::error_code error;
  if (fs::exists(path, error)) {
    DriftReference stored = read_drift_reference(path);
    if (stored.epoch == trained.epoch && stored.data_hash == trained.data_hash &&
        stored.width == trained.width())
      return stored;
  }
  console().note("passing images of the run through the model, once");
  DataChoice all;
  all.split = "all";
  const ChosenData data = [&] {
    try {
      return choose_data(run, trained, all);
    } catch (const FileError& e) {
      Fault fault = e.fault();
      fault.hint = "the images of the run are needed once; then " + path + " stands for them";
      throw FileError(fault);
    }
  }();
  if (!data.same)
    throw DataError(Fault{"change", trained.config.data[0], "",
                          "other images than the run was trained on", "the same images",
                          "the run folder has no " + path});
  DriftReference made = make_drift_reference(trained, data.task, counting("images of the run"));
  write_drift_reference(path, made);
  return made;
}

void run(Options& o) {
  if (!o.output.empty() && fs::exists(o.output + "/index.html") && !o.force)
    throw FileError(Fault{"file.exists", o.output + "/index.html", "", "there is such a file", "",
                          "pass --force to replace it"});
  const TrainedModel trained = load_trained(o.run, "best", device_of(o));
  const DriftReference reference = reference_of(o.run, trained);
  const Dataset dataset = unlabelled(o.paths, o.microns_per_pixel);
  require_scale(dataset, trained.config.field_um);
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < dataset.size(); ++i) indices.push_back(i);
  LoaderOptions loader = inference_loader(trained);
  loader.collect_faults = true;
  const Predictions p = predict(trained, dataset, indices, loader, true, counting("images"));
  const Drift drift = measure_drift(reference, p, o.low);
  console().out(o.json ? drift_json(drift, trained.classes) + "\n"
                       : drift_text(drift, trained.classes));
  if (!o.output.empty()) {
    fs::create_directories(o.output);
    write_file_atomically(o.output + "/predictions.csv", predictions_csv(trained, dataset, p));
    write_file_atomically(o.output + "/drift.json", drift_json(drift, trained.classes) + "\n");
    write_file_atomically(o.output + "/index.html", drift_html("Drift", drift, trained.classes));
    say_next({o.output + "/predictions.csv", o.output + "/drift.json", o.output + "/index.html"},
             "open " + o.output + "/index.html in a browser");
  }
  tell_faults(p, dataset.size(), o.on_bad_image == "skip", false);
}

void add_drift_command(CommandLine app) {
  auto options = std::make_shared<Options>();
  CommandLine command = add_command(
      app, "drift", "Say how far unlabelled images are from those a run was trained on",
      "cyto drift --run runs/a photos/               nearest domain, confidence, classes\n"
      "cyto drift --run runs/a photos/ -o drift/     also predictions.csv and a page\n");
  command.add_option("--run", options->run, "Run folder").required();
  command.add_option("path", options->paths, "Images or folders of images").required();
  command.add_option("--low", options->low, "Confidence below which a cell counts as unsure")
      .range(0.0, 1.0)
      .show_default();
  command
      .add_option("--microns-per-pixel", options->microns_per_pixel,
                  "Pixel size of the images, for a run with --field-um")
      .positive();
  command
      .add_option("--on-bad-image", options->on_bad_image,
                  "Images that cannot be read: error (exit 3 after the others), skip")
      .one_of({"error", "skip"})
      .show_default();
  add_common_options(command, *options, with_output | with_force | with_device);
  run_command(command, options, run);
}

const Command registered{32, add_drift_command};

}  // namespace
}  // namespace cytograd::cli
