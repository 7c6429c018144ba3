#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cli/session.h"
#include "cli/train_options.h"
#include "cytograd/data/domains.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/train/stop.h"

namespace cytograd::cli {
namespace {

namespace fs = std::filesystem;

struct Options : CommonOptions {
  std::string run, checkpoint = "best";
  std::vector<std::string> paths;
  std::string on_bad_image = "error";
  double microns_per_pixel = 0;
  bool csv = false;
};

bool is_image_name(const std::string& path) {
  const std::string extension = to_lower_ascii(fs::path(path).extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" ||
         extension == ".tif" || extension == ".tiff" || extension == ".bmp" ||
         extension == ".pgm" || extension == ".ppm";
}

// Files as given; of folders, the images below them in order of their bytes.
Dataset unlabelled(const std::vector<std::string>& paths) {
  Dataset out;
  out.classes = {"unlabelled"};
  out.domains = {"files"};
  out.mask_rules.resize(1);
  const auto add = [&](const std::string& path) {
    Sample s;
    s.id = s.path = path;
    out.samples.push_back(s);
  };
  for (const std::string& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      add(path);
      continue;
    }
    std::vector<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(path))
      if (entry.is_regular_file() && is_image_name(entry.path().string()))
        found.push_back(entry.path().string());
    std::sort(found.begin(), found.end());
    if (found.empty())
      throw DataError(Fault{"data.empty", path, "", "no image below this folder",
                            "JPEG, PNG, TIFF, BMP or PNM files", ""});
    for (const std::string& file : found) add(file);
  }
  return out;
}

// One line of output per file, in the order given; `write` gets the row of the predictions, or -1
// and the fault of a file that could not be read.
template <class Write>
void for_each_file(const Dataset& dataset, const Predictions& p, Write write) {
  size_t row = 0;
  for (int64_t i = 0; i < dataset.size(); ++i) {
    const std::string& path = dataset.samples[static_cast<size_t>(i)].path;
    if (const auto fault = p.faults.find(i); fault != p.faults.end())
      write(path, size_t{0}, &fault->second);
    else
      write(path, row++, nullptr);
  }
}

std::string number_or(double value, const char* absent) {
  return std::isfinite(value) ? format_double(value) : absent;
}

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

std::string as_csv(const TrainedModel& trained, const Dataset& dataset, const Predictions& p) {
  std::vector<std::string> names = {"file", "class", "probability"};
  for (const std::string& c : trained.classes) names.push_back("p_" + c);
  if (trained.readout)
    names.insert(names.end(), {"agreement", "anchor_distance", "anchor_confidence", "maturity"});
  names.push_back("error");
  std::string out = csv_row(names);
  for_each_file(dataset, p, [&](const std::string& path, size_t i, const Fault* fault) {
    std::vector<std::string> row(names.size());
    row[0] = escape_control(path);
    if (fault) {
      row.back() = fault->message();
    } else {
      row[1] = trained.classes[static_cast<size_t>(p.predicted[i])];
      row[2] = format_double(p.confidence(i));
      for (int64_t c = 0; c < p.classes; ++c)
        row[3 + static_cast<size_t>(c)] = format_double(p.probability(i, c));
      if (trained.readout) {
        row[row.size() - 5] = format_double(p.agreement[i]);
        row[row.size() - 4] = number_or(p.anchor_distance[i], "n/a");
        row[row.size() - 3] = format_double(p.anchor_confidence[i]);
        row[row.size() - 2] = number_or(p.maturity[i], "n/a");
      }
    }
    out += csv_row(row);
  });
  return out;
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

// The first five of the files that could not be read, then how many there are.
void tell_faults(const Options& o, const Predictions& p, int64_t files) {
  if (p.faults.empty()) return;
  size_t told = 0;
  for (const auto& [index, fault] : p.faults)
    if (told++ < 5) console().warn(fault.message());
  const std::string found = std::to_string(p.faults.size()) + " of " + std::to_string(files) +
                            " images cannot be read and have no prediction";
  if (o.on_bad_image == "skip") return console().warn(found);
  const Fault& first = p.faults.begin()->second;
  const bool all_files = std::all_of(p.faults.begin(), p.faults.end(), [](const auto& entry) {
    return entry.second.id.starts_with("file.") || entry.second.id == "paths";
  });
  // With --json standard output holds the list already, errors included.
  if (o.json && (o.output.empty() || o.output == "-"))
    throw StopRequested(found, static_cast<int>(all_files ? ExitCode::file : ExitCode::data));
  const Fault summary{first.id,
                      "",
                      "",
                      found,
                      "",
                      "all others were predicted; --csv and --json list every one, --on-bad-image "
                      "skip accepts this"};
  if (all_files) throw FileError(summary);
  throw DataError(summary);
}

void run(Options& o) {
  if (o.csv && o.json) throw ConfigError("--csv and --json exclude each other [cli]");
  const TrainedModel trained = load_trained(o.run, o.checkpoint, device_of(o));
  Dataset dataset = unlabelled(o.paths);
  std::vector<int64_t> indices;
  for (int64_t i = 0; i < dataset.size(); ++i) indices.push_back(i);
  if (o.microns_per_pixel > 0)
    for (Sample& s : dataset.samples) s.microns_per_pixel = o.microns_per_pixel;
  require_scale(dataset, trained.config.field_um);
  LoaderOptions loader = inference_loader(trained);
  loader.collect_faults = true;
  const Predictions p = predict(trained, dataset, indices, loader, false, counting("images"));
  const std::string text = o.json  ? as_json(trained, dataset, p)
                           : o.csv ? as_csv(trained, dataset, p)
                                   : as_text(trained, dataset, p);
  if (o.output.empty() || o.output == "-") {
    console().out(text);
  } else {
    write_file_atomically(o.output, text);
    say_next({o.output}, "cyto embed --run " + o.run + " --data FOLDER -o embeddings.h5ad");
  }
  tell_faults(o, p, dataset.size());
}

void add_predict_command(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = add_command(app, "predict", "Name the class of images",
                                  "cyto predict --run runs/a cell.png\n"
                                  "cyto predict --run runs/a photos/ --csv -o predictions.csv\n");
  command->add_option("--run", options->run, "Run folder")->required();
  command->add_option("--checkpoint", options->checkpoint, "best or last")
      ->check(CLI::IsMember({"best", "last"}))
      ->capture_default_str();
  command->add_option("path", options->paths, "Images or folders of images")->required();
  command
      ->add_option("--microns-per-pixel", options->microns_per_pixel,
                   "Pixel size of the images, for a run with --field-um")
      ->check(CLI::PositiveNumber);
  command->add_flag("--csv", options->csv, "As a table with every probability");
  command
      ->add_option("--on-bad-image", options->on_bad_image,
                   "Images that cannot be read: error (exit 3 after predicting the others), skip")
      ->check(CLI::IsMember({"error", "skip"}))
      ->capture_default_str();
  add_common_options(*command, *options, with_output | with_device);
  run_command(*command, options, run);
}

const Command registered{30, add_predict_command};

}  // namespace
}  // namespace cytograd::cli
