#include "multimodal/rna_cells_columns.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "io/sparse_rows.h"

namespace cytograd::multimodal {
namespace {

using Texts = std::vector<std::string>;

// What a column says of each cell; code -1 is missing.
struct Kinds {
  Texts names;
  std::vector<int64_t> codes;
};

std::string list_of(const AnnTable& table) {
  std::string out;
  for (const auto& [name, column] : table.columns) out += (out.empty() ? "" : ", ") + name;
  return out.empty() ? "no column at all" : out;
}

const Column* find(const AnnTable& table, const std::string& name) {
  for (const auto& [key, column] : table.columns)
    if (key == name) return &column;
  return nullptr;
}

[[noreturn]] void no_column(const std::string& path, const AnnTable& obs, const std::string& place,
                            const std::string& hint) {
  throw DataError(Fault{"h5ad.form", path, place, "no such column",
                        "one of the columns of obs: " + list_of(obs), hint});
}

// "" where a value is missing.
Texts texts_of(const Column& column, const std::string& path, const std::string& place) {
  if (const auto* texts = std::get_if<Texts>(&column)) return *texts;
  Texts out;
  if (const auto* c = std::get_if<Categorical>(&column)) {
    for (const int32_t code : c->codes)
      out.push_back(code < 0 ? "" : c->categories[static_cast<size_t>(code)]);
  } else if (const auto* numbers = std::get_if<std::vector<int64_t>>(&column)) {
    for (const int64_t v : *numbers) out.push_back(std::to_string(v));
  } else if (const auto* reals = std::get_if<std::vector<double>>(&column)) {
    // Whole numbers with missing ones among them are stored so.
    for (const double v : *reals) {
      if (!std::isnan(v) && v != std::floor(v))
        throw DataError(Fault{"h5ad.form", path, place, "measurements, such as " + format_double(v),
                              "names of kinds", "name another column"});
      out.push_back(std::isnan(v) ? "" : format_double(v));
    }
  } else {
    for (const bool v : std::get<std::vector<bool>>(column)) out.push_back(v ? "true" : "false");
  }
  return out;
}

// Categories in the order of the file, others in that of their first cell.
Kinds kinds_of(const AnnTable& obs, const std::string& name, const std::string& path) {
  const std::string place = "obs/" + name;
  const Column* column = find(obs, name);
  if (!column) no_column(path, obs, place, "");
  Kinds out;
  if (const auto* c = std::get_if<Categorical>(column)) {
    out.names = c->categories;
    for (const int32_t code : c->codes)  // a blank name is none
      out.codes.push_back(code < 0 || out.names[static_cast<size_t>(code)].empty() ? -1 : code);
    return out;
  }
  std::map<std::string, int64_t> codes;
  for (const std::string& text : texts_of(*column, path, place)) {
    if (text.empty()) {
      out.codes.push_back(-1);
      continue;
    }
    const auto [at, is_new] = codes.emplace(text, static_cast<int64_t>(out.names.size()));
    if (is_new) out.names.push_back(text);
    out.codes.push_back(at->second);
  }
  return out;
}

// LABEL_TISSUE, the tissues of a label together.
Kinds joined(const Kinds& label, const Kinds& tissue) {
  Kinds out;
  for (const std::string& l : label.names)
    for (const std::string& t : tissue.names) out.names.push_back(l + "_" + t);
  const auto tissues = static_cast<int64_t>(tissue.names.size());
  for (size_t i = 0; i < label.codes.size(); ++i)
    out.codes.push_back(label.codes[i] < 0 || tissue.codes[i] < 0
                            ? -1
                            : label.codes[i] * tissues + tissue.codes[i]);
  return out;
}

std::string label_column(const AnnTable& obs, const RnaCellOptions& options,
                         const std::string& path, bool needed) {
  if (!options.label_column.empty()) return options.label_column;
  for (const char* name : {"cell_type", "celltype", "CellType", "cell_ontology_class", "louvain"})
    if (find(obs, name)) return name;
  if (needed) no_column(path, obs, "obs/cell_type", "name the column of the labels");
  return "";
}

std::string counted(int64_t n, const std::string& what) {
  return std::to_string(n) + (n == 1 ? " cell " : " cells ") + what;
}

// Which kinds are left out. @throws DataError class.unknown
std::vector<bool> dropped(const Kinds& label, const Kinds& kinds, const Texts& drop) {
  std::vector<bool> out(kinds.names.size(), false);
  const size_t per_label = label.names.empty() ? 1 : kinds.names.size() / label.names.size();
  for (const std::string& name : drop) {
    bool known = false;
    for (size_t k = 0; k < kinds.names.size(); ++k)
      if (kinds.names[k] == name || label.names[k / per_label] == name) out[k] = known = true;
    if (known) continue;
    std::string list;
    for (const std::string& n : kinds.names) list += (list.empty() ? "" : ", ") + n;
    const std::string near = nearest_name(name, kinds.names);
    throw DataError(Fault{"class.unknown", "", "", "no RNA class \"" + name + "\" to leave out",
                          "one of " + list, near.empty() ? "" : "did you mean " + near + "?"});
  }
  return out;
}

// Classes and labels of the cells that are kept: those that have cells, in their order.
void set_classes(RnaCells& out, const Kinds& kinds, const std::vector<int64_t>& rows) {
  std::vector<int64_t> count(kinds.names.size(), 0), place(kinds.names.size(), -1);
  for (const int64_t row : rows)
    if (const int64_t code = kinds.codes[static_cast<size_t>(row)]; code >= 0)
      ++count[static_cast<size_t>(code)];
  for (size_t k = 0; k < count.size(); ++k) {
    if (count[k] == 0) continue;
    place[k] = static_cast<int64_t>(out.classes.size());
    out.classes.push_back(kinds.names[k]);
  }
  for (const int64_t row : rows) {
    const int64_t code = kinds.codes[static_cast<size_t>(row)];
    out.labels.push_back(code < 0 ? -1 : place[static_cast<size_t>(code)]);
  }
}

void require_two(const RnaCells& cells, const std::string& path) {
  std::vector<int64_t> count(cells.classes.size(), 0);
  for (const int64_t label : cells.labels) ++count[static_cast<size_t>(label)];
  for (size_t k = 0; k < count.size(); ++k)
    if (count[k] < 2)
      throw DataError(Fault{"class.missing", path, "", "one cell of RNA class " + cells.classes[k],
                            "two at least, for a covariance", "leave the class out"});
}

Tensor reference_of(const SingleCells& head, const std::string& path, const std::string& entry,
                    const std::vector<int64_t>& rows) {
  const std::string name = entry.starts_with("obsm/") ? entry.substr(5) : entry;
  const auto found = head.obsm.find(name);
  if (found == head.obsm.end()) {
    std::string list;
    for (const auto& [key, m] : head.obsm) list += (list.empty() ? "" : ", ") + key;
    throw DataError(Fault{"h5ad.form", path, "obsm/" + name, "no such array",
                          "one of obsm: " + (list.empty() ? "it holds none" : list), ""});
  }
  const DenseMatrix& m = found->second;
  if (m.columns != latent_width)
    throw DataError(Fault{"h5ad.form", path, "obsm/" + name, std::to_string(m.columns) + " columns",
                          std::to_string(latent_width) + " as the latent space has", ""});
  std::vector<float> values;
  for (const int64_t row : rows)
    for (int64_t k = 0; k < m.columns; ++k) {
      values.push_back(m.values[static_cast<size_t>(row * m.columns + k)]);
      if (!std::isfinite(values.back()))
        throw DataError(Fault{"h5ad.form", path,
                              "obsm/" + name + ", cell " + head.obs.names[static_cast<size_t>(row)],
                              "a value that is not finite", "finite values", ""});
    }
  return Tensor::from(values, Shape{static_cast<int64_t>(rows.size()), m.columns});
}

}  // namespace

ChosenRnaCells choose_cells(const SingleCells& head, const std::string& path,
                            const RnaCellOptions& options, bool unlabelled) {
  const size_t n = head.obs.names.size();
  const std::string column = label_column(head.obs, options, path, !unlabelled);
  Kinds label{{}, std::vector<int64_t>(n, -1)};
  if (!column.empty()) label = kinds_of(head.obs, column, path);
  const Kinds kinds = options.tissue_column.empty()
                          ? label
                          : joined(label, kinds_of(head.obs, options.tissue_column, path));
  const std::vector<bool> drop = dropped(label, kinds, options.drop_classes);
  ChosenRnaCells out;
  int64_t missing = 0, left_out = 0;
  for (size_t i = 0; i < n; ++i) {
    const int64_t code = kinds.codes[i];
    missing += code < 0;
    if (code >= 0 && drop[static_cast<size_t>(code)]) {
      ++left_out;
    } else if (code >= 0 || unlabelled) {
      out.rows.push_back(static_cast<int64_t>(i));
      out.cells.names.push_back(head.obs.names[i]);
    }
  }
  RnaCells& cells = out.cells;
  cells.notes = head.notes;
  const std::string without =
      "without a label in obs/" + column +
      (options.tissue_column.empty() ? "" : " or obs/" + options.tissue_column);
  if (column.empty())
    cells.notes.push_back("no column of labels in obs");
  else if (missing > 0)
    cells.notes.push_back(counted(missing, without + (unlabelled ? "" : " left out")));
  if (left_out > 0)
    cells.notes.push_back(counted(left_out, "of classes that are not wanted left out"));
  if (out.rows.empty())
    throw DataError(Fault{"data.empty", path, "", "no cell that is labelled and wanted",
                          "two of a class at least", ""});
  set_classes(cells, kinds, out.rows);
  if (!unlabelled) require_two(cells, path);
  if (!options.group_column.empty()) {
    const std::string place = "obs/" + options.group_column;
    const Column* groups = find(head.obs, options.group_column);
    if (!groups) no_column(path, head.obs, place, "");
    const Texts all = texts_of(*groups, path, place);
    for (const int64_t row : out.rows) cells.groups.push_back(all[static_cast<size_t>(row)]);
  }
  if (!options.reference.empty())
    cells.reference = reference_of(head, path, options.reference, out.rows);
  cells.x = io::empty_rows(static_cast<int64_t>(out.rows.size()), 0);
  cells.x.indptr.assign(out.rows.size() + 1, 0);
  return out;
}

std::string without_version(const std::string& gene) {
  const size_t dot = gene.find_last_of('.');
  if (!gene.starts_with("ENS") || dot == std::string::npos || dot + 1 == gene.size() ||
      gene.find_first_not_of("0123456789", dot + 1) != std::string::npos)
    return gene;
  return gene.substr(0, dot);
}

std::vector<Texts> gene_names_of(const AnnTable& var) {
  std::vector<Texts> out = {var.names};
  for (const char* name : {"feature_name", "gene_symbol", "gene_symbols", "gene_name", "gene_ids"})
    if (const Column* column = find(var, name))
      if (std::holds_alternative<Texts>(*column) || std::holds_alternative<Categorical>(*column))
        out.push_back(texts_of(*column, "", std::string("var/") + name));
  return out;
}

Texts symbols_of(const AnnTable& var) {
  const bool ensembl =
      !var.names.empty() && std::all_of(var.names.begin(), var.names.end(),
                                        [](const auto& n) { return n.starts_with("ENS"); });
  const std::vector<Texts> all = gene_names_of(var);
  if (!ensembl || all.size() < 2) return var.names;
  Texts out = all[1];
  for (size_t g = 0; g < out.size(); ++g)
    if (out[g].empty()) out[g] = var.names[g];
  std::set<std::string> taken(out.begin(), out.end()), met;
  std::map<std::string, int64_t> again;
  for (std::string& name : out) {
    if (met.insert(name).second) continue;
    std::string numbered;
    do numbered = name + "-" + std::to_string(++again[name]);
    while (!taken.insert(numbered).second);
    name = numbered;
  }
  return out;
}

}  // namespace cytograd::multimodal
