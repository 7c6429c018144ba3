#include <algorithm>
#include <map>
#include <set>

#include "cytograd/io/coco.h"
#include "cytograd/io/labelme.h"
#include "data/field_builder.h"
#include "data/layout.h"

/// @file
/// Fields that are annotated in JSON: COCO and LabelMe.

namespace cytograd::layout {
namespace {

using detection::Box;
using detection::MaskPiece;

}  // namespace

std::string find_coco(const std::string& path) {
  if (is_file(path)) return path.ends_with(".json") ? path : "";
  for (const char* name : {"annotations.json", "instances.json", "_annotations.coco.json",
                           "annotations/instances.json", "annotations/instances_default.json"})
    if (is_file(join(path, name))) return join(path, name);
  return {};
}

namespace {

// A name in a file must stay below the folder of images.
std::string coco_image(const std::string& file, const std::string& name) {
  bool outside = name.empty() || name[0] == '/';
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    outside = outside || name.substr(begin, end - begin) == "..";
    begin = end + 1;
  }
  if (outside)
    throw DataError({"ann.coco", file, "images", "file_name " + escape_control(name),
                     "a name below the folder of images", ""});
  const std::string folder = parent_of(file);
  for (const std::string& base :
       {folder, join(folder, "images"), join(parent_of(folder), "images"), parent_of(folder)})
    if (is_file(join(base, name))) return join(base, name);
  return join(folder, name);
}

RawObject coco_object(const CocoAnnotation& a, const CocoFile& coco, size_t number) {
  RawObject out;
  out.name = coco.categories.at(a.category);
  out.box = box_of(a.box.x, a.box.y, a.box.x + a.box.w, a.box.y + a.box.h);
  out.crowd = a.crowd;
  out.place = "annotation " + std::to_string(number);
  if (a.has_mask()) out.mask = detection::piece_of(mask_of(a, coco.images[a.image]));
  return out;
}

}  // namespace

void read_coco_fields(FieldBuilder& builder, const std::string& file) {
  const CocoFile coco = read_coco(file);
  builder.begin_domain(base_name(parent_of(file)), MaskRule{});
  std::set<std::string> names;
  std::vector<std::vector<size_t>> of_image(coco.images.size());
  for (size_t i = 0; i < coco.annotations.size(); ++i)
    of_image[coco.annotations[i].image].push_back(i);
  for (size_t n = 0; n < coco.images.size(); ++n) {
    const CocoFileImage& image = coco.images[n];
    if (!names.insert(image.file_name).second)
      throw DataError({"ann.coco", file, "image " + std::to_string(n),
                       "file_name " + escape_control(image.file_name) + " again",
                       "a name of its own", ""});
    builder.begin_field(image.file_name, coco_image(file, image.file_name));
    if (!builder.same_size(image.height, image.width, "ann.coco", file)) continue;
    if (builder.field().height == 0) continue;
    for (const size_t i : of_image[n]) {
      const CocoAnnotation& a = coco.annotations[i];
      const RawObject object = coco_object(a, coco, i);
      if (a.has_mask() && object.mask.empty())
        builder.note("mask.empty", "objects whose masks are empty, which train boxes only",
                     builder.field_id() + ": " + object.place);
      builder.add(object);
    }
  }
}

bool is_labelme(const std::string& path) {
  if (!is_folder(path)) return false;
  Dataset unused;
  for (const std::string& image : list_images(unused, path, ""))
    if (is_file(join(path, image.substr(0, image.find_last_of('.')) + ".json"))) return true;
  return false;
}

namespace {

// Shapes of one label and group are one object; a rectangle alone has no mask.
std::vector<RawObject> labelme_objects(FieldBuilder& builder, const LabelMeFile& file) {
  std::vector<RawObject> out;
  std::map<std::pair<std::string, int64_t>, size_t> groups;
  const Field& field = builder.field();
  for (size_t i = 0; i < file.shapes.size(); ++i) {
    const LabelMeShape& shape = file.shapes[i];
    const std::vector<double> outline = outline_of(shape);
    if (outline.empty()) {
      builder.note("ann.shape", "shapes that are no areas left out",
                   builder.field_id() + ": " + shape.type);
      continue;
    }
    Box box = box_of(outline[0], outline[1], outline[0], outline[1]);
    for (size_t k = 0; k < outline.size(); k += 2) {
      const auto x = static_cast<float>(outline[k]), y = static_cast<float>(outline[k + 1]);
      box = {std::min(box.x1, x), std::min(box.y1, y), std::max(box.x2, x), std::max(box.y2, y)};
    }
    MaskPiece mask;
    if (shape.type != "rectangle")
      mask = detection::piece_of(detection::rle_from_polygon(outline, field.height, field.width));
    const auto key = std::pair(shape.label, shape.group.value_or(0));
    const auto known = shape.group ? groups.find(key) : groups.end();
    if (known == groups.end()) {
      if (shape.group) groups.emplace(key, out.size());
      out.push_back({shape.label, box, mask, false, "shape " + std::to_string(i)});
      continue;
    }
    RawObject& object = out[known->second];
    object.box = {std::min(object.box.x1, box.x1), std::min(object.box.y1, box.y1),
                  std::max(object.box.x2, box.x2), std::max(object.box.y2, box.y2)};
    object.mask = detection::joined(object.mask, mask);
  }
  return out;
}

}  // namespace

void read_labelme_fields(FieldBuilder& builder, const std::string& folder) {
  builder.begin_domain(base_name(folder), MaskRule{});
  for (const std::string& image : list_images(builder.index(), folder, "")) {
    const std::string annotation = join(folder, image.substr(0, image.find_last_of('.')) + ".json");
    if (!is_file(annotation)) {
      builder.note("ann.missing", "images without annotation left out", image);
      continue;
    }
    builder.begin_field(image, join(folder, image));
    try {
      const LabelMeFile file = read_labelme(annotation);
      if (!builder.same_size(file.height, file.width, "ann.labelme", annotation)) continue;
      if (builder.field().height == 0) continue;
      for (const RawObject& object : labelme_objects(builder, file)) builder.add(object);
    } catch (const IoError& e) {
      builder.fault(e.fault());
    }
  }
}

}  // namespace cytograd::layout
