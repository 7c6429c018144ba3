#pragma once

#include <optional>
#include <string>
#include <vector>

#include "cytograd/data/dataset.h"
#include "cytograd/data/scan.h"

/// @file
/// Domains: where images come from (a laboratory, a scanner), with stain, pixel size and classes.

namespace cytograd {

/// Whether a data path is a list of domains: a file whose name ends in .toml.
bool is_domain_file(const std::string& path);
/// The data sets of a file such as
///
///     [[domain]]
///     path = "AML-Cytomorphology"      # required; relative to this file
///     name = "munich"                  # default: the preset's or the folder's
///     preset = "matek19"               # default: auto
///     stain = "Pappenheim"
///     microns_per_pixel = 0.0725       # or pixels_per_micron, or field_um with field_pixels
///     harmonise = "munich.csv"         # 5, 11, 13 or a file relative to this one
///     labels, multi_label, objects, ace_subset, mask_threshold, mask_map: as the options
///
/// Keys that are absent are those of `shared`. @throws ConfigError with file:line:column for
/// unknown keys, wrong types, a pixel size that is not above 0, two domains of one name; FileError
std::vector<DatasetOptions> read_domain_file(const DatasetOptions& shared);

/// Names of the tables of classes that come with the program: 5, 11, 13.
const std::vector<std::string>& harmonisation_names();
/// Such a table as CSV `dataset,raw,harmonised`, to edit. @throws ConfigError for another name
std::string harmonisation_csv(const std::string& name);

/// What a domain is like.
struct DomainFacts {
  std::string name, stain;                     ///< stain "": unknown
  int64_t samples = 0, classes = 0;            ///< classes that it has samples of
  int64_t without_scale = 0;                   ///< samples of unknown pixel size
  std::optional<double> scale_min, scale_max;  ///< micrometres per pixel, of the others
};
std::vector<DomainFacts> domain_facts(const Dataset& dataset);

/// What methods for domains cannot use, as notes: `domain.single` one domain only,
/// `domain.one_class`, `domain.empty`, `pair.single` a class with one sample in a domain,
/// `class.one_domain` a class that one domain alone has. docs/domains.md says what each method
/// does.
std::vector<Note> domain_notes(const ClassTable& table);

/// A common field of view needs the pixel size of every sample.
/// @throws ConfigError data.resolution naming the domains that lack it, if field_um > 0
void require_scale(const Dataset& dataset, double field_um);

}  // namespace cytograd
