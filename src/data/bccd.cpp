#include <algorithm>
#include <map>

#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"
#include "cytograd/io/voc.h"
#include "data/layout.h"

/// @file
/// BCCD: blood smears with VOC boxes (RBC, WBC, Platelets), a subtype per image in labels.csv, and
/// a mask per image. One sample per box.
///
/// Which subtype a white cell gets:
/// - one label, one WBC box: that label; the same label twice: that label for every box;
/// - a blank label, no row, or two different labels (no file says which box is which): left out
///   under `multi_label` drop, the first label under `first` (never for blanks), a fault under
///   `error`; so also one label for several boxes, since the second cell may be another type;
/// - images without a WBC box have nothing to label. All are counted.

namespace cytograd::layout {

namespace {

class BccdReader {
 public:
  BccdReader(const std::string& root, const DatasetOptions& options)
      : options_(options), root_(root), beside_(parent_of(root)) {}

  Dataset read() {
    dataset_.domains = {"bccd"};
    dataset_.mask_rules.push_back({78, 205, {}, true});
    read_labels();
    for (const std::string& file : list_images(dataset_, join(root_, "BCCD/JPEGImages"), "")) {
      try {
        read_image_boxes(file);
      } catch (const DataError& e) {
        dataset_.faults.push_back(e.fault());
      }
    }
    sort_classes(dataset_);
    return std::move(dataset_);
  }

 private:
  void read_labels() {
    for (const std::string& path : {join(beside_, "BCCD_subtype_labels/labels.csv"),
                                    join(root_, "labels.csv"), join(beside_, "labels.csv")})
      if (label_file_.empty() && is_file(path)) label_file_ = path;
    if (label_file_.empty()) {
      if (options_.objects == "all") return;
      throw DataError({"data.layout", options_.path, "", "no table of subtypes",
                       "BCCD_subtype_labels/labels.csv beside BCCD_Dataset",
                       "or pass --objects all for the classes rbc, wbc, platelet"});
    }
    const CsvTable table = read_csv(label_file_);
    const size_t image = table.column("Image"), category = table.column("Category");
    for (size_t row = 0; row < table.rows(); ++row) {
      try {
        const auto number = parse_int(trim(table.at(row, image)));
        if (!number) table.fail(row, "blank or odd image number", "an integer");
        const auto v = table.value(row, category);
        const std::string label = v ? std::string(*v) : "";
        const auto [it, is_new] = labels_.try_emplace(*number, Label{label, table.line(row)});
        if (!is_new && it->second.text != label)
          table.fail(row, "image " + std::to_string(*number) + " again with another label",
                     "the label of line " + std::to_string(it->second.line), "", "csv.conflict");
      } catch (const DataError& e) {
        dataset_.faults.push_back(e.fault());
      }
    }
  }

  void read_image_boxes(const std::string& file) {
    const std::string name = stem(file);
    const std::string annotation = join(root_, "BCCD/Annotations/" + name + ".xml");
    if (!is_file(annotation)) {
      dataset_.add_note("ann.missing", "images without annotation left out", file);
      return;
    }
    std::vector<VocObject> objects = read_voc(annotation).objects;
    drop_degenerate(objects, annotation);
    const int64_t cells = std::count_if(objects.begin(), objects.end(),
                                        [](const VocObject& o) { return o.name == "WBC"; });
    const std::string subtype = find_subtype(name, file, cells);
    int64_t k = 0;
    for (const VocObject& o : objects) {
      const std::string id = "BCCD/JPEGImages/" + file + "#" + std::to_string(k++);
      const std::string label = class_of(o, subtype, annotation);
      if (label.empty()) continue;
      Sample s;
      s.id = id;
      s.path = join(root_, "BCCD/JPEGImages/" + file);
      s.label = intern(dataset_.classes, label);
      s.group = name;
      s.box = Box{o.x1, o.y1, o.x2, o.y2};
      if (o.name == "WBC") s.mask = find_mask(name);
      dataset_.samples.push_back(std::move(s));
    }
  }

  void drop_degenerate(std::vector<VocObject>& objects, const std::string& annotation) {
    for (size_t i = 0; i < objects.size(); ++i) {
      if (!objects[i].degenerate) continue;
      const std::string place = objects[i].name + " box " + std::to_string(i + 1);
      if (options_.strict)
        dataset_.faults.push_back({"box.degenerate", annotation, place,
                                   "a box of no area, inverted or outside",
                                   "xmin < xmax and ymin < ymax", "left out without --strict"});
      else
        dataset_.add_note("box.degenerate", "boxes of no area, inverted or outside left out",
                          annotation + ": " + place);
    }
    std::erase_if(objects, [](const VocObject& o) { return o.degenerate; });
  }

  // The class of the WBC boxes of one image; "" leaves them out.
  std::string find_subtype(const std::string& name, const std::string& file, int64_t cells) {
    if (label_file_.empty()) return "wbc";
    const size_t digits = name.find_last_not_of("0123456789");
    const auto number = parse_int(name.substr(digits == std::string::npos ? 0 : digits + 1));
    const auto it = number ? labels_.find(*number) : labels_.end();
    if (it == labels_.end()) return note_drop("label.missing", "row of subtypes", file, cells);
    if (it->second.text.empty()) return note_drop("label.blank", "subtype (blank)", file, cells);
    if (cells == 0) {
      dataset_.add_note("box.missing", "labelled images without a WBC box", file);
      return {};
    }
    std::vector<std::string> parts;
    const std::string& text = it->second.text;
    for (size_t at = 0; at <= text.size();) {
      const size_t end = std::min(text.find(',', at), text.size());
      parts.push_back(to_lower_ascii(trim(std::string_view(text).substr(at, end - at))));
      at = end + 1;
    }
    const bool same = std::equal(parts.begin() + 1, parts.end(), parts.begin());
    if (same && (parts.size() > 1 || cells == 1)) return parts[0];
    if (options_.multi_label == "first") {
      dataset_.add_note("csv.multi", "images whose cells got the first of several labels", file);
      return parts[0];
    }
    if (options_.multi_label == "error") {
      dataset_.faults.push_back(
          {"csv.multi", label_file_, "line " + std::to_string(it->second.line),
           "\"" + text + "\" for " + std::to_string(cells) + " cells",
           "one label that holds for every cell", "pass --multi-label first|drop"});
      return {};
    }
    dataset_.add_note("csv.multi",
                      "white cells left out: several labels, or one label for several cells", file,
                      cells);
    return {};
  }

  std::string note_drop(const std::string& id, const std::string& what, const std::string& file,
                        int64_t cells) {
    if (cells > 0)
      dataset_.add_note(id, "white cells without a " + what + " left out", file, cells);
    return {};
  }

  std::string class_of(const VocObject& o, const std::string& subtype,
                       const std::string& annotation) {
    if (o.name == "WBC") return subtype;
    if (o.name != "RBC" && o.name != "Platelets") {
      dataset_.add_note("label.unknown", "boxes of other names left out",
                        annotation + ": " + o.name);
      return {};
    }
    if (options_.objects != "all") return {};
    return o.name == "RBC" ? "rbc" : "platelet";
  }

  std::string find_mask(const std::string& name) {
    std::string number = name.substr(name.find_last_of('_') + 1);
    const std::string path = join(beside_, "BCCD_WBC_masks/BloodImage_Mask_" + number + ".png");
    if (is_file(path)) return path;
    dataset_.add_note("mask.missing", "cells without a mask file", name);
    return {};
  }

  struct Label {
    std::string text;
    int64_t line;
  };
  const DatasetOptions& options_;
  std::string root_, beside_, label_file_;
  Dataset dataset_;
  std::map<int64_t, Label> labels_;
};

}  // namespace

std::string find_bccd(const std::string& path) {
  for (const std::string& root : {path, join(path, "BCCD_Dataset"), parent_of(path)})
    if (is_folder(join(root, "BCCD/Annotations")) && is_folder(join(root, "BCCD/JPEGImages")) &&
        (root != parent_of(path) || base_name(path) == "BCCD"))
      return root;
  return {};
}

Dataset load_bccd(const DatasetOptions& options) {
  const std::string root = find_bccd(options.path);
  if (root.empty())
    throw DataError({"data.layout", options.path, "", "not the layout of bccd",
                     "BCCD/Annotations and BCCD/JPEGImages", ""});
  return BccdReader(root, options).read();
}

}  // namespace cytograd::layout
