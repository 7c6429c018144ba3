#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <set>

#include "cytograd/core/error.h"
#include "io/cell_file.h"
#include "io/count_table.h"
#include "io/h5ad_columns.h"
#include "io/matrix_market.h"
#include "io/system.h"

namespace cytograd::io {
namespace {

bool is_file(const std::string& path) {
  std::error_code error;
  return std::filesystem::is_regular_file(path, error);
}

// The first of these that exists, plain or compressed.
std::optional<std::string> first_of(const std::string& start,
                                    const std::vector<std::string>& ends) {
  for (const std::string& end : ends)
    for (const char* packed : {"", ".gz"})
      if (is_file(start + end + packed)) return start + end + packed;
  return std::nullopt;
}

// What stands before "matrix.mtx" in the name: samples of one folder have names in front.
std::string start_of(const std::string& matrix_file) {
  const std::string folder = folder_of(matrix_file), name = name_of_path(matrix_file);
  const size_t at = name.rfind("matrix.mtx");
  return folder + "/" + (at == std::string::npos ? "" : name.substr(0, at));
}

std::vector<std::vector<std::string>> read_columns(const std::string& path) {
  TextLines file(path);
  std::vector<std::vector<std::string>> out;
  std::string_view line;
  while (file.next(line)) {
    if (line.empty()) continue;
    std::vector<std::string> fields;
    for (size_t at = 0; at != std::string_view::npos;) {
      const size_t end = line.find('\t', at);
      fields.emplace_back(line.substr(at, end - at));
      at = end == std::string_view::npos ? end : end + 1;
    }
    if (!out.empty() && fields.size() != out[0].size())
      file.fail(std::to_string(fields.size()) + " fields",
                std::to_string(out[0].size()) + ", as in the lines before");
    out.push_back(std::move(fields));
  }
  return out;
}

std::vector<std::string> column(const std::vector<std::vector<std::string>>& rows, size_t index) {
  std::vector<std::string> out;
  for (const auto& row : rows) out.push_back(row[index]);
  return out;
}

AnnTable market_genes(const std::string& path) {
  const auto rows = read_columns(path);
  const size_t width = rows.empty() ? 0 : rows[0].size();
  if (width < 2) return {rows.empty() ? std::vector<std::string>() : column(rows, 0), {}};
  AnnTable out{column(rows, 1), {{"gene_ids", column(rows, 0)}}};
  if (width > 2) out.columns.emplace_back("feature_types", from_texts(column(rows, 2)));
  return out;
}

// Rows of `about` in the order of `cells`; "" where there is none.
void add_about(Sample& sample, const TextTable& about, const std::string& file) {
  std::map<std::string, size_t> place;
  for (size_t i = 0; i < about.names.size(); ++i) place[about.names[i]] = i;
  std::vector<std::optional<size_t>> rows;
  int64_t missing = 0;
  for (const std::string& cell : sample.cells) {
    const auto at = place.find(cell);
    rows.push_back(at == place.end() ? std::nullopt : std::optional(at->second));
    missing += at == place.end();
  }
  const auto cells = static_cast<int64_t>(sample.cells.size());
  if (missing == cells && cells > 0)
    throw DataError(Fault{"cells.form", file, "", "none of the cells of " + sample.file,
                          "a row per cell, beginning with " + sample.cells[0], ""});
  if (missing > 0)
    sample.notes.push_back(std::to_string(missing) + " cells of " + sample.name +
                           " have no row in " + escape_control(name_of_path(file)));
  const int64_t others = static_cast<int64_t>(about.names.size()) - (cells - missing);
  if (others > 0)
    sample.notes.push_back(std::to_string(others) + " rows of " +
                           escape_control(name_of_path(file)) + " belong to no cell");
  for (const auto& [name, texts] : about.columns) {
    std::vector<std::string> values;
    for (const auto& row : rows) values.push_back(row ? texts[*row] : "");
    sample.about.emplace_back(name, std::move(values));
  }
}

// The table about the cells of a sample: NAME.anno.*, whatever number stands in front.
std::optional<std::string> about_file(const std::string& table_file, const std::string& sample) {
  const std::string folder = folder_of(table_file);
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(folder, error)) {
    const std::string path = entry.path().string(), name = name_of_path(path);
    if (path != table_file && name.find(".anno.") != std::string::npos &&
        sample_name(name) == sample)
      found.push_back(path);
  }
  if (found.empty()) return std::nullopt;
  return *std::min_element(found.begin(), found.end());
}

// Genes of `sample` by their places among those of the first one. @throws DataError h5ad.genes
std::vector<int32_t> places_of_genes(const Sample& first, const Sample& sample) {
  std::map<std::string, int32_t> place;
  for (size_t g = 0; g < first.genes.names.size(); ++g)
    place[first.genes.names[g]] = static_cast<int32_t>(g);
  std::vector<int32_t> to;
  std::vector<std::string> unknown;
  for (const std::string& name : sample.genes.names) {
    const auto at = place.find(name);
    if (at == place.end())
      unknown.push_back(name);
    else
      to.push_back(at->second);
  }
  const size_t matched = to.size();
  std::sort(to.begin(), to.end());
  const bool twice = std::adjacent_find(to.begin(), to.end()) != to.end();
  if (!unknown.empty() || matched != first.genes.names.size() || twice)
    throw DataError(Fault{"h5ad.genes", sample.file, "",
                          std::to_string(matched) + " of the " +
                              std::to_string(first.genes.names.size()) + " genes of " + first.file +
                              ", and " + std::to_string(unknown.size()) + " others" +
                              (unknown.empty() ? "" : ", first " + unknown[0]),
                          "the same genes in all samples", "read the samples one by one"});
  to.clear();
  for (const std::string& name : sample.genes.names) to.push_back(place[name]);
  return to;
}

void add_cells(const std::vector<Sample>& samples, SingleCells& head) {
  std::vector<std::string> sample;
  std::set<std::string> seen;
  bool alike = false;
  for (const Sample& s : samples)
    for (const std::string& cell : s.cells) alike = !seen.insert(cell).second || alike;
  alike = alike && samples.size() > 1;
  for (const Sample& s : samples)
    for (const std::string& cell : s.cells) {
      head.obs.names.push_back(alike ? s.name + "_" + cell : cell);
      sample.push_back(s.name);
    }
  if (alike) head.notes.push_back("cells have the name of their sample in front: some are alike");
  if (samples.size() > 1) head.obs.columns.emplace_back("sample", from_texts(sample));
}

// Columns of any sample, in order of appearance; "" for cells of samples that have none.
void add_columns(const std::vector<Sample>& samples, SingleCells& head) {
  std::vector<std::string> names;
  for (const Sample& s : samples)
    for (const auto& [name, values] : s.about)
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  for (const std::string& wanted : names) {
    std::vector<std::string> all;
    for (const Sample& s : samples) {
      const auto at = std::find_if(s.about.begin(), s.about.end(),
                                   [&wanted](const auto& c) { return c.first == wanted; });
      if (at != s.about.end())
        all.insert(all.end(), at->second.begin(), at->second.end());
      else
        all.resize(all.size() + s.cells.size());
    }
    const bool taken = samples.size() > 1 && wanted == "sample";
    const std::string name = taken ? "sample_in_table" : wanted;
    if (auto typed = typed_column(all))
      head.obs.columns.emplace_back(name, std::move(*typed));
    else
      head.notes.push_back("obs/" + escape_control(name) + " is left out: it is empty");
  }
}

}  // namespace

std::string sample_name(const std::string& file) {
  std::string name = name_of_path(file);
  if (name.starts_with("GSM")) {
    const size_t end = name.find_first_not_of("0123456789", 3);
    if (end != std::string::npos && end > 3 && name[end] == '_') name = name.substr(end + 1);
  }
  const size_t matrix = name.rfind("matrix.mtx");
  if (matrix != std::string::npos && matrix > 0) return name.substr(0, matrix - 1);
  if (matrix == 0) return name_of_path(folder_of(file));
  return name.substr(0, name.find('.'));
}

Sample read_market_sample(const std::string& matrix_file) {
  const std::string start = start_of(matrix_file);
  const auto cells = first_of(start, {"barcodes.tsv"}),
             genes = first_of(start, {"features.tsv", "genes.tsv"});
  if (!cells || !genes)
    throw DataError(Fault{
        "cells.form", matrix_file, "",
        std::string("no ") + (cells ? "features.tsv or genes.tsv" : "barcodes.tsv") + " beside it",
        "the names of cells and genes, plain or .gz", ""});
  Sample out;
  out.name = sample_name(matrix_file);
  out.file = matrix_file;
  const auto barcodes = read_columns(*cells);
  if (!barcodes.empty()) out.cells = column(barcodes, 0);
  out.genes = market_genes(*genes);
  TextLines file(matrix_file);
  MarketMatrix m = read_matrix_market(file);
  const auto n = static_cast<int64_t>(out.cells.size()),
             g = static_cast<int64_t>(out.genes.names.size());
  if (m.rows == g && m.columns == n) {
    out.x = m.entries.take_turned(g, n);
  } else if (m.rows == n && m.columns == g) {
    out.x = m.entries.take(n, g);
    out.notes.push_back(escape_control(name_of_path(matrix_file)) + " has cells in its rows");
  } else {
    file.fail_file(std::to_string(m.rows) + " rows and " + std::to_string(m.columns) + " columns",
                   std::to_string(g) + " genes of " + name_of_path(*genes) + " and " +
                       std::to_string(n) + " cells of " + name_of_path(*cells));
  }
  Tidied tidied;
  tidy(out.x, tidied);
  tidied.add_to(out.notes);
  return out;
}

Sample read_table_sample(const std::string& table_file) {
  Sample out;
  out.name = sample_name(table_file);
  out.file = table_file;
  TextLines file(table_file);
  CountTable table = read_count_table(file);
  out.cells = std::move(table.cells);
  out.genes.names = std::move(table.genes);
  out.x = std::move(table.x);
  table.tidied.add_to(out.notes);
  if (const auto about = about_file(table_file, out.name)) {
    TextLines rows(*about);
    add_about(out, read_text_table(rows), *about);
  }
  return out;
}

CellFile joined(std::vector<Sample> samples) {
  CellFile out;
  SingleCells& head = out.head;
  head.matrix = "X";
  head.var = samples.front().genes;
  head.x.columns = samples.front().x.columns;
  for (size_t s = 1; s < samples.size(); ++s)
    if (samples[s].genes.names != samples[0].genes.names)
      samples[s].x =
          renumbered(samples[s].x, places_of_genes(samples[0], samples[s]), head.x.columns);
  for (const Sample& s : samples) {
    head.x.rows += s.x.rows;
    head.notes.insert(head.notes.end(), s.notes.begin(), s.notes.end());
  }
  head.stored.push_back({"X", "csr_matrix", head.x.rows, head.x.columns});
  add_cells(samples, head);
  add_columns(samples, head);
  finish(head);
  const auto kept = std::make_shared<std::vector<Sample>>(std::move(samples));
  out.rows = [kept](const GiveRows& give, std::vector<std::string>&) {
    for (Sample& s : *kept) {
      for (int64_t first = 0; first < s.x.rows;) {
        const int64_t count = rows_within(s.x.indptr, first, block_values);
        give(rows_of(s.x, first, count));
        first += count;
      }
      s.x = CsrMatrix();  // the parent has it now
    }
  };
  return keep_gene_expression(std::move(out));
}

}  // namespace cytograd::io
