#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cytograd/data/dataset.h"
#include "cytograd/detection/coco_eval.h"
#include "cytograd/detection/mask_piece.h"

/// @file
/// Fields of view with annotated objects: what a detector learns from. docs/segmentation.md.

namespace cytograd {

/// One annotated object of a field.
struct FieldObject {
  int64_t label = 0;          ///< index into FieldSet::classes
  detection::Box box;         ///< pixel edges, inside the field, with an area
  detection::MaskPiece mask;  ///< empty: not known
  bool crowd = false;         ///< a group: neither right nor wrong, never trained on
  bool has_mask() const { return !mask.empty(); }
  bool operator==(const FieldObject&) const = default;
};

/// One image and what is known of it.
struct Field {
  int64_t height = 0, width = 0;
  std::vector<FieldObject> objects;
};

/// Fields of one or several data sets.
struct FieldSet {
  std::vector<std::string> classes;  ///< of objects, without the background
  /// One sample per field: its file, domain, group and split. Its class is the rarest of its
  /// objects, for splits that keep rare classes on all sides; "nothing" for fields without objects.
  /// Scanning, splitting and writing work as for classification (data/scan.h, data/split.h).
  Dataset index;
  std::vector<Field> fields;  ///< as `index.samples`

  int64_t size() const { return static_cast<int64_t>(fields.size()); }
  /// Objects of each class, and how many of them have masks.
  std::vector<int64_t> object_counts(const std::vector<int64_t>& part) const;
  std::vector<int64_t> mask_counts(const std::vector<int64_t>& part) const;
  /// Names everything that is learned from: boxes, masks, classes. 32 hex digits.
  std::string annotation_hash() const;
};

struct FieldOptions {
  /// A folder, or a COCO JSON file. Of COCO the images lie in the file's folder or in `images`
  /// beside it.
  std::string path;
  /// auto | voc | coco | labelme | labels | bccd | wbc-seg
  std::string preset = "auto";
  std::string objects = "wbc";  ///< bccd and synthetic smears: wbc | all
  /// Also objects of the class "nucleus", where masks tell it apart.
  bool nucleus = false;
  /// How grey masks are read, as DatasetOptions; with them the preset `labels` takes connected
  /// parts for objects, without them each number.
  std::string mask_threshold, mask_map;
  bool strict = false;  ///< what would be dropped or repaired is a fault
  int64_t max_pixels = int64_t{64} << 20;
};

/// Reads annotations, masks and headers of images. What is left out or repaired is in
/// `index.notes`: box.degenerate, box.clipped, box.small, box.duplicate, box.from_mask,
/// mask.missing, mask.noise, mask.shared, mask.empty, mask.unmatched, ann.missing, ann.crowd,
/// ann.shape, label.dropped. What is wrong is in `index.faults`.
/// @throws ConfigError for an unknown preset, FileError, DataError `data.layout` where no layout
/// fits and `data.empty` without a field
FieldSet load_fields(const FieldOptions& options);
/// Several, over one list of classes in order of first appearance; domains of equal name are
/// numbered, ids get the domain as prefix.
FieldSet load_field_sets(const std::vector<FieldOptions>& options);

/// Presets of images with classes, then those of fields alone.
const std::vector<std::string>& all_preset_names();

/// Keeps the fields whose ids `index` has, in its order: after data/scan.h dropped some.
void keep_fields(FieldSet& fields, const Dataset& index);

/// Renumbers objects to a model's classes. Objects of classes that it does not know are left out
/// and counted. @throws DataError class.unknown if none is known, or any is not and `drop` is unset
int64_t map_field_classes(FieldSet& fields, const std::vector<std::string>& classes, bool drop);

/// A field's annotation for the COCO evaluator. With `CocoKind::mask` objects without a mask are
/// groups: nothing can be right or wrong about them.
std::vector<detection::CocoObject> coco_objects(const Field& field, detection::CocoKind kind);

}  // namespace cytograd
