#include <algorithm>
#include <map>
#include <set>

#include "data/layout.h"

/// @file
/// Public single-cell sets with one folder per class: PBC_dataset_normal_DIB (Acevedo et al. 2020),
/// AML-Cytomorphology_LMU (Matek et al. 2019), MLL23.

namespace cytograd::layout {

namespace {

const char* const may_gruenwald_giemsa = "May-Gruenwald-Giemsa";

struct SubLabel {
  const char* prefix;
  const char* name;  // null: too unspecific for the finer classes
};

// File-name prefixes of the folders ig and neutrophil. Compared as a whole: MY is not MMY or PMY.
constexpr SubLabel sub_labels[] = {
    {"SNE", "neutrophil_segmented"},
    {"BNE", "neutrophil_band"},
    {"NEUTROPHIL", nullptr},
    {"MY", "myelocyte"},
    {"MMY", "metamyelocyte"},
    {"PMY", "promyelocyte"},
    {"IG", nullptr},
};

std::string prefix_of(const std::string& path) {
  const std::string name = base_name(path);
  return name.substr(0, name.find('_'));
}

// The one folder that holds the class folders: `path` itself or `path`/`known`.
std::string find_root(const std::string& path, const std::string& known,
                      const std::vector<std::string>& must_have) {
  for (const std::string& root : {path, join(path, known)}) {
    if (!is_folder(root)) continue;
    const auto folders = subfolders(root);
    const auto has = [&](const std::string& f) {
      return std::find(folders.begin(), folders.end(), f) != folders.end();
    };
    if (std::all_of(must_have.begin(), must_have.end(), has)) return root;
  }
  return {};
}

std::string require_root(const std::string& root, const DatasetOptions& options,
                         const std::string& expected) {
  if (root.empty())
    throw DataError({"data.layout", options.path, "", "not the layout of " + options.preset,
                     expected, "for other folders of classes pass --preset folder"});
  return root;
}

// Reads class folders; `name` maps (folder, relative path) to the class, "" drops the sample.
template <class Name>
Dataset load_classes(const std::string& root, const std::string& domain, Name&& name) {
  Dataset dataset;
  dataset.domains = {domain};
  dataset.mask_rules.resize(1);
  for (const std::string& folder : subfolders(root))
    for (const std::string& path : list_images(dataset, root, folder)) {
      const std::string label = name(dataset, folder, path);
      if (label.empty()) continue;
      Sample s;
      s.id = path;
      s.path = join(root, path);
      s.label = intern(dataset.classes, label);
      dataset.samples.push_back(std::move(s));
    }
  sort_classes(dataset);
  return dataset;
}

void set_scale(Dataset& dataset, double microns_per_pixel) {
  for (Sample& s : dataset.samples) s.microns_per_pixel = microns_per_pixel;
}

// The finer class, or the prefix itself where `raw` is wanted.
std::string fine_label(Dataset& dataset, const std::string& folder, const std::string& path,
                       bool raw) {
  if (folder != "ig" && folder != "neutrophil") return folder;
  const std::string prefix = prefix_of(path);
  for (const SubLabel& l : sub_labels) {
    if (prefix != l.prefix) continue;
    if (raw) return prefix;
    if (l.name) return l.name;
    dataset.add_note("label.unspecific",
                     "images whose prefix " + prefix + " names no finer class left out", path);
    return {};
  }
  dataset.faults.push_back({"label.prefix", join(folder, base_name(path)), "",
                            "file-name prefix \"" + prefix + "\"",
                            "SNE, BNE, NEUTROPHIL, MY, MMY, PMY or IG", ""});
  return {};
}

}  // namespace

std::string find_pbc(const std::string& path) {
  return find_root(path, "PBC_dataset_normal_DIB", {"basophil", "eosinophil", "ig", "neutrophil"});
}

std::string find_matek19(const std::string& path) {
  const std::string root = find_root(path, "AML-Cytomorphology", {"BAS", "EOS", "LYT", "MYO"});
  return root.empty() ? find_root(path, "AML-Cytomorphology_LMU/AML-Cytomorphology",
                                  {"BAS", "EOS", "LYT", "MYO"})
                      : root;
}

std::string find_mll23(const std::string& path) {
  return find_root(path, "MLL23", {"basophil", "hairy_cell", "myeloblast", "normoblast"});
}

Dataset load_pbc(const DatasetOptions& options) {
  const bool fine = options.labels == "fine";
  // Parts of the set (fewer folders) are still read, so only the folders' own names are asked for.
  std::string root = find_pbc(options.path);
  if (root.empty()) root = find_root(options.path, "PBC_dataset_normal_DIB", {"neutrophil"});
  if (root.empty()) root = find_root(options.path, "PBC_dataset_normal_DIB", {"lymphocyte"});
  require_root(root, options, "class folders such as basophil, ig, neutrophil");
  Dataset dataset =
      load_classes(root, "pbc", [&](Dataset& d, const std::string& folder, const auto& path) {
        return fine ? fine_label(d, folder, path, false) : folder;
      });
  dataset.stains = {may_gruenwald_giemsa};
  if (options.ace_subset == "main") keep_main_colours(dataset);
  return dataset;
}

Dataset load_acevedo20(const DatasetOptions& options) {
  const std::string root = require_root(find_pbc(options.path), options,
                                        "class folders such as basophil, ig, neutrophil");
  Dataset dataset =
      load_classes(root, "acevedo20", [&](Dataset& d, const std::string& folder, const auto& path) {
        return fine_label(d, folder, path, true);
      });
  set_scale(dataset, 0.1);  // 360 px cover 36 um
  dataset.stains = {may_gruenwald_giemsa};
  if (options.ace_subset == "main") keep_main_colours(dataset);
  return dataset;
}

Dataset load_matek19(const DatasetOptions& options) {
  const std::string root =
      require_root(find_matek19(options.path), options, "code folders such as BAS, EOS, LYT, MYO");
  // The label is the folder: annotations.dat repeats it, and file names may carry suffixes.
  Dataset dataset = load_classes(
      root, "matek19", [](Dataset&, const std::string& folder, const auto&) { return folder; });
  set_scale(dataset, 29.0 / 400);  // 400 px cover 29 um
  for (Sample& s : dataset.samples) s.crop_to_opaque = true;
  return dataset;
}

Dataset load_mll23(const DatasetOptions& options) {
  const std::string root = require_root(find_mll23(options.path), options,
                                        "class folders such as basophil, hairy_cell, normoblast");
  Dataset dataset = load_classes(
      root, "mll23", [](Dataset&, const std::string& folder, const auto&) { return folder; });
  set_scale(dataset, 25.0 / 288);  // 288 px cover 25 um
  dataset.stains = {"Pappenheim"};
  return dataset;
}

}  // namespace cytograd::layout
