#pragma once

#include <optional>
#include <string>
#include <vector>

/// @file
/// Which classes of cell images and of RNA cells are the same kind of cell; docs/multimodal.md.

namespace cytograd::multimodal {

/// One kind of cell that both sides know.
struct ClassPair {
  std::string name;
  std::vector<std::string> image, rna;  ///< names of classes, at least one each
  std::optional<double> weight;         ///< delta of the alignment; nothing: that of the preset
};

struct ClassMap {
  std::vector<ClassPair> pairs;
  std::string path = "";  ///< of the file it was read from, for messages
};

/// TOML, a table per pair:
///
///     [neutrophil]
///     image = ["neutrophil_band", "neutrophil"]
///     rna = ["Neutrophils"]
///     weight = 0.15
///
/// @throws FileError; ConfigError cfg with line, key and expectation
ClassMap read_class_map(const std::string& path);

/// Pairs the classes of equal names.
ClassMap pair_equal_names(const std::vector<std::string>& image,
                          const std::vector<std::string>& rna);

/// @throws DataError class.unmapped for a name that its side does not have (listing what it has),
/// or a class in two pairs; class.disjoint for no pair at all
void check_class_map(const ClassMap& map, const std::vector<std::string>& image,
                     const std::vector<std::string>& rna);

/// The same as TOML, for run folders.
std::string class_map_text(const ClassMap& map);

}  // namespace cytograd::multimodal
