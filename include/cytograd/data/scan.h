#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cytograd/data/dataset.h"

namespace cytograd {

enum class BadImagePolicy { error, skip };

struct ScanOptions {
  BadImagePolicy on_bad_image = BadImagePolicy::error;
  double max_bad = 0.01;                   ///< share of bad images above which `skip` refuses
  int64_t max_pixels = int64_t{64} << 20;  ///< larger images are refused from their header
  bool strict = false;                     ///< also: mixed forms, empty masks, leaks are faults
  std::function<void(int64_t done, int64_t total)> progress;  ///< called from any thread; may throw
};

/// What one sample turned out to be.
struct SampleReport {
  int64_t width = 0, height = 0;
  std::string form;  ///< "jpeg rgb 8", as the reader names it
  std::string hash;  ///< xxh3-128 of the file's bytes
  bool used = true;
  std::string reason;  ///< why not
};

struct ScanReport {
  std::vector<SampleReport> samples;  ///< one per sample of the data set
  std::vector<Fault> faults;          ///< of the data set and of its files, in sample order
  std::vector<Note> notes;
  std::string
      hash;  ///< xxh3-128 over id, class, hash, box and pixel size of every sample: names the data
  int64_t bad = 0;  ///< samples whose image cannot be used
};

/// Decodes every image and mask fully, in parallel, and collects all faults: img.*, mask.size,
/// mask.values, mask.empty, box.degenerate, and equal bytes under two labels or splits (csv.form,
/// csv.leak). The report does not depend on the number of threads.
ScanReport scan(const Dataset& dataset, const ScanOptions& options = {});

/// Applies the policy: throws DataError for any fault under `error`; under `skip` drops the bad
/// samples and throws if they are more than max_bad. Samples without group whose files have the
/// same bytes become one group.
void apply_scan(Dataset& dataset, ScanReport& report, const ScanOptions& options);

/// `sample,path,class,domain,width,height,form,hash,used,reason`, one row per sample of the data
/// set as it was scanned.
void write_samples(const std::string& path, const Dataset& scanned, const ScanReport& report);

/// Samples per class, domain and split.
struct ClassTable {
  std::vector<std::string> classes, domains, splits;
  std::vector<int64_t> counts;  ///< [class][domain][split]
  int64_t at(size_t c, size_t d, size_t s) const {
    return counts[(c * domains.size() + d) * splits.size() + s];
  }
  /// Aligned text, classes down, domains (and splits, if more than one) across.
  std::string text() const;
  /// One note `class.missing` per empty (class, domain) or (class, split).
  std::vector<Note> missing() const;
};
/// With the data set's own split; a blank one counts as "train".
ClassTable class_table(const Dataset& dataset);
/// With the split given per sample: those of "" are "unused", or "all" if every one is "".
ClassTable class_table(const Dataset& dataset, const std::vector<std::string>& splits);

/// The first `per_kind` faults of each id, then how many more: for people.
std::string summarise_faults(const std::vector<Fault>& faults, size_t per_kind = 5);

}  // namespace cytograd
