#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "cytograd/data/dataset.h"
#include "cytograd/detection/boxes.h"

namespace cytograd::cli {

/// A cell to describe: an image, or a part of one.
struct CellPlace {
  std::string path, name;
  detection::Box box;  ///< in the field; of a crop unused
};

/// What is known of cells, one entry per cell; "" unknown.
struct CellClasses {
  std::vector<std::string> types, groups, notes;
};

/// Labelled data sets that images lie in.
class LabelledImages {
 public:
  LabelledImages() = default;
  /// Reads those of `paths` that are folders as `cyto train --data` does.
  /// @param preset  "auto": folders that are no such data set are left alone
  /// @param labels  "coarse" or "fine"
  /// @throws DataError for the faults of a data set; ConfigError for an unknown preset
  LabelledImages(const std::vector<std::string>& paths, const std::string& preset,
                 const std::string& labels);
  /// Whether an image is the mask of another one.
  bool is_mask(const std::string& path) const;
  /// Crops get the class of their image. Cells of fields get that of the annotated box they overlap
  /// most, by half at least (intersection over union); where images are labelled as wholes, that of
  /// the image if it is the only cell found there.
  CellClasses of(const std::vector<CellPlace>& cells, bool fields) const;

 private:
  struct Known {
    std::string type, group;
    std::optional<Box> box;
  };
  void add(const Dataset& dataset, bool with_domain);
  std::map<std::string, std::vector<Known>> images_;  // by absolute path
  std::set<std::string> masks_;
};

}  // namespace cytograd::cli
