#include "cytograd/train/grid_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"

namespace cytograd {
namespace {

class CellReader {
 public:
  explicit CellReader(const std::string& path) : path_(path) {
    for (const ConfigField& field : config_fields()) options_.push_back(field.option.substr(2));
  }

  std::vector<GridCell> read(const std::string& text) {
    toml::table root;
    try {
      root = toml::parse(text, path_);
    } catch (const toml::parse_error& e) {
      fail(e.source(), std::string(e.description()), "", "");
    }
    const toml::node* cells = root.get("cells");
    if (!cells) return {{"run", {}}};
    if (!cells->is_array_of_tables())
      fail(cells->source(), "cells that are no tables", "[[cells]]", "");
    for (const toml::node& cell : *cells->as_array()) expand(*cell.as_table());
    std::set<std::string> names;
    for (const GridCell& cell : out_)
      if (!names.insert(cell.name).second)
        fail(cells->source(), "two cells named " + cell.name, "names of their own",
             "give one of the tables a `name`");
    return out_;
  }

 private:
  // Every combination; the key that comes last in the file changes fastest.
  void expand(const toml::table& table) {
    std::vector<const toml::key*> keys;
    for (const auto& [key, node] : table) {
      const std::string name(key.str());
      if (name != "name" && std::find(options_.begin(), options_.end(), name) == options_.end()) {
        const std::string near = nearest_name(name, options_);
        fail(key.source(), "unknown option " + name, "an option of cyto train without --",
             near.empty() ? "" : "did you mean " + near + "?");
      }
      if (name != "name") keys.push_back(&key);
    }
    std::sort(keys.begin(), keys.end(), [](const toml::key* a, const toml::key* b) {
      const auto &p = a->source().begin, &q = b->source().begin;
      return p.line != q.line ? p.line < q.line : p.column < q.column;
    });
    const auto name = table["name"].value<std::string>();
    GridCell cell;
    combine(table, keys, 0, cell, name.value_or(""));
  }

  void combine(const toml::table& table, const std::vector<const toml::key*>& keys, size_t at,
               GridCell& cell, const std::string& stem) {
    if (at == keys.size()) {
      GridCell done = cell;
      done.name = name_of(cell, stem);
      out_.push_back(done);
      return;
    }
    const toml::node& node = *table.get(keys[at]->str());
    const auto with = [&](const toml::node& value) {
      cell.values.emplace_back(std::string(keys[at]->str()), text_of(value));
      combine(table, keys, at + 1, cell, stem);
      cell.values.pop_back();
    };
    if (const toml::array* list = node.as_array()) {
      if (list->empty()) fail(node.source(), "an empty list", "at least one value", "");
      for (const toml::node& value : *list) with(value);
    } else {
      with(node);
    }
  }

  std::string text_of(const toml::node& node) {
    if (const auto v = node.as_boolean()) return v->get() ? "true" : "false";
    if (const auto v = node.as_integer()) return std::to_string(v->get());
    if (const auto v = node.as_floating_point()) return format_double(v->get());
    if (const auto v = node.as_string()) return v->get();
    fail(node.source(), "a value that is neither number, text nor truth", "one of these", "");
  }

  // "guide2d-64", "ce-growing-64": what differs between cells, as a folder's name.
  static std::string name_of(const GridCell& cell, const std::string& stem) {
    std::string out = stem;
    const auto join = [&out](const std::string& text) { out += (out.empty() ? "" : "-") + text; };
    for (const auto& [key, value] : cell.values) {
      if (!stem.empty() && key != "embedding") continue;
      if (value == "true")
        join(key);
      else if (value != "false")
        join(key == "method" || key == "embedding" ? value : key + "=" + value);
    }
    for (char& c : out)
      if (c == '/' || c == ' ' || static_cast<unsigned char>(c) < 0x20) c = '_';
    return out.empty() ? "run" : out;
  }

  [[noreturn]] void fail(const toml::source_region& at, const std::string& found,
                         const std::string& expected, const std::string& hint) const {
    throw ConfigError(Fault{
        "cfg", path_ + ":" + std::to_string(at.begin.line) + ":" + std::to_string(at.begin.column),
        "", found, expected, hint});
  }

  const std::string& path_;
  std::vector<std::string> options_;
  std::vector<GridCell> out_;
};

}  // namespace

std::vector<GridCell> read_grid_cells(const std::string& path) {
  const std::string text = read_file(path);
  if (!is_valid_utf8(text))
    throw ConfigError(Fault{"cfg", path + ":1:1", "", "text that is not UTF-8", "UTF-8", ""});
  return CellReader(path).read(text);
}

ResolvedConfig cell_config(const ResolvedConfig& base, const GridCell& cell,
                           const std::string& path, bool protocol) {
  ResolvedConfig out = base;
  for (const auto& [option, text] : cell.values)
    for (const ConfigField& field : config_fields())
      if (field.option == "--" + option) set_config(out, field, text, path + " " + cell.name);
  apply_method_defaults(out, protocol);
  check_config(out.config);
  return out;
}

}  // namespace cytograd
