#include <algorithm>
#include <array>
#include <filesystem>

#include "cytograd/core/error.h"
#include "io/cell_file.h"
#include "io/count_table.h"
#include "io/matrix_market.h"
#include "io/system.h"

namespace cytograd::io {
namespace {

enum class Kind { hdf5, market, table, other };

constexpr std::string_view hdf5_magic = "\x89HDF\r\n\x1a\n";
constexpr const char* known_kinds =
    ".h5ad, 10x .h5, matrix.mtx with barcodes and features, or tables of counts";

bool is_hdf5(const FileSource& file) {
  std::array<char, hdf5_magic.size()> start{};
  // A user block of 512 bytes, doubled as often as it takes, may stand before the magic.
  for (uint64_t at = 0; at + start.size() <= file.size(); at = at == 0 ? 512 : 2 * at) {
    file.read(at, start.data(), start.size());
    if (std::string_view(start.data(), start.size()) == hdf5_magic) return true;
  }
  return false;
}

// By the magic or the first two lines.
Kind kind_of(const std::string& path) {
  if (is_hdf5(FileSource(path))) return Kind::hdf5;
  try {
    TextLines file(path);
    std::string_view line;
    if (!file.next(line)) return Kind::other;
    if (is_matrix_market(line)) return Kind::market;
    const std::string header(line);
    return file.next(line) && is_count_table(header, line) ? Kind::table : Kind::other;
  } catch (const DataError&) {
    return Kind::other;  // neither text nor whole gzip data
  }
}

CellFile open_hdf5(const std::string& path, const std::string& matrix) {
  const auto file = std::make_shared<const Hdf5Reader>(path);
  if (!is_tenx(*file)) return open_h5ad(file, matrix);
  if (!matrix.empty() && matrix != "X")
    h5ad_fault(matrix, "nothing of this name", "X, the only matrix of a 10x file");
  return open_tenx(file);
}

// A 10x file as one sample of several.
Sample tenx_sample(const std::string& path) {
  const auto file = std::make_shared<const Hdf5Reader>(path);
  if (!is_tenx(*file))
    throw DataError(Fault{"cells.form", path, "", "an .h5ad file in a folder of samples",
                          "samples as counts", "name the file instead of the folder"});
  CellFile open = open_tenx(file);
  Sample out;
  out.name = sample_name(path);
  out.file = path;
  out.cells = open.head.obs.names;
  out.genes = open.head.var;
  out.notes = open.head.notes;
  out.x = empty_rows(open.head.x.rows, open.head.x.columns);
  open.rows([&out](const CsrMatrix& block) { append_rows(out.x, block); }, out.notes);
  return out;
}

Sample sample_of(const std::string& path, Kind kind) {
  return kind == Kind::hdf5     ? tenx_sample(path)
         : kind == Kind::market ? read_market_sample(path)
                                : read_table_sample(path);
}

// Files that name cells and genes or tell about them; damaged tables of counts are not among them.
bool goes_with_others(const std::string& name) {
  for (const char* part : {".anno.", "barcodes.tsv", "features.tsv", "genes.tsv"})
    if (name.find(part) != std::string::npos) return true;
  return false;
}

bool looks_like_counts(const std::string& name) {
  for (const char* part : {".dem.", ".mtx", ".h5"})
    if (name.find(part) != std::string::npos) return true;
  return false;
}

CellFile open_folder(const std::string& folder) {
  std::vector<std::string> paths;
  std::error_code error;
  std::filesystem::directory_iterator entries(folder, error);
  if (error) throw_file_error(folder, "read", error.value());
  for (const auto& entry : entries)
    if (entry.is_regular_file() && !name_of_path(entry.path().string()).starts_with('.'))
      paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  std::vector<Sample> samples;
  for (const std::string& path : paths) {
    const std::string name = name_of_path(path);
    if (goes_with_others(name)) continue;
    Kind kind = kind_of(path);
    // Its reader says what is wrong with it.
    if (kind == Kind::other && looks_like_counts(name))
      kind = name.find(".mtx") != std::string::npos  ? Kind::market
             : name.find(".h5") != std::string::npos ? Kind::hdf5
                                                     : Kind::table;
    if (kind != Kind::other) samples.push_back(sample_of(path, kind));
  }
  if (samples.empty())
    throw DataError(Fault{"cells.form", folder, "",
                          std::to_string(paths.size()) + " files, none with cells", known_kinds,
                          ""});
  return joined(std::move(samples));
}

}  // namespace

CellFile open_cells(const std::string& path, const std::string& matrix) {
  const bool folder = std::filesystem::is_directory(path);
  Kind kind = folder ? Kind::other : kind_of(path);
  if (kind == Kind::hdf5) return open_hdf5(path, matrix);
  if (!matrix.empty() && matrix != "X")
    throw DataError(Fault{"cells.form", path, matrix, "nothing of this name",
                          "X, the only matrix of such files", ""});
  if (folder) return open_folder(path);
  const std::string name = name_of_path(path);
  if (kind == Kind::other && name.find(".h5") != std::string::npos) return open_hdf5(path, matrix);
  if (kind == Kind::other && looks_like_counts(name))
    kind = name.find(".mtx") != std::string::npos ? Kind::market : Kind::table;
  if (kind == Kind::other)
    throw DataError(Fault{"cells.form", path, "", "a file without cells", known_kinds, ""});
  std::vector<Sample> one;
  one.push_back(sample_of(path, kind));
  return joined(std::move(one));
}

}  // namespace cytograd::io
