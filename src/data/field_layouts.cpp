#include <algorithm>
#include <map>
#include <set>

#include "cytograd/io/file.h"
#include "cytograd/io/label_image.h"
#include "cytograd/io/text.h"
#include "cytograd/io/voc.h"
#include "data/field_builder.h"
#include "data/layout.h"
#include "data/mask_rule.h"

/// @file
/// Layouts of annotated fields.

namespace cytograd::layout {
namespace {

using detection::Box;
using detection::MaskPiece;

std::string numbered(const std::string& name, size_t i) {
  return name + " " + std::to_string(i + 1);
}

std::vector<RawObject> objects_of(const VocAnnotation& annotation) {
  std::vector<RawObject> out;
  for (size_t i = 0; i < annotation.objects.size(); ++i) {
    const VocObject& o = annotation.objects[i];
    // In whole pixels that count from 1, a box of no area still has a side of one pixel.
    const Box box = o.degenerate ? Box{} : box_of(o.x1, o.y1, o.x2, o.y2);
    out.push_back({o.name, box, {}, false, numbered(o.name, i)});
  }
  return out;
}

// Of data that name white cells, these alone unless all are asked for.
bool wanted(FieldBuilder& builder, const RawObject& object) {
  static const std::set<std::string> others = {"RBC", "Platelets"};
  if (builder.options().objects == "all" || !others.contains(object.name)) return true;
  builder.note("label.dropped", "boxes of red cells and platelets left out: --objects all",
               builder.field_id());
  return false;
}

void add_all(FieldBuilder& builder, const std::vector<RawObject>& objects) {
  for (const RawObject& object : objects)
    if (wanted(builder, object)) builder.add(object);
}

// The annotation of the current field; nothing, with a fault, if it cannot be read or belongs to an
// image of another size.
std::optional<VocAnnotation> voc_of(FieldBuilder& builder, const std::string& file) {
  try {
    VocAnnotation out = read_voc(file);
    if (!builder.same_size(out.height, out.width, "ann.xml", file)) return {};
    return out;
  } catch (const IoError& e) {
    builder.fault(e.fault());
    return {};
  }
}

// Part of each image by ImageSets/Main, by the names without extension.
std::map<std::string, std::string> image_sets(const std::string& root) {
  std::map<std::string, std::string> out;
  for (const char* part : {"train", "val", "test"}) {
    const std::string path = join(root, std::string("ImageSets/Main/") + part + ".txt");
    if (!is_file(path)) continue;
    const std::string text = read_file(path);
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      const std::string name(trim(std::string_view(text).substr(begin, end - begin)));
      if (!name.empty()) out.try_emplace(name, part);
      begin = end + 1;
    }
  }
  return out;
}

std::string label_file(const std::string& folder, const std::string& name) {
  for (const char* extension : {".png", ".tif", ".tiff"})
    if (const std::string path = join(folder, name + extension); is_file(path)) return path;
  return {};
}

// Numbers of objects, of the size of the current field.
std::vector<MaskPiece> read_pieces(FieldBuilder& builder, const std::string& path) {
  try {
    const LabelImage image = read_labels(path);
    if (!builder.same_size(image.height, image.width, "mask.size", path)) return {};
    return pieces_of_labels(image.labels, image.height, image.width);
  } catch (const IoError& e) {
    builder.fault(e.fault());
    return {};
  }
}

std::vector<RawObject> white_cells(const std::vector<RawObject>& objects) {
  std::vector<RawObject> out;
  for (const RawObject& o : objects)
    if (o.name == "WBC") out.push_back(o);
  return out;
}

}  // namespace

bool is_voc(const std::string& path) {
  return is_folder(join(path, "Annotations")) && is_folder(join(path, "JPEGImages"));
}

void read_voc_fields(FieldBuilder& builder, const std::string& root, const std::string& domain,
                     const std::string& prefix) {
  DatasetOptions rule_options;
  rule_options.mask_threshold = builder.options().mask_threshold;
  rule_options.mask_map = builder.options().mask_map;
  builder.begin_domain(domain, mask_rule_of(rule_options).value_or(MaskRule{}));
  const std::map<std::string, std::string> sets = image_sets(root);
  const bool outlined = is_folder(join(root, "instances"));
  for (const std::string& file : list_images(builder.index(), join(root, "JPEGImages"), "")) {
    const std::string name = stem(file), annotation = join(root, "Annotations/" + name + ".xml");
    if (!is_file(annotation)) {
      builder.note("ann.missing", "images without annotation left out", file);
      continue;
    }
    const auto part = sets.find(name);
    builder.begin_field(prefix + "JPEGImages/" + file, join(root, "JPEGImages/" + file), "",
                        part == sets.end() ? "" : part->second);
    const auto voc = voc_of(builder, annotation);
    if (!voc || builder.field().height == 0) continue;
    std::vector<RawObject> objects = objects_of(*voc);
    const std::string numbers = label_file(join(root, "instances"), name);
    if (!numbers.empty())
      give_masks(builder, read_pieces(builder, numbers), objects);
    else if (outlined && !objects.empty())
      builder.note("mask.missing", "objects of fields without a file of masks", name,
                   static_cast<int64_t>(objects.size()));
    add_all(builder, objects);
    const std::string mask = label_file(join(root, "masks"), name);
    if (mask.empty() || !builder.options().nucleus) continue;
    if (const auto grey = builder.read_mask(mask)) builder.add_nuclei(white_cells(objects), *grey);
  }
}

void read_bccd_fields(FieldBuilder& builder, const std::string& root) {
  builder.begin_domain("bccd", {78, 205, {}, true});
  const std::string folder = join(root, "BCCD/JPEGImages"),
                    beside = join(parent_of(root), "BCCD_WBC_masks"),
                    masks = is_folder(beside) ? beside : join(root, "BCCD_WBC_masks");
  for (const std::string& file : list_images(builder.index(), folder, "")) {
    const std::string name = stem(file),
                      annotation = join(root, "BCCD/Annotations/" + name + ".xml");
    if (!is_file(annotation)) {
      builder.note("ann.missing", "images without annotation left out", file);
      continue;
    }
    builder.begin_field("BCCD/JPEGImages/" + file, join(folder, file));
    const auto voc = voc_of(builder, annotation);
    if (!voc || builder.field().height == 0) continue;
    // Boxes without area share no mask.
    std::vector<RawObject> cells, others;
    for (RawObject& o : objects_of(*voc)) {
      const bool cell = o.name == "WBC" && o.box.width() > 0 && o.box.height() > 0;
      (cell ? cells : others).push_back(std::move(o));
    }
    const std::string number = name.substr(name.find_last_of('_') + 1);
    const std::string mask = join(masks, "BloodImage_Mask_" + number + ".png");
    std::optional<GreyMask> grey;
    if (is_file(mask)) grey = builder.read_mask(mask);
    if (grey)
      give_parts(builder, *grey, "WBC", cells);
    else if (!cells.empty())
      builder.note("mask.missing", "cells without a mask", name,
                   static_cast<int64_t>(cells.size()));
    add_all(builder, cells);
    add_all(builder, others);
    if (grey) builder.add_nuclei(cells, *grey);
  }
}

void read_wbc_seg_fields(FieldBuilder& builder, const std::string& path) {
  DatasetOptions options;
  options.path = path;
  const Dataset cells = load_wbc_seg(options);
  for (const Note& n : cells.notes)
    builder.note(n.id, n.text, n.examples.empty() ? "" : n.examples[0], n.count);
  for (const Fault& f : cells.faults) builder.fault(f);
  for (size_t d = 0; d < cells.domains.size(); ++d) {
    builder.begin_domain(cells.domains[d], cells.mask_rules[d]);
    builder.index().stains.back() = cells.stain_of(d);
    for (const Sample& s : cells.samples) {
      if (s.domain != static_cast<int64_t>(d)) continue;
      builder.begin_field(s.id, s.path);
      if (s.mask.empty() || builder.field().height == 0) continue;
      const auto grey = builder.read_mask(s.mask);
      if (!grey) continue;
      // Exactly one cell per image: its largest part.
      MaskPiece cell;
      int64_t most = 0, parts = 0;
      for (MaskPiece& part : detection::connected_parts(grey->cell, grey->height, grey->width)) {
        ++parts;
        if (const int64_t pixels = detection::area(part); pixels > most) {
          most = pixels;
          cell = std::move(part);
        }
      }
      if (parts == 0) builder.note("mask.empty", "masks without a cell", s.id);
      if (parts > 1) builder.note("mask.noise", "smaller parts of masks left out", s.id, parts - 1);
      if (parts == 0) continue;
      const RawObject object{"WBC", detection::bounds(cell), cell, false, "the cell"};
      builder.add(object);
      builder.add_nuclei({object}, *grey);
    }
  }
}

std::string find_label_folder(const std::string& path) {
  if (!is_folder(join(path, "images"))) return {};
  for (const char* name : {"labels", "instances", "masks"})
    if (is_folder(join(path, name))) return join(path, name);
  return {};
}

namespace {

// Every part of a mask is a cell.
std::vector<RawObject> cells_of_parts(FieldBuilder& builder, const GreyMask& mask) {
  constexpr int64_t noise_area = 50;
  std::vector<RawObject> out;
  for (MaskPiece& part : detection::connected_parts(mask.cell, mask.height, mask.width)) {
    if (detection::area(part) < noise_area) {
      builder.note("mask.noise", "parts of masks below 50 pixels left out", builder.field_id());
      continue;
    }
    const Box box = detection::bounds(part);
    out.emplace_back(RawObject{"cell", box, std::move(part), false, numbered("part", out.size())});
  }
  return out;
}

}  // namespace

void read_label_fields(FieldBuilder& builder, const std::string& folder) {
  DatasetOptions rule_options;
  rule_options.mask_threshold = builder.options().mask_threshold;
  rule_options.mask_map = builder.options().mask_map;
  const auto rule = mask_rule_of(rule_options);
  builder.begin_domain(base_name(folder), rule.value_or(MaskRule{}));
  const std::string labels = find_label_folder(folder), images = join(folder, "images");
  for (const std::string& image : list_images(builder.index(), images, "")) {
    const std::string mask = label_file(labels, image.substr(0, image.find_last_of('.')));
    if (mask.empty()) {
      builder.note("ann.missing", "images without annotation left out", image);
      continue;
    }
    builder.begin_field(image, join(images, image));
    if (builder.field().height == 0) continue;
    std::vector<RawObject> cells;
    std::optional<GreyMask> grey;
    if (rule) {
      grey = builder.read_mask(mask);
      if (grey) cells = cells_of_parts(builder, *grey);
    } else {
      for (MaskPiece& piece : read_pieces(builder, mask))
        cells.emplace_back(RawObject{"cell", detection::bounds(piece), std::move(piece), false,
                                     numbered("mask", cells.size())});
    }
    for (const RawObject& cell : cells) builder.add(cell);
    if (grey) builder.add_nuclei(cells, *grey);
  }
}

}  // namespace cytograd::layout
