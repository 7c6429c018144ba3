#include "cytograd/data/dataset.h"

#include <algorithm>
#include <map>
#include <set>

#include "cytograd/data/domains.h"
#include "cytograd/io/text.h"
#include "data/layout.h"
#include "data/mask_rule.h"

namespace cytograd {

int64_t Dataset::class_index(const std::string& name) const {
  const auto it = std::find(classes.begin(), classes.end(), name);
  if (it != classes.end()) return it - classes.begin();
  const std::string near = nearest_name(name, classes);
  throw ConfigError({.id = "class.unknown",
                     .file = {},
                     .place = {},
                     .found = "no class \"" + name + "\"",
                     .expected = "one of " + std::to_string(classes.size()) + " classes",
                     .hint = near.empty() ? "" : "did you mean " + near + "?"});
}

void Dataset::add_note(const std::string& id, const std::string& text, const std::string& example,
                       int64_t count) {
  auto it = std::find_if(notes.begin(), notes.end(),
                         [&](const Note& n) { return n.id == id && n.text == text; });
  if (it == notes.end()) it = notes.insert(notes.end(), Note{id, text, 0, {}});
  it->count += count;
  if (it->examples.size() < 5 && !example.empty()) it->examples.push_back(example);
}

void Dataset::require_clean() const {
  if (faults.empty()) return;
  Fault first = faults.front();
  if (faults.size() > 1)
    first.hint += (first.hint.empty() ? "" : "; ") + std::to_string(faults.size() - 1) +
                  " more: cyto data lists them";
  throw DataError(std::move(first));
}

namespace {

struct Preset {
  const char* name;
  Dataset (*load)(const DatasetOptions&);
  std::string (*find)(const std::string&);  // null: never recognised by itself
};

// In the order in which `auto` tries them.
constexpr Preset presets[] = {
    {"wbc-seg", layout::load_wbc_seg, layout::find_wbc_seg},
    {"bccd", layout::load_bccd, layout::find_bccd},
    {"matek19", layout::load_matek19, layout::find_matek19},
    {"mll23", layout::load_mll23, layout::find_mll23},
    {"pbc", layout::load_pbc, layout::find_pbc},
    {"acevedo20", layout::load_acevedo20, nullptr},
    {"folder", layout::load_folder, nullptr},
    {"manifest", layout::load_manifest, layout::find_manifest},
    {"images", layout::load_images, nullptr},
};

const Preset& find_preset(const DatasetOptions& options) {
  std::string name = options.preset;
  if (name == "auto") {
    name = layout::is_file(options.path) ? "manifest" : "folder";
    for (const Preset& p : presets)
      if (name == "folder" && p.find && !p.find(options.path).empty()) name = p.name;
    if (name == "folder" && !options.need_labels && layout::has_loose_images(options.path))
      name = "images";
  }
  for (const Preset& p : presets)
    if (name == p.name) return p;
  const std::string near = nearest_name(name, preset_names());
  throw ConfigError({.id = "cfg",
                     .file = {},
                     .place = "--preset",
                     .found = "no preset \"" + name + "\"",
                     .expected = "auto, folder, manifest, wbc-seg, bccd, pbc, matek19, "
                                 "acevedo20, mll23 or images",
                     .hint = near.empty() ? "" : "did you mean " + near + "?"});
}

void require_choice(const char* option, const std::string& value,
                    const std::vector<std::string>& choices) {
  if (std::find(choices.begin(), choices.end(), value) != choices.end()) return;
  std::string list;
  for (const auto& c : choices) list += (list.empty() ? "" : ", ") + c;
  const std::string near = nearest_name(value, choices);
  throw ConfigError({.id = "cfg",
                     .file = {},
                     .place = option,
                     .found = "\"" + value + "\"",
                     .expected = "one of " + list,
                     .hint = near.empty() ? "" : "did you mean " + near + "?"});
}

// Stain and pixel size as the user says them.
void apply_domain_options(Dataset& dataset, const DatasetOptions& options) {
  if (!options.stain.empty()) dataset.stains.assign(dataset.domains.size(), options.stain);
  if (options.microns_per_pixel == 0) return;
  for (Sample& s : dataset.samples) {
    if (s.microns_per_pixel && *s.microns_per_pixel != options.microns_per_pixel)
      dataset.add_note("scale.replaced",
                       "samples whose own pixel size was replaced by the one given", s.id);
    s.microns_per_pixel = options.microns_per_pixel;
  }
}

// Classes without a sample stay, so that harmonised parts agree on one list.
Dataset load_part(const DatasetOptions& options) {
  require_choice("--labels", options.labels, {"coarse", "fine"});
  require_choice("--multi-label", options.multi_label, {"drop", "first", "error"});
  require_choice("--objects", options.objects, {"wbc", "all"});
  require_choice("--ace-subset", options.ace_subset, {"full", "main"});
  check<ConfigError>(options.microns_per_pixel >= 0, "data", "expected a pixel size above 0, got ",
                     options.microns_per_pixel);
  if (!layout::is_folder(options.path) && !layout::is_file(options.path))
    throw FileError({.id = layout::exists(options.path) ? "file.kind" : "file.missing",
                     .file = options.path,
                     .place = {},
                     .found = layout::exists(options.path) ? "a device, pipe or socket"
                                                           : "no such file or folder",
                     .expected = "a data set",
                     .hint = {}});
  const Preset& preset = find_preset(options);
  Dataset dataset = preset.load(options);
  if (!options.domain.empty()) {
    if (dataset.domains.size() == 1) dataset.domains[0] = options.domain;
    // Several domains keep their names apart.
    else
      for (std::string& d : dataset.domains) d = options.domain + "/" + d;
  }
  if (const auto rule = mask_rule_of(options))
    for (MaskRule& mine : dataset.mask_rules) mine = *rule;
  if (dataset.samples.empty() && dataset.faults.empty())
    throw DataError({.id = "data.empty",
                     .file = options.path,
                     .place = {},
                     .found = "no labelled image",
                     .expected = std::string("the layout of preset ") + preset.name,
                     .hint = "see cyto data --help for the layouts"});
  apply_domain_options(dataset, options);
  layout::harmonise(dataset, preset.name, options.harmonise);
  return dataset;
}

}  // namespace

const std::vector<std::string>& preset_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> all = {"auto"};
    for (const Preset& p : presets) all.push_back(p.name);
    return all;
  }();
  return names;
}

Dataset load_dataset(const DatasetOptions& options) { return load_datasets({options}); }

Dataset load_datasets(const std::vector<DatasetOptions>& options) {
  check<ConfigError>(!options.empty(), "data", "expected at least one data set");
  std::vector<DatasetOptions> all;
  for (const DatasetOptions& o : options)
    if (is_domain_file(o.path))
      for (DatasetOptions& inside : read_domain_file(o)) all.push_back(std::move(inside));
    else
      all.push_back(o);
  if (all.size() == 1) {
    Dataset dataset = load_part(all[0]);
    layout::prune_classes(dataset);
    return dataset;
  }
  std::vector<Dataset> parts;
  for (const DatasetOptions& o : all) parts.push_back(load_part(o));
  Dataset joined = combine(std::move(parts));
  layout::prune_classes(joined);
  return joined;
}

namespace {

std::vector<std::string> joint_classes(const std::vector<Dataset>& parts) {
  bool equal = true;
  std::set<std::string> all;
  for (const Dataset& p : parts) {
    equal = equal && p.classes == parts[0].classes;
    all.insert(p.classes.begin(), p.classes.end());
  }
  return equal ? parts[0].classes : std::vector<std::string>(all.begin(), all.end());
}

void require_shared_classes(const std::vector<Dataset>& parts) {
  for (size_t i = 0; i < parts.size(); ++i) {
    bool shared = parts.size() == 1;
    for (size_t j = 0; j < parts.size(); ++j)
      for (const std::string& c : parts[i].classes)
        shared = shared || (i != j && std::find(parts[j].classes.begin(), parts[j].classes.end(),
                                                c) != parts[j].classes.end());
    if (shared) continue;
    std::string names;
    for (const std::string& c : parts[i].classes) names += (names.empty() ? "" : ", ") + c;
    throw DataError({.id = "class.disjoint",
                     .file = {},
                     .place = "domain " + (parts[i].domains.empty() ? "?" : parts[i].domains[0]),
                     .found = "no class in common with the other data sets (" + names + ")",
                     .expected = "common class names",
                     .hint = "pass --harmonise 5, 11, 13 or a CSV dataset,raw,harmonised"});
  }
}

}  // namespace

Dataset combine(std::vector<Dataset> parts) {
  require_shared_classes(parts);
  Dataset joined;
  joined.classes = parts.empty() ? std::vector<std::string>{} : joint_classes(parts);
  for (Dataset& part : parts) {
    std::vector<int64_t> domain_of, class_of;
    for (size_t d = 0; d < part.domains.size(); ++d) {
      std::string name = part.domains[d];
      for (int n = 2; std::count(joined.domains.begin(), joined.domains.end(), name); ++n)
        name = part.domains[d] + "-" + std::to_string(n);
      domain_of.push_back(layout::intern(joined.domains, name));
      joined.mask_rules.push_back(part.mask_rules[d]);
      joined.stains.push_back(part.stain_of(d));
    }
    for (LabelRow row : part.labels) {
      row.domain = domain_of[static_cast<size_t>(row.domain)];
      joined.labels.push_back(std::move(row));
    }
    for (const std::string& c : part.classes) class_of.push_back(joined.class_index(c));
    for (Sample& s : part.samples) {
      s.domain = domain_of[static_cast<size_t>(s.domain)];
      s.label = class_of[static_cast<size_t>(s.label)];
      const std::string& domain = joined.domains[static_cast<size_t>(s.domain)];
      s.id = domain + ":" + s.id;
      // Patient 7 of one hospital is not patient 7 of another.
      if (!s.group.empty()) s.group = domain + ":" + s.group;
      joined.samples.push_back(std::move(s));
    }
    joined.faults.insert(joined.faults.end(), part.faults.begin(), part.faults.end());
    for (const Note& n : part.notes) {
      for (size_t i = 0; i < n.examples.size(); ++i)
        joined.add_note(n.id, n.text, n.examples[i], 0);
      joined.add_note(n.id, n.text, "", n.count);
    }
  }
  return joined;
}

void keep_samples(Dataset& dataset, const std::vector<bool>& keep) {
  check<ValueError>(keep.size() == dataset.samples.size(), "keep_samples", "expected ",
                    dataset.samples.size(), " flags, got ", keep.size());
  size_t out = 0;
  for (size_t i = 0; i < keep.size(); ++i) {
    if (!keep[i]) continue;
    if (out != i) dataset.samples[out] = std::move(dataset.samples[i]);
    ++out;
  }
  dataset.samples.resize(out);
}

}  // namespace cytograd
