#include "cytograd/data/fields.h"

#include <algorithm>
#include <map>

#include "cytograd/io/hash.h"
#include "cytograd/io/text.h"
#include "data/field_builder.h"
#include "data/layout.h"

namespace cytograd {
namespace {

using namespace layout;

const char* const nothing = "nothing";  // the class of fields without objects

// Folders of one field set each: the path, or the domains below it.
std::vector<std::string> voc_roots(const std::string& path) {
  if (is_voc(path)) return {path};
  std::vector<std::string> out;
  if (is_folder(path))
    for (const std::string& name : subfolders(path))
      if (is_voc(join(path, name))) out.push_back(join(path, name));
  return out;
}

std::string recognised(const std::string& path) {
  if (!find_coco(path).empty()) return "coco";
  if (!find_wbc_seg(path).empty()) return "wbc-seg";
  if (!find_bccd(path).empty()) return "bccd";
  if (!voc_roots(path).empty()) return "voc";
  if (!find_label_folder(path).empty()) return "labels";
  if (is_labelme(path)) return "labelme";
  return {};
}

[[noreturn]] void fail_layout(const FieldOptions& options, const std::string& expected) {
  throw DataError(Fault{"data.layout", options.path, "",
                        options.preset == "auto" ? "no layout of annotated fields"
                                                 : "not the layout of " + options.preset,
                        expected, "docs/segmentation.md lists the layouts"});
}

FieldSet load_part(const FieldOptions& options) {
  if (!layout::exists(options.path))
    throw FileError(Fault{"file.missing", options.path, "", "no such file or folder", "", ""});
  std::string preset = options.preset;
  if (preset == "auto") preset = recognised(options.path);
  FieldBuilder builder(options);
  if (preset == "wbc-seg") {
    read_wbc_seg_fields(builder, options.path);
  } else if (preset == "bccd") {
    const std::string root = find_bccd(options.path);
    if (root.empty()) fail_layout(options, "BCCD/Annotations and BCCD/JPEGImages");
    read_bccd_fields(builder, root);
  } else if (preset == "voc") {
    const std::vector<std::string> roots = voc_roots(options.path);
    if (roots.empty()) fail_layout(options, "Annotations and JPEGImages");
    for (const std::string& root : roots)
      read_voc_fields(builder, root, base_name(root),
                      roots.size() > 1 ? base_name(root) + "/" : "");
  } else if (preset == "coco") {
    const std::string file = find_coco(options.path);
    if (file.empty()) fail_layout(options, "a COCO file such as annotations.json");
    read_coco_fields(builder, file);
  } else if (preset == "labels") {
    if (find_label_folder(options.path).empty()) fail_layout(options, "images and labels");
    read_label_fields(builder, options.path);
  } else if (preset == "labelme") {
    if (!is_labelme(options.path)) fail_layout(options, "JSON files beside the images");
    read_labelme_fields(builder, options.path);
  } else if (options.preset == "auto") {
    fail_layout(options, "one of voc, coco, labelme, labels, bccd, wbc-seg");
  } else {
    throw ConfigError(Fault{"cfg", "", "", "preset " + options.preset + " has no objects",
                            "one of auto, voc, coco, labelme, labels, bccd, wbc-seg", ""});
  }
  FieldSet out = builder.take();
  if (out.fields.empty())
    throw DataError(
        Fault{"data.empty", options.path, "", "no annotated field", "at least one", ""});
  return out;
}

// Each field's class for the split: the rarest of its objects.
void label_fields(FieldSet& set) {
  std::vector<int64_t> counts(set.classes.size());
  bool any_empty = false;
  for (const Field& field : set.fields) {
    any_empty = any_empty || field.objects.empty();
    for (const FieldObject& o : field.objects) ++counts[static_cast<size_t>(o.label)];
  }
  set.index.classes = set.classes;
  if (any_empty) set.index.classes.emplace_back(nothing);
  for (size_t n = 0; n < set.fields.size(); ++n) {
    int64_t& label = set.index.samples[n].label;
    label = static_cast<int64_t>(set.classes.size());
    for (const FieldObject& o : set.fields[n].objects)
      if (label == static_cast<int64_t>(set.classes.size()) ||
          counts[static_cast<size_t>(o.label)] < counts[static_cast<size_t>(label)])
        label = o.label;
  }
}

std::vector<int64_t> counts_of(const FieldSet& set, const std::vector<int64_t>& part,
                               bool with_mask) {
  std::vector<int64_t> out(set.classes.size());
  for (const int64_t i : part)
    for (const FieldObject& o : set.fields[static_cast<size_t>(i)].objects)
      if (!o.crowd && (!with_mask || o.has_mask())) ++out[static_cast<size_t>(o.label)];
  return out;
}

}  // namespace

const std::vector<std::string>& all_preset_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> out = preset_names();
    out.insert(out.end(), {"voc", "coco", "labelme", "labels"});
    return out;
  }();
  return names;
}

FieldSet load_fields(const FieldOptions& options) { return load_field_sets({options}); }

FieldSet load_field_sets(const std::vector<FieldOptions>& options) {
  check<ConfigError>(!options.empty(), "data", "expected at least one data set");
  FieldSet out;
  std::vector<Dataset> indices;
  for (const FieldOptions& o : options) {
    FieldSet part = load_part(o);
    std::vector<int64_t> label_of;
    for (const std::string& name : part.classes) label_of.push_back(intern(out.classes, name));
    for (Field& field : part.fields) {
      for (FieldObject& object : field.objects)
        object.label = label_of[static_cast<size_t>(object.label)];
      out.fields.push_back(std::move(field));
    }
    indices.push_back(std::move(part.index));
  }
  if (out.classes.empty() && std::all_of(indices.begin(), indices.end(),
                                         [](const Dataset& d) { return d.faults.empty(); }))
    throw DataError(Fault{"data.empty", options[0].path, "", "no object in any field",
                          "at least one box", "--objects all takes more of bccd"});
  // Equal lists of classes, so that the joined list keeps their order.
  for (Dataset& index : indices) index.classes = {nothing};
  out.index = indices.size() == 1 ? std::move(indices[0]) : combine(std::move(indices));
  label_fields(out);
  return out;
}

std::vector<int64_t> FieldSet::object_counts(const std::vector<int64_t>& part) const {
  return counts_of(*this, part, false);
}

std::vector<int64_t> FieldSet::mask_counts(const std::vector<int64_t>& part) const {
  return counts_of(*this, part, true);
}

std::string FieldSet::annotation_hash() const {
  Xxh3Stream hash;
  const auto add = [&hash](const std::string& text) { hash.update(text.data(), text.size()); };
  for (const std::string& name : classes) add(name + "\n");
  for (size_t n = 0; n < fields.size(); ++n) {
    add(index.samples[n].id + "\n");
    for (const FieldObject& o : fields[n].objects) {
      std::string line = std::to_string(o.label);
      for (const float v : {o.box.x1, o.box.y1, o.box.x2, o.box.y2}) line += " " + format_float(v);
      for (const int64_t v : {o.mask.x, o.mask.y, o.mask.width, o.mask.height})
        line += " " + std::to_string(v);
      add(line + (o.crowd ? " crowd\n" : "\n"));
      hash.update(o.mask.values.data(), o.mask.values.size());
    }
  }
  return hash.digest();
}

void keep_fields(FieldSet& set, const Dataset& index) {
  std::map<std::string, size_t> places;
  for (size_t n = 0; n < set.fields.size(); ++n) places.emplace(set.index.samples[n].id, n);
  std::vector<Field> kept;
  for (const Sample& sample : index.samples) {
    const auto at = places.find(sample.id);
    if (at == places.end())
      throw InternalError("keep_fields: a sample that is no field: " + sample.id);
    kept.push_back(std::move(set.fields[at->second]));
  }
  set.fields = std::move(kept);
  set.index = index;
}

int64_t map_field_classes(FieldSet& set, const std::vector<std::string>& classes, bool drop) {
  std::vector<int64_t> to(set.classes.size(), -1);
  std::string unknown;
  bool any = false;
  for (size_t c = 0; c < set.classes.size(); ++c) {
    const auto found = std::find(classes.begin(), classes.end(), escape_control(set.classes[c]));
    if (found != classes.end()) {
      to[c] = found - classes.begin();
      any = true;
    } else {
      unknown += (unknown.empty() ? "" : ", ") + escape_control(set.classes[c]);
    }
  }
  if (!any || (!unknown.empty() && !drop)) {
    std::string known;
    for (const std::string& name : classes) known += (known.empty() ? "" : ", ") + name;
    throw DataError(Fault{
        "class.unknown", "", "", "objects of classes that the model does not know: " + unknown,
        "classes among " + known, "pass --unknown-classes drop to leave them out"});
  }
  int64_t dropped = 0;
  for (Field& field : set.fields) {
    for (FieldObject& o : field.objects) o.label = to[static_cast<size_t>(o.label)];
    dropped += static_cast<int64_t>(
        std::erase_if(field.objects, [](const FieldObject& o) { return o.label < 0; }));
  }
  set.classes = classes;
  label_fields(set);
  return dropped;
}

std::vector<detection::CocoObject> coco_objects(const Field& field, detection::CocoKind kind) {
  const bool masks = kind == detection::CocoKind::mask;
  std::vector<detection::CocoObject> out;
  for (const FieldObject& o : field.objects) {
    detection::CocoObject object;
    object.category = o.label + 1;
    object.box = {o.box.x1, o.box.y1, o.box.width(), o.box.height()};
    object.area = o.has_mask() ? static_cast<double>(detection::area(o.mask))
                               : static_cast<double>(o.box.area());
    object.crowd = o.crowd || (masks && !o.has_mask());
    if (masks && o.has_mask()) {
      object.mask = detection::rle_of(o.mask, field.height, field.width);
    } else if (masks) {
      const std::vector<double> corners = {o.box.x1, o.box.y1, o.box.x2, o.box.y1,
                                           o.box.x2, o.box.y2, o.box.x1, o.box.y2};
      object.mask = detection::rle_from_polygon(corners, field.height, field.width);
    }
    out.push_back(std::move(object));
  }
  return out;
}

}  // namespace cytograd
