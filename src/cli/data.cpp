#include <algorithm>
#include <filesystem>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <set>

#include "cli/common.h"
#include "cli/notes.h"
#include "cytograd/data/scan.h"
#include "cytograd/data/split.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"
#include "cytograd/train/stop.h"

namespace cytograd::cli {

namespace {

using Json = nlohmann::ordered_json;

struct DataOptions : CommonOptions {
  std::vector<std::string> paths, presets;
  DatasetOptions set;  // what all paths share
  std::string splits;
  int64_t max_pixels = int64_t{64} << 20;
};

Dataset load(const DataOptions& options) {
  check<ConfigError>(options.presets.size() <= 1 || options.presets.size() == options.paths.size(),
                     "--preset", "expected one, or one per data set (", options.paths.size(),
                     "), got ", options.presets.size());
  std::vector<DatasetOptions> parts;
  for (size_t i = 0; i < options.paths.size(); ++i) {
    DatasetOptions part = options.set;
    part.path = options.paths[i];
    if (!options.presets.empty()) part.preset = options.presets[options.presets.size() > 1 ? i : 0];
    parts.push_back(std::move(part));
  }
  return load_datasets(parts);
}

ScanReport scan_with_progress(const Dataset& dataset, const DataOptions& options) {
  catch_stop_signals();
  ScanOptions scan_options;
  scan_options.max_pixels = options.max_pixels;
  std::mutex mutex;
  int shown = -1;
  scan_options.progress = [&](int64_t done, int64_t total) {
    throw_if_stopped("nothing was written");
    if (!console().progress()) return;
    const int percent = static_cast<int>(done * 100 / std::max<int64_t>(total, 1));
    const std::lock_guard lock(mutex);
    if (percent <= shown) return;
    shown = percent;
    console().status("reading " + std::to_string(total) + " files: " + std::to_string(percent) +
                     " %");
  };
  ScanReport report = scan(dataset, scan_options);
  console().status("");
  return report;
}

// Most frequent first, then by name: "360x363 (644), 366x369 (27), ... 3 more".
std::vector<std::pair<std::string, int64_t>> ranked(const std::map<std::string, int64_t>& counts) {
  std::vector<std::pair<std::string, int64_t>> list(counts.begin(), counts.end());
  std::stable_sort(list.begin(), list.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return list;
}

std::string ranked_text(const std::map<std::string, int64_t>& counts) {
  std::string text;
  const auto list = ranked(counts);
  for (size_t i = 0; i < list.size() && i < 5; ++i)
    text += (i ? ", " : "") + list[i].first + " (" + std::to_string(list[i].second) + ")";
  if (list.size() > 5) text += ", and " + std::to_string(list.size() - 5) + " more";
  return text;
}

// What the images of one domain look like.
struct DomainFacts {
  std::map<std::string, int64_t> sizes, forms, resolutions;
  int64_t masks = 0, boxes = 0;
  std::set<std::string> groups;
};

std::vector<DomainFacts> collect_facts(const Dataset& dataset, const ScanReport& report) {
  std::vector<DomainFacts> facts(dataset.domains.size());
  for (size_t i = 0; i < dataset.samples.size(); ++i) {
    const Sample& s = dataset.samples[i];
    const SampleReport& r = report.samples[i];
    DomainFacts& f = facts[static_cast<size_t>(s.domain)];
    if (r.width > 0) ++f.sizes[std::to_string(r.width) + "x" + std::to_string(r.height)];
    if (!r.form.empty()) ++f.forms[r.form];
    ++f.resolutions[s.microns_per_pixel ? format_double(*s.microns_per_pixel) + " um/px"
                                        : "unknown"];
    f.masks += !s.mask.empty();
    f.boxes += s.box.has_value();
    if (!s.group.empty()) f.groups.insert(s.group);
  }
  return facts;
}

void print_text(const Dataset& dataset, const ScanReport& report, const std::vector<Note>& notes) {
  std::string out = class_table(dataset).text() + "\n";
  const auto facts = collect_facts(dataset, report);
  for (size_t d = 0; d < facts.size(); ++d) {
    const DomainFacts& f = facts[d];
    out += escape_control(dataset.domains[d]) + "\n";
    out += "  size        " + ranked_text(f.sizes) + "\n";
    out += "  form        " + ranked_text(f.forms) + "\n";
    out += "  pixel size  " + ranked_text(f.resolutions) + "\n";
    if (f.boxes > 0) out += "  boxes       " + std::to_string(f.boxes) + "\n";
    if (f.masks > 0) out += "  masks       " + std::to_string(f.masks) + "\n";
    if (!f.groups.empty()) out += "  groups      " + std::to_string(f.groups.size()) + "\n";
  }
  out += "hash " + report.hash + "\n";
  out += notes_text(notes, 3);
  if (!report.faults.empty())
    out += "\nfaults (" + std::to_string(report.faults.size()) + ")\n" +
           summarise_faults(report.faults);
  console().out(out);
}

Json to_json(const Fault& fault) {
  return {{"id", fault.id},
          {"file", escape_control(fault.file)},
          {"place", escape_control(fault.place)},
          {"found", escape_control(fault.found)},
          {"expected", escape_control(fault.expected)},
          {"hint", escape_control(fault.hint)}};
}

Json counts_json(const std::map<std::string, int64_t>& counts) {
  Json json = Json::object();
  for (const auto& [name, n] : ranked(counts)) json[name] = n;
  return json;
}

void print_json(const Dataset& dataset, const ScanReport& report, const std::vector<Note>& notes) {
  const ClassTable table = class_table(dataset);
  Json json = {{"n", dataset.size()}, {"bad", report.bad}, {"hash", report.hash}};
  json["classes"] = Json::array();
  for (const std::string& c : dataset.classes) json["classes"].push_back(escape_control(c));
  json["counts"] = Json::object();
  json["domains"] = Json::array();
  const auto facts = collect_facts(dataset, report);
  for (size_t d = 0; d < facts.size(); ++d) {
    const DomainFacts& f = facts[d];
    json["domains"].push_back({{"name", escape_control(dataset.domains[d])},
                               {"sizes", counts_json(f.sizes)},
                               {"forms", counts_json(f.forms)},
                               {"resolutions", counts_json(f.resolutions)},
                               {"boxes", f.boxes},
                               {"masks", f.masks},
                               {"groups", f.groups.size()}});
    for (size_t c = 0; c < table.classes.size(); ++c) {
      int64_t n = 0;
      for (size_t s = 0; s < table.splits.size(); ++s) n += table.at(c, d, s);
      json["counts"][escape_control(dataset.classes[c])][escape_control(dataset.domains[d])] = n;
    }
  }
  json["notes"] = notes_json(notes);
  json["faults"] = Json::array();
  for (const Fault& f : report.faults) json["faults"].push_back(to_json(f));
  console().out(json.dump(2) + "\n");
}

// samples.csv and faults.csv: everything, where the terminal shows the first of each kind.
void write_lists(const Dataset& dataset, const ScanReport& report, const DataOptions& options) {
  namespace fs = std::filesystem;
  fs::create_directories(options.output);
  const std::string samples = (fs::path(options.output) / "samples.csv").string();
  const std::string faults = (fs::path(options.output) / "faults.csv").string();
  for (const std::string& path : {samples, faults}) require_new_file(path, options.force);
  write_samples(samples, dataset, report);
  const std::vector<std::string> header = {"id", "file", "place", "found", "expected", "hint"};
  CsvWriter out(faults, header);
  for (const Fault& f : report.faults) {
    const std::vector<std::string> row = {f.id,
                                          escape_control(f.file),
                                          escape_control(f.place),
                                          escape_control(f.found),
                                          escape_control(f.expected),
                                          escape_control(f.hint)};
    out.row(row);
  }
  out.commit();
  say_next({samples, faults}, "");
}

// Leaks of the data set's own split, or of a splits file.
void add_split_faults(const Dataset& dataset, const DataOptions& options, ScanReport& report) {
  std::vector<std::string> hashes;
  for (const SampleReport& r : report.samples) hashes.push_back(r.hash);
  std::vector<Split> splits;
  if (!options.splits.empty()) {
    splits = read_splits(options.splits, dataset);
  } else if (std::any_of(dataset.samples.begin(), dataset.samples.end(),
                         [](const Sample& s) { return !s.split.empty(); })) {
    // Equal bytes in two of the data set's own parts are reported by the scan already.
    hashes.clear();
    splits.resize(1);
    for (int64_t i = 0; i < dataset.size(); ++i) {
      const std::string& role = dataset.samples[static_cast<size_t>(i)].split;
      (role == "test"  ? splits[0].test
       : role == "val" ? splits[0].val
                       : splits[0].train)
          .push_back(i);
    }
  }
  for (const Split& split : splits)
    for (Fault& f : find_leaks(dataset, split, hashes)) report.faults.push_back(std::move(f));
}

ScanReport inspect(DataOptions& options) {
  const Dataset dataset = load(options);
  ScanReport report = scan_with_progress(dataset, options);
  add_split_faults(dataset, options, report);
  std::vector<Note> notes = report.notes;
  for (Note& n : class_table(dataset).missing()) notes.push_back(std::move(n));
  if (options.json)
    print_json(dataset, report, notes);
  else
    print_text(dataset, report, notes);
  if (!options.output.empty()) write_lists(dataset, report, options);
  return report;
}

// Trains on the same samples.
std::string train_command(const DataOptions& options) {
  const DatasetOptions usual;
  std::string text = "cyto train --data";
  for (const std::string& path : options.paths) text += " " + shell_word(path);
  const auto add = [&](const char* name, const std::string& value, const std::string& otherwise) {
    if (value != otherwise) text += std::string(" ") + name + " " + shell_word(value);
  };
  // One layout for all data sets is all that training takes.
  if (options.presets.size() == 1) add("--preset", options.presets[0], usual.preset);
  add("--labels", options.set.labels, usual.labels);
  add("--multi-label", options.set.multi_label, usual.multi_label);
  add("--objects", options.set.objects, usual.objects);
  add("--harmonise", options.set.harmonise, usual.harmonise);
  add("--splits", options.splits, "");
  if (options.set.strict) text += " --strict";
  return text + " --output runs/first";
}

void run_data(DataOptions& options) {
  const ScanReport report = inspect(options);
  if (!report.faults.empty())
    console().warn(count_text(static_cast<int64_t>(report.faults.size()), "fault") +
                   "; cyto check fails on them");
  else
    say_next({}, train_command(options));
}

void run_check(DataOptions& options) {
  options.set.strict = true;
  const ScanReport report = inspect(options);
  if (report.faults.empty()) {
    console().note("no faults");
    return;
  }
  const std::string found = count_text(static_cast<int64_t>(report.faults.size()), "fault");
  // With --json everything has been printed; a second document would not be JSON any more.
  if (options.json) throw StopRequested(found, static_cast<int>(ExitCode::data));
  throw DataError({"data.faults", options.paths[0], "", found, "none", "they are listed above"});
}

void add_options(CommandLine command, DataOptions& options) {
  command
      .add_option("data", options.paths,
                  "Folders, CSV manifests, TOML lists of domains; several become domains")
      .required();
  command
      .add_option("--preset", options.presets,
                  "Layout: auto, folder, manifest, wbc-seg, bccd, pbc, matek19, acevedo20, "
                  "mll23; one, or one per data set")
      .allow_extra_args(false);
  command.add_option("--labels", options.set.labels, "coarse, or fine (pbc: file-name prefix)");
  command.add_option("--multi-label", options.set.multi_label,
                     "Two labels for one cell: drop, first, error");
  command.add_option("--objects", options.set.objects, "bccd: wbc, or all (RBC and platelets too)");
  command.add_option("--harmonise", options.set.harmonise,
                     "Common classes: 5, 11, 13, or a CSV dataset,raw,harmonised");
  command.add_option("--mask-threshold", options.set.mask_threshold,
                     "Smallest mask value of the cell[,of the nucleus]");
  command.add_option("--mask-map", options.set.mask_map,
                     "What mask values mean: 1=cell,2=nucleus,0=background");
  command.add_option("--splits", options.splits, "A splits.csv to check for leaks");
  command.add_option("--max-pixels", options.max_pixels, "Refuse larger images");
  add_common_options(command, options, with_output | with_force);
}

void add_data_command(CommandLine app) {
  auto options = std::make_shared<DataOptions>();
  CommandLine command =
      add_command(app, "data", "Say what is in a data set",
                  "cyto data photos/                     classes, sizes, every fault\n"
                  "cyto data PBC_dataset_normal_DIB --labels fine\n"
                  "cyto data segmentation_WBC BCCD_Dataset --harmonise 5   as domains\n"
                  "cyto data cells.csv --json -o lists/   with samples.csv and faults.csv\n");
  add_options(command, *options);
  command.add_flag("--strict", options->set.strict, "Degenerate boxes and blank labels are faults");
  run_command(command, options, run_data);
}

void add_check_command(CommandLine app) {
  auto options = std::make_shared<DataOptions>();
  CommandLine command =
      add_command(app, "check", "Fail (exit 3) if anything is wrong with a data set",
                  "cyto check photos/                    decode every file, list every fault\n"
                  "cyto check photos/ --splits runs/first/splits.csv   and look for leaks\n");
  add_options(command, *options);
  run_command(command, options, run_check);
}

const Command registered_data{40, add_data_command};
const Command registered_check{41, add_check_command};

}  // namespace

}  // namespace cytograd::cli
