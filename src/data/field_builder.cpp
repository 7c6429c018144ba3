#include "data/field_builder.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "cytograd/io/file.h"
#include "cytograd/io/image.h"

namespace cytograd::layout {
namespace {

using detection::Box;
using detection::MaskPiece;

constexpr float smallest_area = 16;  // square pixels of an object's box
constexpr int64_t noise_area = 50;   // of a part of a mask
constexpr int64_t cell_area = 1000;  // of a part without a box that is a cell
constexpr double part_in_box = 0.3;  // share of a box that a part of a mask fills

int64_t find_class(std::vector<std::string>& classes, const std::string& name) {
  const auto it = std::find(classes.begin(), classes.end(), name);
  if (it != classes.end()) return it - classes.begin();
  classes.push_back(name);
  return static_cast<int64_t>(classes.size()) - 1;
}

}  // namespace

void FieldBuilder::begin_domain(const std::string& name, const MaskRule& rule) {
  set_.index.domains.push_back(name);
  set_.index.mask_rules.push_back(rule);
  set_.index.stains.emplace_back();
}

void FieldBuilder::begin_field(const std::string& id, const std::string& path,
                               const std::string& group, const std::string& split) {
  Sample sample;
  sample.id = id;
  sample.path = path;
  sample.domain = static_cast<int64_t>(set_.index.domains.size()) - 1;
  sample.group = group;
  sample.split = split;
  set_.index.samples.push_back(std::move(sample));
  Field& field = set_.fields.emplace_back();
  seen_.clear();
  try {
    const std::string bytes = read_file(path, max_image_file_bytes);
    ImageOptions image;
    image.max_pixels = options_.max_pixels;
    const ImageInfo info = probe_image(bytes, path, image);
    field.height = info.height;
    field.width = info.width;
  } catch (const IoError&) {
    // The scan, which decodes every image, says what is wrong with this one.
  }
}

void FieldBuilder::add(const RawObject& object) {
  Field& f = field();
  if (f.height == 0) return;
  const std::string example = field_id() + ": " + object.place;
  const Box box = detection::clip(object.box, f.height, f.width);
  if (!detection::finite(object.box) || !(box.width() > 0 && box.height() > 0)) {
    if (options_.strict)
      fault({"box.degenerate", index().samples.back().path, object.place,
             "a box of no area, inverted or outside", "x1 < x2 and y1 < y2 inside the image",
             "left out without --strict"});
    else
      note("box.degenerate", "boxes of no area, inverted or outside left out", example);
    return;
  }
  if (!(box == object.box)) note("box.clipped", "boxes cut at the border of the image", example);
  if (box.area() < smallest_area) {
    note("box.small", "objects of less than 16 square pixels left out", example);
    return;
  }
  FieldObject out{find_class(set_.classes, object.name), box,
                  detection::cut(object.mask, 0, 0, f.height, f.width), object.crowd};
  if (!seen_.emplace(out.label, box.x1, box.y1, box.x2, box.y2).second) {
    note("box.duplicate", "objects with the class and box of another one left out", example);
    return;
  }
  if (out.crowd) note("ann.crowd", "groups of objects, which are not trained on", example);
  f.objects.push_back(std::move(out));
}

void FieldBuilder::add_nuclei(const std::vector<RawObject>& cells, const GreyMask& mask) {
  if (!options_.nucleus) return;
  for (const RawObject& cell : cells) {
    MaskPiece nucleus = cell.mask;
    for (int64_t i = 0; i < nucleus.height; ++i)
      for (int64_t j = 0; j < nucleus.width; ++j)
        if (mask.nucleus[static_cast<size_t>((nucleus.y + i) * mask.width + nucleus.x + j)] == 0)
          nucleus.values[static_cast<size_t>(i * nucleus.width + j)] = 0;
    nucleus = detection::tight(nucleus);
    if (nucleus.empty()) continue;
    add({"nucleus", detection::bounds(nucleus), nucleus, false, "nucleus of " + cell.place});
  }
}

bool FieldBuilder::same_size(int64_t height, int64_t width, const std::string& id,
                             const std::string& file) {
  const Field& f = field();
  const bool unknown = f.height == 0 || height == 0 || width == 0;
  if (unknown || (height == f.height && width == f.width)) return true;
  fault({id, file, "size", std::to_string(width) + " x " + std::to_string(height) + " pixels",
         std::to_string(f.width) + " x " + std::to_string(f.height) + ", the size of " + field_id(),
         "nothing is resized silently"});
  return false;
}

std::optional<GreyMask> FieldBuilder::read_mask(const std::string& path) {
  const MaskRule& rule = index().mask_rules.back();
  Image image;
  try {
    ImageOptions how;
    how.form = PixelForm::keep;
    how.max_pixels = options_.max_pixels;
    image = read_image(path, how);
  } catch (const IoError& e) {
    fault(e.fault());
    return {};
  }
  if (!same_size(image.height, image.width, "mask.size", path)) return {};
  GreyMask out{image.height, image.width, {}, {}};
  const auto pixels = static_cast<size_t>(image.height * image.width);
  out.cell.resize(pixels);
  out.nucleus.resize(pixels);
  std::array<int64_t, 256> counts{};
  const uint8_t* p = image.pixels.data();
  for (size_t i = 0; i < pixels; ++i, p += image.channels) {
    const int grey = image.channels == 1 ? p[0] : (p[0] + p[1] + p[2] + 1) / 3;
    ++counts[static_cast<size_t>(grey)];
    const MaskPart part = mask_part(rule, grey);
    out.cell[i] = part != MaskPart::background ? 1 : 0;
    out.nucleus[i] = part == MaskPart::nucleus ? 1 : 0;
  }
  int64_t stray = 0;
  std::string values;
  for (int v = 0; v < 256; ++v) {
    const int64_t count = counts[static_cast<size_t>(v)];
    if (rule.values.empty() || count == 0 ||
        std::find(rule.values.begin(), rule.values.end(), v) != rule.values.end())
      continue;
    if (stray == 0) values = std::to_string(v) + " (" + std::to_string(count) + " pixels)";
    stray += count;
  }
  if (stray > 0 && !rule.tolerate_stray) {
    fault({"mask.values", path, "",
           "value " + values + ", " + std::to_string(stray) + " pixels of undeclared values in all",
           "only declared values",
           "pass --mask-threshold CELL[,NUCLEUS] or --mask-map VALUE=PART,..."});
    return {};
  }
  if (stray > 0) note("mask.values", "masks with stray values, read by threshold", path);
  return out;
}

namespace {

// The cells in whose boxes a part lies.
std::vector<size_t> boxes_of_part(const MaskPiece& part, const std::vector<RawObject>& cells) {
  std::vector<size_t> out;
  for (size_t i = 0; i < cells.size(); ++i) {
    const Box& box = cells[i].box;
    const auto inside = static_cast<double>(detection::area_within(part, box));
    if (inside >= part_in_box * static_cast<double>(box.area())) out.push_back(i);
  }
  return out;
}

// The pixels of a part that are nearer to this cell's centre, in half sides, than to the others'.
MaskPiece share_of(const MaskPiece& part, size_t mine, const std::vector<size_t>& sharers,
                   const std::vector<RawObject>& cells) {
  const auto distance = [&cells](size_t cell, int64_t row, int64_t column) {
    const Box& b = cells[cell].box;
    const float x = (static_cast<float>(column) + 0.5f - (b.x1 + b.x2) / 2) / b.width(),
                y = (static_cast<float>(row) + 0.5f - (b.y1 + b.y2) / 2) / b.height();
    return x * x + y * y;
  };
  MaskPiece out = part;
  for (int64_t i = 0; i < part.height; ++i)
    for (int64_t j = 0; j < part.width; ++j) {
      size_t nearest = sharers[0];
      for (const size_t cell : sharers)
        if (distance(cell, part.y + i, part.x + j) < distance(nearest, part.y + i, part.x + j))
          nearest = cell;
      if (nearest != mine) out.values[static_cast<size_t>(i * part.width + j)] = 0;
    }
  return detection::tight(out);
}

}  // namespace

void give_parts(FieldBuilder& builder, const GreyMask& mask, const std::string& name,
                std::vector<RawObject>& cells) {
  const std::string id = builder.field_id();
  std::vector<RawObject> found;
  for (const MaskPiece& part : detection::connected_parts(mask.cell, mask.height, mask.width)) {
    if (detection::area(part) < noise_area) {
      builder.note("mask.noise", "parts of masks below 50 pixels left out", id);
      continue;
    }
    const std::vector<size_t> in = boxes_of_part(part, cells);
    if (in.size() > 1) builder.note("mask.shared", "masks shared out among touching cells", id);
    for (const size_t i : in)
      cells[i].mask =
          detection::joined(cells[i].mask, in.size() == 1 ? part : share_of(part, i, in, cells));
    if (!in.empty()) continue;
    if (detection::area(part) >= cell_area) {
      builder.note("box.from_mask", "cells with a mask and no box, which got its box", id);
      found.push_back(
          {name, detection::bounds(part), part, false,
           "part of the mask at " + std::to_string(part.x) + ", " + std::to_string(part.y)});
    } else {
      builder.note("mask.unmatched", "parts of masks in no box left out", id);
    }
  }
  for (const RawObject& cell : cells)
    if (cell.mask.empty()) builder.note("mask.missing", "cells without a mask", id);
  cells.insert(cells.end(), found.begin(), found.end());
}

std::vector<MaskPiece> pieces_of_labels(const std::vector<uint32_t>& labels, int64_t height,
                                        int64_t width) {
  check<ValueError>(static_cast<int64_t>(labels.size()) == height * width, "pieces_of_labels",
                    "expects ", height, " x ", width, " numbers, got ", labels.size());
  struct Ends {
    int64_t y1, x1, y2, x2;
  };
  std::map<uint32_t, Ends> ends;
  for (int64_t i = 0; i < height; ++i)
    for (int64_t j = 0; j < width; ++j) {
      const uint32_t number = labels[static_cast<size_t>(i * width + j)];
      if (number == 0) continue;
      Ends& e = ends.try_emplace(number, Ends{i, j, i, j}).first->second;
      e = {std::min(e.y1, i), std::min(e.x1, j), std::max(e.y2, i), std::max(e.x2, j)};
    }
  std::vector<MaskPiece> out;
  for (const auto& entry : ends) {
    const Ends& e = entry.second;
    MaskPiece piece{e.x1, e.y1, e.x2 - e.x1 + 1, e.y2 - e.y1 + 1, {}};
    piece.values.reserve(static_cast<size_t>(piece.width * piece.height));
    for (int64_t i = e.y1; i <= e.y2; ++i)
      for (int64_t j = e.x1; j <= e.x2; ++j)
        piece.values.push_back(labels[static_cast<size_t>(i * width + j)] == entry.first ? 1 : 0);
    out.push_back(std::move(piece));
  }
  return out;
}

void give_masks(FieldBuilder& builder, const std::vector<MaskPiece>& masks,
                std::vector<RawObject>& objects) {
  struct Pairing {
    float overlap;
    size_t mask, object;
  };
  std::vector<Pairing> pairs;
  std::vector<Box> boxes;
  for (const MaskPiece& mask : masks) boxes.push_back(detection::bounds(mask));
  for (size_t m = 0; m < masks.size(); ++m)
    for (size_t o = 0; o < objects.size(); ++o)
      if (const float v = detection::overlap(boxes[m], objects[o].box); v >= 0.5f)
        pairs.push_back({v, m, o});
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pairing& a, const Pairing& b) { return a.overlap > b.overlap; });
  std::vector<uint8_t> used(masks.size(), 0);
  for (const Pairing& pair : pairs) {
    if (used[pair.mask] != 0 || !objects[pair.object].mask.empty()) continue;
    used[pair.mask] = 1;
    objects[pair.object].mask = masks[pair.mask];
  }
  const int64_t left = std::count(used.begin(), used.end(), 0);
  if (left > 0)
    builder.note("mask.unmatched", "masks that no object has", builder.field_id(), left);
}

}  // namespace cytograd::layout
