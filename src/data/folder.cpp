#include <algorithm>
#include <array>

#include "data/layout.h"

namespace cytograd::layout {

namespace {

// "train", "val" or "test" for the usual folder names, else "".
std::string split_name(const std::string& folder) {
  if (folder == "train" || folder == "val" || folder == "test") return folder;
  if (folder == "valid" || folder == "validation") return "val";
  return {};
}

void add_class_folders(Dataset& dataset, const std::string& root, const std::string& relative,
                       const std::string& split) {
  for (const std::string& name : subfolders(join(root, relative))) {
    const std::string below = relative.empty() ? name : relative + "/" + name;
    const auto images = list_images(dataset, root, below);
    if (images.empty())
      dataset.add_note("class.empty", "class folders without an image left out", below);
    for (const std::string& path : images) {
      Sample s;
      s.id = path;
      s.path = join(root, path);
      s.label = intern(dataset.classes, name);
      s.split = split;
      dataset.samples.push_back(std::move(s));
    }
  }
}

}  // namespace

Dataset load_folder(const DatasetOptions& options) {
  Dataset dataset;
  dataset.domains = {base_name(options.path)};
  dataset.mask_rules.resize(1);
  const auto folders = subfolders(options.path);
  const bool has_splits =
      !folders.empty() &&
      std::all_of(folders.begin(), folders.end(), [](auto& f) { return !split_name(f).empty(); });
  if (has_splits) {
    for (const std::string& f : folders) add_class_folders(dataset, options.path, f, split_name(f));
  } else {
    add_class_folders(dataset, options.path, "", "");
  }
  sort_classes(dataset);
  return dataset;
}

Dataset load_images(const DatasetOptions& options) {
  Dataset dataset;
  dataset.domains = {base_name(options.path)};
  dataset.mask_rules.resize(1);
  dataset.classes = {"unlabelled"};
  for (const std::string& path : list_images(dataset, options.path, "")) {
    Sample s;
    s.id = path;
    s.path = join(options.path, path);
    dataset.samples.push_back(std::move(s));
  }
  return dataset;
}

}  // namespace cytograd::layout
