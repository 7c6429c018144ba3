#include "io/cell_file.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "cytograd/core/error.h"

namespace cytograd::io {
namespace {

constexpr const char* expression = "Gene Expression";

void escape_all(std::vector<std::string>& texts) {
  for (std::string& text : texts) text = escape_control(text);
}

void escape_all(AnnTable& table) {
  escape_all(table.names);
  for (auto& [name, column] : table.columns) {
    name = escape_control(name);
    if (auto* texts = std::get_if<std::vector<std::string>>(&column)) escape_all(*texts);
    if (auto* c = std::get_if<Categorical>(&column)) escape_all(c->categories);
  }
}

void make_unique(std::vector<std::string>& names, std::vector<std::string>& notes) {
  std::map<std::string, int64_t> count;
  std::set<std::string> taken(names.begin(), names.end());
  int64_t renamed = 0;
  for (std::string& name : names) {
    int64_t& seen = count[name];
    if (seen++ == 0) continue;
    std::string other = name + "-" + std::to_string(seen - 1);
    while (!taken.insert(other).second) other = name + "-" + std::to_string(seen++);
    name = other;
    ++renamed;
  }
  if (renamed > 0) notes.push_back(std::to_string(renamed) + " genes have the name of another");
}

void check_rows(const AnnTable& table, const std::string& place, int64_t rows) {
  const auto fits = [rows](size_t n) { return static_cast<int64_t>(n) == rows; };
  if (!fits(table.names.size()))
    h5ad_fault(place, std::to_string(table.names.size()) + " names", std::to_string(rows));
  for (const auto& entry : table.columns) {
    const size_t size = rows_in(entry.second);
    if (!fits(size))
      h5ad_fault(place + "/" + entry.first, std::to_string(size) + " values", std::to_string(rows));
  }
}

template <class T>
std::vector<T> picked(const std::vector<T>& values, const std::vector<int64_t>& rows) {
  std::vector<T> out;
  for (const int64_t row : rows) out.push_back(values[static_cast<size_t>(row)]);
  return out;
}

}  // namespace

size_t rows_in(const Column& column) {
  return std::visit(
      [](const auto& v) {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, Categorical>)
          return v.codes.size();
        else
          return v.size();
      },
      column);
}

void finish(SingleCells& cells, bool raw) {
  const bool values = !cells.matrix.empty();
  const auto count = [](const AnnTable& t) { return static_cast<int64_t>(t.names.size()); };
  check_rows(cells.obs, "obs", values ? cells.x.rows : count(cells.obs));
  check_rows(cells.var, raw ? "raw/var" : "var", values ? cells.x.columns : count(cells.var));
  escape_all(cells.obs);
  escape_all(cells.var);
  make_unique(cells.var.names, cells.notes);
}

AnnTable picked(const AnnTable& table, const std::vector<int64_t>& rows) {
  AnnTable out{picked(table.names, rows), {}};
  for (const auto& [name, column] : table.columns)
    out.columns.emplace_back(
        name, std::visit(
                  [&rows](const auto& v) -> Column {
                    if constexpr (std::is_same_v<std::decay_t<decltype(v)>, Categorical>)
                      return Categorical{picked(v.codes, rows), v.categories, v.ordered};
                    else
                      return picked(v, rows);
                  },
                  column));
  return out;
}

CellFile keep_gene_expression(CellFile file) {
  SingleCells& head = file.head;
  std::vector<int64_t> kept;
  std::vector<int32_t> to(head.var.names.size(), -1);
  for (const auto& [name, column] : head.var.columns) {
    const auto* types = std::get_if<Categorical>(&column);
    if (name != "feature_types" || !types) continue;
    for (size_t g = 0; g < to.size(); ++g) {
      const int32_t code = types->codes[g];
      if (code < 0 || types->categories[static_cast<size_t>(code)] != expression) continue;
      to[g] = static_cast<int32_t>(kept.size());
      kept.push_back(static_cast<int64_t>(g));
    }
  }
  if (kept.empty() || kept.size() == to.size()) return file;
  head.notes.push_back(std::to_string(to.size() - kept.size()) +
                       " features are left out: they are no gene expression");
  head.var = picked(head.var, kept);
  head.x.columns = static_cast<int64_t>(kept.size());
  file.rows = [rows = std::move(file.rows), to, columns = head.x.columns](
                  const GiveRows& give, std::vector<std::string>& notes) {
    rows([&](const CsrMatrix& block) { give(renumbered(block, to, columns)); }, notes);
  };
  return file;
}

}  // namespace cytograd::io
