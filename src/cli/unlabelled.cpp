#include "cli/unlabelled.h"

#include <algorithm>
#include <filesystem>

#include "cytograd/io/csv.h"
#include "cytograd/train/stop.h"

namespace cytograd::cli {
namespace {

namespace fs = std::filesystem;

bool is_image_name(const std::string& path) {
  const std::string extension = to_lower_ascii(fs::path(path).extension().string());
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png" ||
         extension == ".tif" || extension == ".tiff" || extension == ".bmp" ||
         extension == ".pgm" || extension == ".ppm";
}

}  // namespace

Dataset unlabelled(const std::vector<std::string>& paths, double microns_per_pixel) {
  Dataset out;
  out.classes = {"unlabelled"};
  out.domains = {"files"};
  out.mask_rules.resize(1);
  const auto add = [&](const std::string& path) {
    Sample s;
    s.id = s.path = path;
    if (microns_per_pixel > 0) s.microns_per_pixel = microns_per_pixel;
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

std::string predictions_csv(const TrainedModel& trained, const Dataset& dataset,
                            const Predictions& p) {
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

// The first five of the files that could not be read, then how many there are.
void tell_faults(const Predictions& p, int64_t files, bool skip, bool told_already) {
  if (p.faults.empty()) return;
  size_t told = 0;
  for (const auto& [index, fault] : p.faults)
    if (told++ < 5) console().warn(fault.message());
  const std::string found = std::to_string(p.faults.size()) + " of " + std::to_string(files) +
                            " images cannot be read and have no prediction";
  if (skip) return console().warn(found);
  const Fault& first = p.faults.begin()->second;
  const bool all_files = std::all_of(p.faults.begin(), p.faults.end(), [](const auto& entry) {
    return entry.second.id.starts_with("file.") || entry.second.id == "paths";
  });
  if (told_already)
    throw StopRequested(found, static_cast<int>(all_files ? ExitCode::file : ExitCode::data));
  const Fault summary{first.id,
                      "",
                      "",
                      found,
                      "",
                      "all others were predicted; --json lists every one, --on-bad-image "
                      "skip accepts this"};
  if (all_files) throw FileError(summary);
  throw DataError(summary);
}

}  // namespace cytograd::cli
