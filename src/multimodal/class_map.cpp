#include "cytograd/multimodal/class_map.h"

#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "multimodal/toml_text.h"

namespace cytograd::multimodal {
namespace {

using Names = std::vector<std::string>;

std::string list_of(const Names& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "none" : out;
}

bool contains(const Names& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

class Reader {
 public:
  explicit Reader(const std::string& path) : path_(path) {}

  ClassMap read(const std::string& text) {
    toml::table root;
    try {
      root = toml::parse(text, path_);
    } catch (const toml::parse_error& e) {
      fail(e.source(), std::string(e.description()), "TOML");
    }
    // The parser sorts tables by name; here they stay as they were written.
    std::map<std::pair<uint32_t, uint32_t>, ClassPair> by_place;
    for (const auto& [key, node] : root) {
      const std::string name(key.str());
      if (!node.is_table())
        fail(key.source(), name + " is no table", "a table per pair: [" + name + "]");
      const toml::source_position at = key.source().begin;
      by_place.emplace(std::pair(at.line, at.column),
                       pair_of(name, key.source(), *node.as_table()));
    }
    if (by_place.empty())
      fail({{1, 1}, {1, 1}, {}}, "no pair of classes",
           "a table per pair, with image = [\"NAME\"] and rna = [\"NAME\"]");
    ClassMap out;
    for (auto& [place, pair] : by_place) out.pairs.push_back(std::move(pair));
    return out;
  }

 private:
  ClassPair pair_of(const std::string& name, const toml::source_region& at,
                    const toml::table& table) {
    ClassPair out{name, {}, {}, std::nullopt};
    for (const auto& [key, node] : table) {
      const std::string leaf(key.str());
      if (leaf == "image")
        out.image = names_of(leaf, key.source(), node);
      else if (leaf == "rna")
        out.rna = names_of(leaf, key.source(), node);
      else if (leaf == "weight")
        out.weight = weight_of(key.source(), node);
      else
        unknown(leaf, key.source());
    }
    if (out.image.empty()) fail(at, "[" + name + "] has no image", "image = [\"NAME\", ...]");
    if (out.rna.empty()) fail(at, "[" + name + "] has no rna", "rna = [\"NAME\", ...]");
    return out;
  }

  Names names_of(const std::string& key, const toml::source_region& at, const toml::node& node) {
    const toml::array* array = node.as_array();
    if (!array || array->empty())
      fail(at, key + " is no list of names", key + " = [\"NAME\", ...]");
    Names out;
    for (const toml::node& item : *array) {
      if (!item.is_string() || item.as_string()->get().empty())
        fail(item.source(), key + " holds what is no name", "text in quotes");
      out.push_back(item.as_string()->get());
    }
    return out;
  }

  double weight_of(const toml::source_region& at, const toml::node& node) {
    const std::optional<double> weight = node.value<double>();
    if (!node.is_number() || !weight || !std::isfinite(*weight) || *weight < 0)
      fail(at, "weight is no such number", "a finite number of at least 0");
    return *weight;
  }

  [[noreturn]] void unknown(const std::string& key, const toml::source_region& at) {
    const Names known = {"image", "rna", "weight"};
    const std::string near = nearest_name(key, known);
    fail(at, "unknown key " + key, "image, rna or weight",
         near.empty() ? "" : "did you mean " + near + "?");
  }

  [[noreturn]] void fail(const toml::source_region& at, const std::string& found,
                         const std::string& expected, const std::string& hint = "") const {
    throw ConfigError(Fault{
        "cfg", path_ + ":" + std::to_string(at.begin.line) + ":" + std::to_string(at.begin.column),
        "", found, expected, hint});
  }

  const std::string& path_;
};

std::string toml_list(const Names& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + toml_text(name);
  return "[" + out + "]";
}

// Every name exists on its side, and none is named twice.
void check_side(const ClassMap& map, const char* side, const Names ClassPair::*member,
                const Names& known) {
  std::map<std::string, std::string> pair_of;
  for (const ClassPair& pair : map.pairs)
    for (const std::string& name : pair.*member) {
      if (!contains(known, name)) {
        const std::string near = nearest_name(name, known);
        throw DataError(Fault{"class.unmapped", map.path, "pair " + pair.name,
                              std::string("no ") + side + " class \"" + name + "\"",
                              std::string("one of the ") + side + " classes: " + list_of(known),
                              near.empty() ? "" : "did you mean " + near + "?"});
      }
      const auto [first, is_new] = pair_of.emplace(name, pair.name);
      if (!is_new)
        throw DataError(Fault{
            "class.unmapped", map.path, "pair " + pair.name,
            std::string(side) + " class \"" + name + "\" is in pair " + first->second + " already",
            "each class in one pair", ""});
    }
}

}  // namespace

ClassMap read_class_map(const std::string& path) {
  const std::string text = read_file(path);
  if (!is_valid_utf8(text))
    throw ConfigError(Fault{"cfg", path + ":1:1", "", "text that is not UTF-8", "UTF-8", ""});
  ClassMap out = Reader(path).read(text);
  out.path = path;
  return out;
}

ClassMap pair_equal_names(const Names& image, const Names& rna) {
  ClassMap out;
  for (const std::string& name : image)
    if (contains(rna, name)) out.pairs.push_back({name, {name}, {name}, std::nullopt});
  return out;
}

void check_class_map(const ClassMap& map, const Names& image, const Names& rna) {
  if (map.pairs.empty())
    throw DataError(Fault{"class.disjoint", map.path, "", "no class that both sides have",
                          "a pair at least; images: " + list_of(image) + "; RNA: " + list_of(rna),
                          "name pairs in a class map"});
  for (const ClassPair& pair : map.pairs)
    if (pair.image.empty() || pair.rna.empty())
      throw DataError(Fault{"class.unmapped", map.path, "pair " + pair.name,
                            "a side without classes", "one class at least on either side", ""});
  check_side(map, "image", &ClassPair::image, image);
  check_side(map, "RNA", &ClassPair::rna, rna);
}

std::string class_map_text(const ClassMap& map) {
  std::string out;
  for (const ClassPair& pair : map.pairs) {
    out += (out.empty() ? "[" : "\n[") + toml_text(pair.name) +
           "]\nimage = " + toml_list(pair.image) + "\nrna = " + toml_list(pair.rna) + "\n";
    if (pair.weight) {
      const std::string number = format_double(*pair.weight);
      out += "weight = " + number + "\n";
    }
  }
  return out;
}

}  // namespace cytograd::multimodal
