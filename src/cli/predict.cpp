#include <algorithm>
#include <cmath>

#include "cli/session.h"
#include "cli/train_options.h"
#include "cli/unlabelled.h"
#include "cytograd/data/domains.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"

namespace cytograd::cli {
namespace {

struct Options : CommonOptions {
  std::string run, checkpoint = "best";
  std::vector<std::string> paths;
  std::string on_bad_image = "error";
  double microns_per_pixel = 0;
  bool csv = false;
};

std::string as_json(const TrainedModel& trained, const Dataset& dataset, const Predictions& p) {
  std::string out;
  for_each_file(dataset, p, [&](const std::string& path, size_t i, const Fault* fault) {
    out += (out.empty() ? "[" : ",\n ") + std::string("{\"file\":") + json_text(path);
    if (fault) {
      out += ",\"error\":{\"id\":" + json_text(fault->id) +
             ",\"message\":" + json_text(fault->message()) + "}}";
      return;
    }
    out += ",\"class\":" + json_text(trained.classes[static_cast<size_t>(p.predicted[i])]) +
           ",\"probability\":" + format_double(p.confidence(i));
    if (!p.agreement.empty())
      out += ",\"agreement\":" + format_double(p.agreement[i]) +
             ",\"anchor_distance\":" + number_or(p.anchor_distance[i], "null") +
             ",\"anchor_confidence\":" + format_double(p.anchor_confidence[i]) +
             ",\"maturity\":" + number_or(p.maturity[i], "null");
    out += ",\"probabilities\":{";
    for (int64_t c = 0; c < p.classes; ++c)
      out += (c ? "," : "") + json_text(trained.classes[static_cast<size_t>(c)]) + ":" +
             format_double(p.probability(i, c));
    out += "}}";
  });
  return out + "]\n";
}

std::string as_text(const TrainedModel& trained, const Dataset& dataset, const Predictions& p) {
  std::string out;
  for_each_file(dataset, p, [&](const std::string& path, size_t i, const Fault* fault) {
    if (fault) return;  // told on standard error
    std::vector<int64_t> order;
    for (int64_t c = 0; c < p.classes; ++c) order.push_back(c);
    std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
      return p.probability(i, a) > p.probability(i, b);
    });
    out += escape_control(path) + ":";
    for (size_t k = 0; k < order.size() && k < 3; ++k)
      out += std::string(k ? ", " : " ") + trained.classes[static_cast<size_t>(order[k])] + " " +
             format_fixed(p.probability(i, order[k]), 4);
    if (!p.agreement.empty()) {
      out += "; neighbours agree " + format_fixed(p.agreement[i], 2);
      if (std::isfinite(p.anchor_distance[i]))
        out += ", distance " + format_fixed(p.anchor_distance[i], 2);
      if (std::isfinite(p.maturity[i])) out += ", maturity " + format_fixed(p.maturity[i], 2);
    }
    out += "\n";
  });
  return out;
}

void run(Options& o) {
  if (o.csv && o.json) throw ConfigError("--csv and --json exclude each other [cli]");
  const TrainedModel trained = load_trained(o.run, o.checkpoint, device_of(o));
  const Dataset dataset = unlabelled(o.paths, o.microns_per_pixel);
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < dataset.size(); ++i) indices.push_back(i);
  require_scale(dataset, trained.config.field_um);
  LoaderOptions loader = inference_loader(trained);
  loader.collect_faults = true;
  const Predictions p = predict(trained, dataset, indices, loader, false, counting("images"));
  const std::string text = o.json  ? as_json(trained, dataset, p)
                           : o.csv ? predictions_csv(trained, dataset, p)
                                   : as_text(trained, dataset, p);
  if (o.output.empty() || o.output == "-") {
    console().out(text);
  } else {
    write_file_atomically(o.output, text);
    say_next({o.output}, "cyto embed --run " + o.run + " --data FOLDER -o embeddings.h5ad");
  }
  // With --json standard output holds the list already, errors included.
  tell_faults(p, dataset.size(), o.on_bad_image == "skip",
              o.json && (o.output.empty() || o.output == "-"));
}

void add_predict_command(CommandLine app) {
  auto options = std::make_shared<Options>();
  CommandLine command = add_command(app, "predict", "Name the class of images",
                                    "cyto predict --run runs/a cell.png\n"
                                    "cyto predict --run runs/a photos/ --csv -o predictions.csv\n");
  command.add_option("--run", options->run, "Run folder").required();
  command.add_option("--checkpoint", options->checkpoint, "best or last")
      .one_of({"best", "last"})
      .show_default();
  command.add_option("path", options->paths, "Images or folders of images").required();
  command
      .add_option("--microns-per-pixel", options->microns_per_pixel,
                  "Pixel size of the images, for a run with --field-um")
      .positive();
  command.add_flag("--csv", options->csv, "As a table with every probability");
  command
      .add_option("--on-bad-image", options->on_bad_image,
                  "Images that cannot be read: error (exit 3 after predicting the others), skip")
      .one_of({"error", "skip"})
      .show_default();
  add_common_options(command, *options, with_output | with_device);
  run_command(command, options, run);
}

const Command registered{30, add_predict_command};

}  // namespace
}  // namespace cytograd::cli
