#pragma once

#include <cmath>

#include "cli/session.h"
#include "cytograd/io/text.h"

/// @file
/// Images without labels: what `cyto predict` and `cyto drift` look at.

namespace cytograd::cli {

/// Files as given; of folders, the images below them in order of their bytes.
/// @param microns_per_pixel of all of them; 0: unknown
/// @throws DataError data.empty for a folder without images
Dataset unlabelled(const std::vector<std::string>& paths, double microns_per_pixel = 0);

/// One call per file, in the order given; `write` gets the row of the predictions, or the fault of
/// a file that could not be read.
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

inline std::string number_or(double value, const char* absent) {
  return std::isfinite(value) ? format_double(value) : absent;
}

/// A table with every probability; files that could not be read have their fault in `error`.
std::string predictions_csv(const TrainedModel& trained, const Dataset& dataset,
                            const Predictions& p);

/// Tells the first files that could not be read. @param skip that is all @param told_already the
/// output lists them @throws DataError or FileError unless `skip`
void tell_faults(const Predictions& p, int64_t files, bool skip, bool told_already);

}  // namespace cytograd::cli
