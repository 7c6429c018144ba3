#include "cli/segment_classes.h"

#include <algorithm>
#include <filesystem>

namespace cytograd::cli {
namespace {

namespace fs = std::filesystem;

constexpr double least_overlap = 0.5;

std::string key_of(const std::string& path) { return fs::absolute(path).lexically_normal(); }

double overlap(const detection::Box& a, const Box& b) {
  const double width = std::min(static_cast<double>(a.x2), b.x2) -
                       std::max(static_cast<double>(a.x1), b.x1),
               height = std::min(static_cast<double>(a.y2), b.y2) -
                        std::max(static_cast<double>(a.y1), b.y1);
  if (width <= 0 || height <= 0) return 0;
  const double shared = width * height;
  return shared / (static_cast<double>(a.area()) + b.width() * b.height() - shared);
}

// Folders of images without classes are no data set to `auto`.
bool read_set(const std::string& path, const std::string& preset, const std::string& labels,
              Dataset& out) {
  DatasetOptions options;
  options.path = path;
  options.preset = preset;
  options.labels = labels;
  options.need_labels = false;
  try {
    out = load_dataset(options);
  } catch (const DataError& e) {
    if (preset == "auto" && e.fault().id == "data.empty") return false;
    throw;
  }
  return std::none_of(out.labels.begin(), out.labels.end(),
                      [](const LabelRow& row) { return row.source == "images"; });
}

}  // namespace

LabelledImages::LabelledImages(const std::vector<std::string>& paths, const std::string& preset,
                               const std::string& labels) {
  std::vector<Dataset> sets;
  for (const std::string& path : paths) {
    std::error_code error;
    Dataset dataset;
    if (!fs::is_directory(path, error) || !read_set(path, preset, labels, dataset)) continue;
    dataset.require_clean();
    sets.push_back(std::move(dataset));
  }
  for (const Dataset& dataset : sets) add(dataset, sets.size() > 1);
}

void LabelledImages::add(const Dataset& dataset, bool with_domain) {
  for (const Sample& s : dataset.samples) {
    Known known{dataset.classes[static_cast<size_t>(s.label)], s.group, s.box};
    // Patient 7 of one hospital is not patient 7 of another.
    if (with_domain && !s.group.empty())
      known.group = dataset.domains[static_cast<size_t>(s.domain)] + ":" + s.group;
    images_[key_of(s.path)].push_back(std::move(known));
    if (!s.mask.empty()) masks_.insert(key_of(s.mask));
  }
}

bool LabelledImages::is_mask(const std::string& path) const {
  return masks_.contains(key_of(path)) && !images_.contains(key_of(path));
}

CellClasses LabelledImages::of(const std::vector<CellPlace>& cells, bool fields) const {
  CellClasses out;
  std::map<std::string, int64_t> found;  // cells per image
  for (const CellPlace& cell : cells) ++found[cell.path];
  size_t known = 0;
  for (const CellPlace& cell : cells) {
    std::string type, group;
    const auto image = images_.find(key_of(cell.path));
    if (image != images_.end()) {
      const std::vector<Known>& all = image->second;
      const auto same = [&all](auto member) {
        return std::all_of(all.begin(), all.end(),
                           [&](const Known& k) { return k.*member == all[0].*member; });
      };
      group = same(&Known::group) ? all[0].group : "";
      const bool boxes =
          std::any_of(all.begin(), all.end(), [](const Known& k) { return !!k.box; });
      if (!fields || !boxes) {
        const bool alone = !fields || found[cell.path] == 1;
        if (alone && same(&Known::type)) type = all[0].type;
      } else {
        double best = least_overlap;
        for (const Known& k : all)
          if (const double share = k.box ? overlap(cell.box, *k.box) : 0; share >= best) {
            best = share;
            type = k.type;
            group = k.group;
          }
      }
    }
    known += !type.empty();
    out.types.push_back(type);
    out.groups.push_back(group);
  }
  if (!images_.empty() && known < cells.size())
    out.notes.push_back(std::to_string(cells.size() - known) + " of " +
                        std::to_string(cells.size()) + " cells are of unknown class");
  return out;
}

}  // namespace cytograd::cli
