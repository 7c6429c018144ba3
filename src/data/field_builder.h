#pragma once

#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "cytograd/data/fields.h"

/// @file
/// Private: what the readers of layouts of annotated fields share.

namespace cytograd::layout {

/// An object on its way into a field.
struct RawObject {
  std::string name;  ///< class
  detection::Box box;
  detection::MaskPiece mask;
  bool crowd = false;
  std::string place;  ///< for messages
};

/// From coordinates of files.
inline detection::Box box_of(double x1, double y1, double x2, double y2) {
  return {static_cast<float>(x1), static_cast<float>(y1), static_cast<float>(x2),
          static_cast<float>(y2)};
}

/// A grey mask, told apart by a rule.
struct GreyMask {
  int64_t height = 0, width = 0;
  std::vector<uint8_t> cell;     ///< 1: cytoplasm or nucleus
  std::vector<uint8_t> nucleus;  ///< 1: nucleus
};

/// Puts a FieldSet together and counts what it drops.
class FieldBuilder {
 public:
  explicit FieldBuilder(const FieldOptions& options) : options_(options) {}

  /// A domain of the fields that follow.
  void begin_domain(const std::string& name, const MaskRule& rule);
  /// Begins a field with the size that the image's header says: 0 x 0 if it cannot be read, which
  /// data/scan.h reports.
  void begin_field(const std::string& id, const std::string& path, const std::string& group = "",
                   const std::string& split = "");
  /// Adds an object to it, clipped, unless it is degenerate, small, or there already.
  void add(const RawObject& object);
  /// Adds nucleus objects for the cells with masks, if asked for. @param nucleus  of the field
  void add_nuclei(const std::vector<RawObject>& cells, const GreyMask& mask);

  /// Reads a mask of the current field. Nothing, with a fault, if its size is another one, it holds
  /// values that its rule does not know, or it cannot be read.
  std::optional<GreyMask> read_mask(const std::string& path);
  /// Does the size that an annotation gives (0: none) agree with the image? A fault with `id` if
  /// not; true for images that cannot be read.
  bool same_size(int64_t height, int64_t width, const std::string& id, const std::string& file);

  void note(const std::string& id, const std::string& text, const std::string& example,
            int64_t count = 1) {
    set_.index.add_note(id, text, example, count);
  }
  void fault(Fault fault) { set_.index.faults.push_back(std::move(fault)); }
  Field& field() { return set_.fields.back(); }
  const std::string& field_id() const { return set_.index.samples.back().id; }
  Dataset& index() { return set_.index; }
  const FieldOptions& options() const { return options_; }
  FieldSet take() { return std::move(set_); }

 private:
  const FieldOptions& options_;
  FieldSet set_;
  // Class and box of each object of the current field.
  std::set<std::tuple<int64_t, float, float, float, float>> seen_;
};

/// Gives the cells of a field the parts of a mask that lie in their boxes. A part in several boxes
/// is shared out, each pixel to the box whose centre is nearest in half sides (mask.shared); parts
/// below 50 pixels are noise (mask.noise); a part of at least 1000 pixels in no box becomes a cell
/// of its own (box.from_mask); cells without a part keep their box alone (mask.missing).
void give_parts(FieldBuilder& builder, const GreyMask& mask, const std::string& name,
                std::vector<RawObject>& cells);

/// One mask per number of a label image, in rising order of numbers.
std::vector<detection::MaskPiece> pieces_of_labels(const std::vector<uint32_t>& labels,
                                                   int64_t height, int64_t width);

/// Gives objects the masks whose tight boxes overlap most with theirs, at least by half, one to
/// one; the others are counted (mask.unmatched).
void give_masks(FieldBuilder& builder, const std::vector<detection::MaskPiece>& masks,
                std::vector<RawObject>& objects);

/// @param prefix  of the ids, where several domains are read
void read_voc_fields(FieldBuilder& builder, const std::string& root, const std::string& domain,
                     const std::string& prefix);
void read_bccd_fields(FieldBuilder& builder, const std::string& root);
void read_wbc_seg_fields(FieldBuilder& builder, const std::string& path);
void read_coco_fields(FieldBuilder& builder, const std::string& file);
void read_labelme_fields(FieldBuilder& builder, const std::string& folder);
void read_label_fields(FieldBuilder& builder, const std::string& folder);

/// The COCO file that a path means; "" if none.
std::string find_coco(const std::string& path);
bool is_voc(const std::string& path);
bool is_labelme(const std::string& path);
/// The folder of masks beside `images`: labels, instances or masks; "" if there is none.
std::string find_label_folder(const std::string& path);

}  // namespace cytograd::layout
