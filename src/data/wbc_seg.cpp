#include <map>
#include <set>

#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"
#include "data/layout.h"

/// @file
/// segmentation_WBC (Zheng et al., Micron 107, 2018): folders "Dataset 1" and "Dataset 2" with
/// NNN.bmp and its mask NNN.png; beside them one table of labels each, column 1 the number without
/// leading zeros, column 2 the class 1..5. The header texts of the tables differ.

namespace cytograd::layout {

namespace {

const std::vector<std::string> class_names = {"neutrophil", "lymphocyte", "monocyte", "eosinophil",
                                              "basophil"};

std::string label_file(const std::string& folder) {
  return join(parent_of(folder), "Class Labels of " + base_name(folder) + ".csv");
}

std::map<int64_t, int64_t> read_labels(Dataset& dataset, const std::string& path) {
  const CsvTable table = read_csv(path);
  std::map<int64_t, int64_t> labels;
  if (table.columns() < 2)
    throw DataError({"csv.form", path, "line 1", "one column", "image number and class", ""});
  for (size_t row = 0; row < table.rows(); ++row) {
    try {
      const auto number = parse_int(trim(table.at(row, 0)));
      const auto label = parse_int(trim(table.at(row, 1)));
      if (!number) table.fail(row, "\"" + std::string(table.at(row, 0)) + "\"", "an image number");
      if (!label || *label < 1 || *label > 5)
        table.fail(row, "class \"" + std::string(table.at(row, 1)) + "\"", "1 to 5");
      if (!labels.emplace(*number, *label - 1).second && labels[*number] != *label - 1)
        table.fail(row, "image " + std::to_string(*number) + " again with another class",
                   "one class per image", "", "csv.conflict");
    } catch (const DataError& e) {
      dataset.faults.push_back(e.fault());
    }
  }
  return labels;
}

void add_folder(Dataset& dataset, const std::string& folder, const std::string& prefix) {
  const int64_t domain = static_cast<int64_t>(dataset.domains.size());
  const std::string name = base_name(folder);
  dataset.domains.push_back("wbc-seg-" + (name.empty() ? "?" : name.substr(name.size() - 1)));
  dataset.mask_rules.push_back({65, 192, {0, 128, 255}, true});
  dataset.stains.push_back(name.ends_with("1") ? "rapid stain" : "");
  const std::string table = label_file(folder);
  auto labels = read_labels(dataset, table);
  for (const std::string& file : list_images(dataset, folder, "")) {
    if (!file.ends_with(".bmp")) continue;
    const auto number = parse_int(stem(file));
    const auto it = number ? labels.find(*number) : labels.end();
    if (it == labels.end()) {
      dataset.add_note("csv.unlisted", "images without a label left out", prefix + file);
      continue;
    }
    Sample s;
    s.id = prefix + file;
    s.path = join(folder, file);
    s.label = it->second;
    s.domain = domain;
    s.mask = join(folder, stem(file) + ".png");
    if (!is_file(s.mask)) {
      dataset.add_note("mask.missing", "images without a mask file", s.id);
      s.mask.clear();
    }
    dataset.samples.push_back(std::move(s));
    labels.erase(it);
  }
  for (const auto& [number, label] : labels)
    dataset.faults.push_back({"csv.absent", table, "image " + std::to_string(number),
                              "no such image", "a file in " + folder, ""});
}

}  // namespace

std::string find_wbc_seg(const std::string& path) {
  for (const char* below : {"", "segmentation_WBC"}) {
    const std::string root = join(path, below);
    if (is_file(label_file(join(root, "Dataset 1"))) ||
        is_file(label_file(join(root, "Dataset 2"))))
      return root;
  }
  return is_folder(path) && is_file(label_file(path)) ? path : "";
}

Dataset load_wbc_seg(const DatasetOptions& options) {
  const std::string root = find_wbc_seg(options.path);
  if (root.empty())
    throw DataError({"data.layout", options.path, "", "not the layout of wbc-seg",
                     "\"Dataset 1\" or \"Dataset 2\" with \"Class Labels of ....csv\" beside it",
                     ""});
  Dataset dataset;
  dataset.classes = class_names;
  if (is_file(label_file(root)))
    add_folder(dataset, root, "");
  else
    for (const std::string& name : subfolders(root))
      if (is_file(label_file(join(root, name)))) add_folder(dataset, join(root, name), name + "/");
  sort_classes(dataset);
  return dataset;
}

}  // namespace cytograd::layout
