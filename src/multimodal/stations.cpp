#include <algorithm>
#include <cmath>
#include <numeric>

#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/io/text.h"
#include "cytograd/ops/index.h"
#include "cytograd/umap/neighbors.h"
#include "multimodal/trajectory_parts.h"

namespace cytograd::multimodal {
namespace {

bool has(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string joined(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + escape_control(name);
  return out;
}

const ClassPair* pair_named(const Run& run, const std::string& name) {
  for (const ClassPair& pair : run.map.pairs)
    if (pair.name == name) return &pair;
  return nullptr;
}

[[noreturn]] void unknown(const Run& run, const std::string& name, const std::string& found) {
  std::vector<std::string> all = run.image_cells.classes;
  all.insert(all.end(), run.rna_cells.classes.begin(), run.rna_cells.classes.end());
  for (const ClassPair& pair : run.map.pairs) all.push_back(pair.name);
  const std::string near = nearest_name(name, all);
  throw DataError(Fault{"class.unknown", run.path, "", found, known_stations(run),
                        near.empty() ? "" : "did you mean \"" + near + "\"?"});
}

std::vector<int64_t> rows_of(const LatentCells& cells, const std::vector<std::string>& classes) {
  std::vector<std::string> present;
  for (const std::string& name : classes)
    if (has(cells.classes, name)) present.push_back(name);
  return present.empty() ? std::vector<int64_t>() : cells.rows_of(present);
}

// Rows named so, or whose path ends so.
std::vector<int64_t> named(const LatentCells& cells, const std::string& name) {
  std::vector<int64_t> exact, ends;
  for (size_t i = 0; i < cells.names.size(); ++i) {
    if (cells.names[i] == name) exact.push_back(static_cast<int64_t>(i));
    if (cells.names[i].ends_with("/" + name)) ends.push_back(static_cast<int64_t>(i));
  }
  return exact.empty() ? ends : exact;
}

Station one_cell(const Run& run, const std::string& station, const std::string& name) {
  for (const bool image : {true, false}) {
    const LatentCells& cells = image ? run.image_cells : run.rna_cells;
    const std::vector<int64_t> rows = named(cells, name);
    if (rows.empty()) continue;
    if (rows.size() > 1)
      unknown(run, name, std::to_string(rows.size()) + " cells are named \"" + name + "\"");
    const int64_t label = cells.labels.at(static_cast<size_t>(rows[0]));
    Station out{station, image, rows, {}, ""};
    for (size_t i = 0; i < cells.labels.size(); ++i)
      if (label < 0 || cells.labels[i] == label) out.class_rows.push_back(static_cast<int64_t>(i));
    out.note = "\"" + station + "\" is one " + (image ? "image" : "RNA") + " cell, " +
               (label < 0 ? "of unknown class"
                          : "of class " + cells.classes.at(static_cast<size_t>(label)));
    return out;
  }
  unknown(run, name, "no cell is named \"" + name + "\"");
}

std::vector<double> squared_distances(const Tensor& path, const std::vector<double>& to) {
  const std::vector<double> z = path.to_vector<double>();
  std::vector<double> out(static_cast<size_t>(path.size(0)), 0.0);
  for (size_t i = 0; i < z.size(); ++i) {
    const double off = z[i] - to[i % to.size()];
    out[i / to.size()] += off * off;
  }
  return out;
}

}  // namespace

std::string known_stations(const Run& run) {
  std::vector<std::string> pairs;
  for (const ClassPair& pair : run.map.pairs) pairs.push_back(pair.name);
  std::string out = "a class of images (" + joined(run.image_cells.classes) + ") or of RNA (" +
                    joined(run.rna_cells.classes) + ")";
  if (!pairs.empty()) out += ", a name of the class map (" + joined(pairs) + ")";
  return out + " or cell:NAME";
}

std::vector<std::string> image_classes_of(const Run& run, const std::string& name) {
  if (has(run.image_cells.classes, name)) return {name};
  const ClassPair* pair = pair_named(run, name);
  return pair ? pair->image : std::vector<std::string>();
}

Station find_station(const Run& run, const std::string& name) {
  if (name.starts_with("cell:")) return one_cell(run, name, name.substr(5));
  const ClassPair* pair = pair_named(run, name);
  const std::vector<std::string> image = image_classes_of(run, name);
  const std::vector<std::string> rna = has(run.rna_cells.classes, name) ? std::vector{name}
                                       : pair                           ? pair->rna
                                              : std::vector<std::string>();
  if (image.empty() && rna.empty()) unknown(run, name, "no class \"" + name + "\"");
  Station out{name, true, rows_of(run.image_cells, image), {}, ""};
  if (out.rows.empty()) {
    out.image = false;
    out.rows = rows_of(run.rna_cells, rna);
  }
  if (out.rows.empty())
    throw DataError(Fault{"class.missing", run.path, "",
                          "neither images nor RNA have a cell of \"" + name + "\"",
                          "at least one cell", ""});
  out.class_rows = out.rows;
  const std::vector<std::string>& classes = out.image ? image : rna;
  out.note = "\"" + name + "\" is " + std::to_string(out.rows.size()) +
             (out.image ? " image" : " RNA") + (out.rows.size() == 1 ? " cell" : " cells") +
             (classes == std::vector{name} ? "" : " of " + joined(classes));
  return out;
}

Tensor cells_of(const LatentCells& cells) {
  if (!cells.mu.defined()) return Tensor::zeros({0, models::ImageVae::latent});
  check<ShapeError>(cells.mu.ndim() == 2 && cells.mu.size(1) == models::ImageVae::latent &&
                        cells.mu.size(0) == static_cast<int64_t>(cells.names.size()),
                    "make_trajectory", "latents expect [", cells.names.size(), ", 50], got ",
                    cells.mu.shape());
  return cells.mu.detach().to(Device::cpu()).to(Dtype::float32).contiguous();
}

Tensor latents_of(const Run& run, const Station& station) {
  return index_select(cells_of(station.image ? run.image_cells : run.rna_cells), 0,
                      Tensor::from(station.rows));
}

int64_t medoid(const Tensor& cells) {
  const int64_t n = cells.size(0), d = cells.size(1);
  const auto* z = cells.data<float>();
  std::vector<double> sums(static_cast<size_t>(n), 0.0);
  parallel_for(n, 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      for (int64_t j = 0; j < n; ++j)
        sums[static_cast<size_t>(i)] += umap::distance(z + i * d, z + j * d, d);
  });
  return std::min_element(sums.begin(), sums.end()) - sums.begin();
}

Tensor centre_of(const Run& run, const Station& station) {
  const Tensor cells = latents_of(run, station);
  const Tensor row = index_select(cells, 0, Tensor::from(std::vector<int64_t>{medoid(cells)}));
  return row.as_strided({cells.size(1)}, {1}, row.offset());
}

std::vector<double> class_variances(const Run& run, const Station& station) {
  Station peers = station;
  peers.rows = station.class_rows;
  const Tensor cells = latents_of(run, peers);
  const std::vector<double> z = cells.to_vector<double>();
  const auto d = static_cast<size_t>(cells.size(1));
  const auto n = static_cast<double>(cells.size(0));
  std::vector<double> mean(d, 0.0), out(d, 0.0);
  for (size_t i = 0; i < z.size(); ++i) mean[i % d] += z[i] / n;
  for (size_t i = 0; i < z.size(); ++i)
    out[i % d] += (z[i] - mean[i % d]) * (z[i] - mean[i % d]) / std::max(n - 1, 1.0);
  return out;
}

std::vector<std::string> order_notes(const Run& run, const std::vector<Station>& stations,
                                     const Tensor& mean, const std::vector<double>& t) {
  std::vector<std::string> out;
  double before = -1;
  for (size_t s = 0; s < stations.size(); ++s) {
    const Tensor cells = latents_of(run, stations[s]);
    const std::vector<double> z = cells.to_vector<double>();
    const auto d = static_cast<size_t>(cells.size(1));
    std::vector<double> centre(d, 0.0);
    for (size_t i = 0; i < z.size(); ++i)
      centre[i % d] += z[i] / static_cast<double>(cells.size(0));
    const std::vector<double> far = squared_distances(mean, centre);
    const double at =
        t[static_cast<size_t>(std::min_element(far.begin(), far.end()) - far.begin())];
    if (s > 0 && at < before)
      out.push_back("the path comes nearest to \"" + stations[s].name +
                    "\" (t = " + format_fixed(at, 2) + ") before \"" + stations[s - 1].name +
                    "\" (t = " + format_fixed(before, 2) + ")");
    before = at;
  }
  return out;
}

}  // namespace cytograd::multimodal
