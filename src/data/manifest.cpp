#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>

#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "data/layout.h"

namespace cytograd::layout {

namespace {

const std::vector<std::string> known_columns = {"path",
                                                "label",
                                                "domain",
                                                "group",
                                                "split",
                                                "mask",
                                                "x1",
                                                "y1",
                                                "x2",
                                                "y2",
                                                "microns_per_pixel",
                                                "stain"};

class ManifestReader {
 public:
  explicit ManifestReader(const DatasetOptions& options)
      : options_(options), folder_(parent_of(options.path)), table_(read_csv(options.path)) {}

  Dataset read() {
    path_ = table_.column("path");
    label_ = table_.column("label");
    for (const std::string& name : table_.header())
      if (std::find(known_columns.begin(), known_columns.end(), name) == known_columns.end()) {
        const std::string near = nearest_name(name, known_columns);
        dataset_.add_note("csv.column", "columns that are not used",
                          name + (near.empty() ? "" : " (did you mean " + near + "?)"));
      }
    for (size_t row = 0; row < table_.rows(); ++row) {
      try {
        read_row(row);
      } catch (const DataError& e) {
        dataset_.faults.push_back(e.fault());
      }
    }
    note_unlisted();
    if (dataset_.domains.empty()) dataset_.domains.push_back(default_domain());
    dataset_.mask_rules.resize(dataset_.domains.size());
    sort_classes(dataset_);
    return std::move(dataset_);
  }

 private:
  std::string default_domain() const { return stem(base_name(options_.path)); }

  std::string text(size_t row, const char* column) const {
    const auto c = table_.find_column(column);
    const auto v = c ? table_.value(row, *c) : std::nullopt;
    return v ? std::string(*v) : std::string();
  }

  // A path in the file is relative to the file.
  std::string locate(const std::string& path) const {
    return std::filesystem::path(path).is_absolute() ? path : join(folder_, path);
  }

  void read_row(size_t row) {
    Sample s;
    const std::string path(table_.at(row, path_));
    if (path.empty()) table_.fail(row, "blank path", "an image file");
    s.path = locate(path);
    if (!is_file(s.path))
      table_.fail(row, "no file \"" + path + "\"", "the image beside this table", "", "csv.absent");
    const std::string label = read_label(row);
    if (label.empty()) return;
    s.box = read_box(row);
    if (s.box && !keep_box(row, *s.box)) return;
    s.split = read_split(row);
    s.group = text(row, "group");
    s.mask = text(row, "mask");
    if (!s.mask.empty()) {
      s.mask = locate(s.mask);
      if (!is_file(s.mask))
        table_.fail(row, "no mask file \"" + s.mask + "\"", "the mask of this image", "",
                    "csv.absent");
    }
    s.microns_per_pixel = read_scale(row);
    if (is_duplicate(row, path, s, label)) return;
    const int64_t k = boxes_of_[path];
    s.id = s.box ? path + "#" + std::to_string(k) : path;
    if (s.box) ++boxes_of_[path];
    s.label = intern(dataset_.classes, label);
    const std::string domain = text(row, "domain");
    s.domain = intern(dataset_.domains, domain.empty() ? default_domain() : domain);
    read_stain(row, static_cast<size_t>(s.domain));
    dataset_.samples.push_back(std::move(s));
  }

  // Empty: the row is left out, with a note.
  std::string read_label(size_t row) {
    std::string label = text(row, "label");
    if (label.empty()) {
      if (options_.strict) table_.fail(row, "blank label", "a class name", "", "csv.blank");
      dataset_.add_note("label.blank", "rows without a label left out", place(row));
      return {};
    }
    const size_t comma = label.find(',');
    if (comma == std::string::npos) return label;
    if (options_.multi_label == "error")
      table_.fail(row, "\"" + label + "\" is two labels", "one class",
                  "pass --multi-label first|drop", "csv.multi");
    if (options_.multi_label == "first") {
      dataset_.add_note("csv.multi", "rows with several labels: the first was taken", place(row));
      return std::string(trim(label.substr(0, comma)));
    }
    dataset_.add_note("csv.multi", "rows with several labels left out", place(row));
    return {};
  }

  std::string place(size_t row) const {
    return table_.name() + ":" + std::to_string(table_.line(row));
  }

  std::optional<Box> read_box(size_t row) const {
    std::array<double, 4> v{};
    int given = 0;
    const std::array<const char*, 4> names = {"x1", "y1", "x2", "y2"};
    for (size_t i = 0; i < 4; ++i) {
      const std::string t = text(row, names[i]);
      if (t.empty()) continue;
      const auto number = parse_double(t);
      if (!number || !std::isfinite(*number))
        table_.fail(row, std::string(names[i]) + " is \"" + t + "\"", "a finite number of pixels");
      v[i] = *number;
      ++given;
    }
    if (given == 0) return std::nullopt;
    if (given < 4) table_.fail(row, "only some of x1, y1, x2, y2", "all four or none");
    return Box{v[0], v[1], v[2], v[3]};
  }

  bool keep_box(size_t row, const Box& box) {
    if (box.width() > 0 && box.height() > 0 && box.x2 > 0 && box.y2 > 0) return true;
    if (options_.strict)
      table_.fail(row, "a box of no area, inverted or outside", "x1 < x2 and y1 < y2", "",
                  "box.degenerate");
    dataset_.add_note("box.degenerate", "boxes of no area, inverted or outside left out",
                      place(row));
    return false;
  }

  std::string read_split(size_t row) const {
    std::string split = to_lower_ascii(text(row, "split"));
    if (split == "valid" || split == "validation") split = "val";
    if (!split.empty() && split != "train" && split != "val" && split != "test")
      table_.fail(row, "split \"" + split + "\"", "train, val or test");
    return split;
  }

  std::optional<double> read_scale(size_t row) const {
    const std::string t = text(row, "microns_per_pixel");
    if (t.empty()) return std::nullopt;
    const auto number = parse_double(t);
    if (!number || !(*number > 0) || !std::isfinite(*number))
      table_.fail(row, "microns_per_pixel \"" + t + "\"", "a positive number");
    return number;
  }

  // One per domain: the first that is given.
  void read_stain(size_t row, size_t domain) {
    dataset_.stains.resize(dataset_.domains.size());
    const std::string stain = text(row, "stain");
    std::string& known = dataset_.stains[domain];
    if (known.empty()) known = stain;
    if (!stain.empty() && stain != known)
      dataset_.add_note("stain.mixed", "rows of another stain than the first of their domain",
                        place(row) + " (" + stain + " after " + known + ")");
  }

  // The same image (and box) again: a note, or a fault if it says another class.
  bool is_duplicate(size_t row, const std::string& path, const Sample& s,
                    const std::string& label) {
    std::string key = path;
    if (s.box)
      for (const double v : {s.box->x1, s.box->y1, s.box->x2, s.box->y2})
        key += "\n" + format_double(v);
    const auto [it, is_new] = seen_.try_emplace(key, label, table_.line(row));
    if (is_new) return false;
    if (it->second.first != label)
      table_.fail(row, "\"" + path + "\" is " + label + " here",
                  it->second.first + " as in line " + std::to_string(it->second.second), "",
                  "csv.conflict");
    dataset_.add_note("csv.duplicate", "repeated rows left out", place(row));
    return true;
  }

  // Images that lie beside listed ones but are not listed.
  void note_unlisted() {
    std::set<std::string> listed, folders;
    for (size_t row = 0; row < table_.rows(); ++row) {
      if (table_.at(row, path_).empty()) continue;
      const std::filesystem::path p =
          std::filesystem::path(locate(std::string(table_.at(row, path_)))).lexically_normal();
      listed.insert(p.string());
      if (const auto mask = text(row, "mask"); !mask.empty())
        listed.insert(std::filesystem::path(locate(mask)).lexically_normal().string());
      folders.insert(p.parent_path().string());
    }
    for (const std::string& folder : folders) {
      std::error_code error;
      std::vector<std::string> names;
      for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
           it.increment(error)) {
        const std::string path = it->path().lexically_normal().string();
        if (has_image_extension(path) && !it->path().filename().string().starts_with(".") &&
            !listed.count(path))
          names.push_back(path);
      }
      std::sort(names.begin(), names.end());
      for (const auto& name : names)
        dataset_.add_note("csv.unlisted", "images beside listed ones that are not listed", name);
    }
  }

  const DatasetOptions& options_;
  std::string folder_;
  CsvTable table_;
  size_t path_ = 0, label_ = 0;
  Dataset dataset_;
  std::map<std::string, std::pair<std::string, int64_t>> seen_;
  std::map<std::string, int64_t> boxes_of_;
};

}  // namespace

std::string find_manifest(const std::string& path) {
  for (const char* name : {"manifest.csv", "cells.csv"}) {
    const std::string file = join(path, name);
    if (!is_file(file)) continue;
    const std::string text = read_file(file);
    try {
      const CsvTable header(text.substr(0, text.find('\n')) + "\n", file);
      if (header.find_column("path") && header.find_column("label")) return file;
    } catch (const DataError&) {
      // A file of this name that is something else.
    }
  }
  return "";
}

Dataset load_manifest(const DatasetOptions& options) {
  if (!is_folder(options.path)) return ManifestReader(options).read();
  DatasetOptions inside = options;
  inside.path = find_manifest(options.path);
  if (inside.path.empty())
    throw DataError({.id = "data.layout",
                     .file = options.path,
                     .place = {},
                     .found = "no manifest in this folder",
                     .expected = "manifest.csv or cells.csv with the columns path and label",
                     .hint = "give the path of the CSV file"});
  return ManifestReader(inside).read();
}

}  // namespace cytograd::layout
