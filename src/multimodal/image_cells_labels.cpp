#include "multimodal/image_cells_labels.h"

#include <filesystem>
#include <map>
#include <optional>

#include "cytograd/core/error.h"

namespace cytograd::multimodal {
namespace {

std::string normal(std::string_view path) {
  return std::filesystem::path(path).lexically_normal().string();
}

}  // namespace

CellLabelTable::CellLabelTable(const std::string& path) : table_(read_csv(path)) {
  path_ = table_.find_column("path")   ? table_.column("path")
          : table_.find_column("name") ? table_.column("name")
                                       : table_.column("path");
  label_ = table_.column("label");
  std::map<std::string, size_t> rows;
  const auto split = table_.find_column("split");
  for (size_t row = 0; row < table_.rows(); ++row) {
    const auto name = table_.value(row, path_);
    if (!name) table_.fail(row, "a blank path", "the path or name of a cell");
    const auto [first, is_new] = rows.emplace(normal(*name), row);
    if (!is_new && table_.value(first->second, label_) != table_.value(row, label_))
      table_.fail(row, "another label than in line " + std::to_string(table_.line(first->second)),
                  "one label per cell", "", "csv.conflict");
    const auto part = split ? table_.value(row, *split) : std::nullopt;
    if (part && *part != "train" && *part != "val" && *part != "test")
      table_.fail(row, "split \"" + std::string(*part) + "\"", "train, val or test");
  }
}

CellLabelTable::Found CellLabelTable::find(const std::vector<std::string>& names) const {
  std::map<std::string, size_t> rows;
  for (size_t row = 0; row < table_.rows(); ++row) rows.emplace(normal(table_.at(row, path_)), row);
  const auto row_of = [&rows](const std::string& name) -> std::optional<size_t> {
    for (std::string rest = normal(name);;) {
      if (const auto row = rows.find(rest); row != rows.end()) return row->second;
      const size_t slash = rest.find('/');
      if (slash == std::string::npos) return std::nullopt;
      rest.erase(0, slash + 1);
    }
  };
  const auto group = table_.find_column("group"), split = table_.find_column("split");
  const auto text = [this](size_t row, std::optional<size_t> column) {
    const auto value = column ? table_.value(row, *column) : std::nullopt;
    return value ? escape_control(std::string(*value)) : std::string();
  };
  Found out;
  std::map<size_t, std::string> cell_of;  // by row
  for (const std::string& name : names) {
    const auto row = row_of(name);
    out.known.push_back(row.has_value());
    out.label.push_back(row ? text(*row, label_) : "");
    out.group.push_back(row ? text(*row, group) : "");
    out.split.push_back(row ? text(*row, split) : "");
    if (!row) continue;
    const auto [first, is_new] = cell_of.emplace(*row, name);
    if (!is_new && first->second != name)
      table_.fail(*row, "the path ends the names of two cells, " + first->second + " and " + name,
                  "a longer path", "", "csv.conflict");
  }
  if (cell_of.empty())
    throw DataError(Fault{"csv.absent", table_.name(), "",
                          "no row belongs to one of " + std::to_string(names.size()) + " cells",
                          "paths that end the names of cells, such as " +
                              (names.empty() ? std::string("a.png") : names[0]),
                          ""});
  for (const auto& [path, row] : rows)
    if (!cell_of.contains(row) && out.rows_left++ == 0) out.first_left = path;
  return out;
}

std::vector<std::string> CellLabelTable::Found::notes() const {
  if (rows_left == 0) return {};
  return {std::to_string(rows_left) + " rows of the labels without a cell, the first " +
          escape_control(first_left)};
}

}  // namespace cytograd::multimodal
