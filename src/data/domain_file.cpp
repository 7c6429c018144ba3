#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "cytograd/data/domains.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "data/layout.h"

namespace cytograd {
namespace {

const std::vector<std::string> known_keys = {
    "path",      "name",         "preset",      "stain",    "microns_per_pixel",
    "harmonise", "labels",       "multi_label", "objects",  "pixels_per_micron",
    "field_um",  "field_pixels", "ace_subset",  "mask_map", "mask_threshold"};

class DomainFileReader {
 public:
  explicit DomainFileReader(const DatasetOptions& shared)
      : shared_(shared), path_(shared.path), folder_(layout::parent_of(shared.path)) {}

  std::vector<DatasetOptions> read() {
    const std::string text = read_file(path_);
    toml::table root;
    try {
      root = toml::parse(text, path_);
    } catch (const toml::parse_error& e) {
      fail(e.source(), std::string(e.description()), "TOML");
    }
    for (const auto& [key, node] : root)
      if (key != "domain")
        fail(key.source(), "unknown key " + std::string(key.str()), "a list of [[domain]]");
    const toml::array* list = root["domain"].as_array();
    if (!list || list->empty())
      fail(root.source(), "no domain", "at least one [[domain]] with a path");
    std::vector<DatasetOptions> out;
    std::set<std::string> names;
    for (const toml::node& node : *list) {
      if (!node.is_table()) fail(node.source(), "a domain that is no table", "[[domain]]");
      out.push_back(read_domain(*node.as_table(), node.source()));
      const std::string& name = out.back().domain;
      if (!name.empty() && !names.insert(name).second)
        fail(node.source(), "two domains of the name " + name, "different names");
    }
    return out;
  }

 private:
  DatasetOptions read_domain(const toml::table& table, const toml::source_region& at) {
    for (const auto& [key, node] : table)
      if (std::find(known_keys.begin(), known_keys.end(), key.str()) == known_keys.end()) {
        const std::string near = nearest_name(key.str(), known_keys);
        fail(key.source(), "unknown key " + std::string(key.str()), "a key of a domain",
             near.empty() ? "" : "did you mean " + near + "?");
      }
    DatasetOptions out = shared_;
    out.path = text(table, "path", "");
    if (out.path.empty()) fail(at, "a domain without a path", "path = \"folder\"");
    out.path = located(out.path);
    if (is_domain_file(out.path)) fail(at, "a list of domains inside a list", "a data set");
    out.domain = text(table, "name", shared_.domain);
    out.preset = text(table, "preset", shared_.preset);
    out.stain = text(table, "stain", shared_.stain);
    out.labels = text(table, "labels", shared_.labels);
    out.multi_label = text(table, "multi_label", shared_.multi_label);
    out.objects = text(table, "objects", shared_.objects);
    out.ace_subset = text(table, "ace_subset", shared_.ace_subset);
    out.mask_map = text(table, "mask_map", shared_.mask_map);
    out.mask_threshold = text(table, "mask_threshold", shared_.mask_threshold);
    if (const std::string map = text(table, "harmonise", ""); !map.empty()) {
      const auto& known = harmonisation_names();
      const bool built_in = std::find(known.begin(), known.end(), map) != known.end();
      out.harmonise = built_in ? map : located(map);
    }
    if (const auto scale = read_scale(table)) out.microns_per_pixel = *scale;
    return out;
  }

  // One of three ways to say it.
  std::optional<double> read_scale(const toml::table& table) {
    const auto direct = number(table, "microns_per_pixel"),
               inverse = number(table, "pixels_per_micron"), field = number(table, "field_um"),
               pixels = number(table, "field_pixels");
    const int given = direct.has_value() + inverse.has_value() + (field || pixels);
    if (given > 1)
      fail(table.source(), "the pixel size said in several ways",
           "one of microns_per_pixel, pixels_per_micron, field_um with field_pixels");
    if (field.has_value() != pixels.has_value())
      fail(table.source(),
           field ? "field_um without field_pixels" : "field_pixels without field_um",
           "both: so many pixels show so many micrometres");
    if (inverse) return 1 / *inverse;
    if (field) return *field / *pixels;
    return direct;
  }

  std::string located(const std::string& path) const {
    return std::filesystem::path(path).is_absolute() ? path : layout::join(folder_, path);
  }

  std::string text(const toml::table& table, const char* key, const std::string& otherwise) {
    const toml::node* node = table.get(key);
    if (!node) return otherwise;
    if (!node->is_string())
      fail(node->source(), std::string(key) + " is not text", "text in quotes");
    return node->as_string()->get();
  }

  std::optional<double> number(const toml::table& table, const char* key) {
    const toml::node* node = table.get(key);
    if (!node) return std::nullopt;
    const auto value = node->value<double>();
    if (!node->is_number() || !value || !(*value > 0) || !std::isfinite(*value))
      fail(node->source(), std::string(key) + " is not above 0", "a positive number");
    return value;
  }

  [[noreturn]] void fail(const toml::source_region& at, const std::string& found,
                         const std::string& expected, const std::string& hint = "") const {
    throw ConfigError({"cfg",
                       path_ + ":" + std::to_string(std::max<uint32_t>(at.begin.line, 1)) + ":" +
                           std::to_string(std::max<uint32_t>(at.begin.column, 1)),
                       "", found, expected, hint});
  }

  const DatasetOptions& shared_;
  std::string path_, folder_;
};

}  // namespace

bool is_domain_file(const std::string& path) {
  return path.ends_with(".toml") && !layout::is_folder(path);
}

std::vector<DatasetOptions> read_domain_file(const DatasetOptions& shared) {
  return DomainFileReader(shared).read();
}

}  // namespace cytograd
