#include <algorithm>
#include <filesystem>
#include <map>

#include "cytograd/core/error.h"
#include "cytograd/multimodal/image_cells.h"
#include "cytograd/ops/index.h"
#include "cytograd/ops/shape.h"
#include "cytograd/umap/neighbors.h"
#include "multimodal/trajectory_parts.h"

namespace cytograd::multimodal {
namespace {

constexpr int64_t decoded_at_once = 16, masks_at_once = 64, nearest = 15;

}  // namespace

Tensor decode_frames(const Run& run, const Tensor& z) {
  const NoGrad no_grad;
  Tensors parts;
  for (int64_t begin = 0; begin < z.size(0); begin += decoded_at_once) {
    const int64_t end = std::min(z.size(0), begin + decoded_at_once);
    parts.push_back(run.decode_images(slice(z, 0, begin, end)).to(Device::cpu()));
  }
  return concat(parts, 0);
}

cluster::Curves decode_curves(const Run& run, const Tensor& z) {
  const NoGrad no_grad;
  const Tensor x = run.decode_genes(z);
  return {x.size(1), x.size(0), transpose(x, 0, 1).to_vector<double>()};
}

cluster::Curves columns(const cluster::Curves& curves, const std::vector<int64_t>& kept) {
  cluster::Curves out{curves.rows, static_cast<int64_t>(kept.size()), {}};
  out.values.reserve(static_cast<size_t>(curves.rows) * kept.size());
  for (int64_t i = 0; i < curves.rows; ++i)
    for (const int64_t k : kept) out.values.push_back(curves.row(i)[static_cast<size_t>(k)]);
  return out;
}

Tensor nearest_masks(const Tensor& cells, const Tensor& path,
                     const std::function<Tensor(const std::vector<int64_t>&)>& read) {
  const int64_t steps = path.size(0), k = std::min(nearest, cells.size(0));
  const Tensor z = path.to(Dtype::float32).contiguous();
  const umap::Neighbors found = umap::exact_neighbors(
      {cells.data<float>(), cells.size(0), cells.size(1)}, {z.data<float>(), steps, z.size(1)}, k);
  // Where each cell is needed, so that every mask is read once.
  std::map<int64_t, std::vector<int64_t>> needed;
  for (int64_t i = 0; i < steps; ++i)
    for (int64_t j = 0; j < k; ++j)
      needed[found.index[static_cast<size_t>(i * k + j)]].push_back(i);
  std::vector<int64_t> rows;
  for (const auto& [row, at] : needed) rows.push_back(row);
  std::vector<double> sums;
  int64_t side = 0;
  for (size_t begin = 0; begin < rows.size(); begin += masks_at_once) {
    const std::vector<int64_t> some(
        rows.begin() + static_cast<int64_t>(begin),
        rows.begin() + static_cast<int64_t>(std::min(rows.size(), begin + masks_at_once)));
    const Tensor masks = read(some);
    side = masks.size(1);
    const auto pixels = static_cast<size_t>(side * masks.size(2));
    sums.resize(static_cast<size_t>(steps) * pixels, 0.0);
    const std::vector<float> values = masks.to_vector<float>();
    for (size_t r = 0; r < some.size(); ++r)
      for (const int64_t step : needed[some[r]])
        for (size_t p = 0; p < pixels; ++p)
          sums[static_cast<size_t>(step) * pixels + p] +=
              static_cast<double>(values[r * pixels + p]) / static_cast<double>(k);
  }
  return Tensor::from(sums, {steps, side, side}).to(Dtype::float32);
}

Tensor masks_along(const Run& run, const Tensor& path, std::vector<std::string>& notes) {
  std::error_code error;
  if (run.images_file.empty() || !std::filesystem::exists(run.images_file, error)) {
    notes.push_back("the file of images" +
                    (run.images_file.empty() ? "" : " " + escape_control(run.images_file)) +
                    " is not there (--images names another): no masks, and no morphology along "
                    "the path");
    return {};
  }
  const ImageCells file(run.images_file, {.keep_undetected = true, .keep_empty = true});
  run.require_detector(file.detector(), run.images_file);  // masks are the detector's too
  std::map<std::string, int64_t> row_of;
  for (size_t i = 0; i < file.names().size(); ++i)
    row_of.emplace(file.names()[i], static_cast<int64_t>(i));
  std::vector<int64_t> with, rows;  // of the run, of the file
  for (size_t i = 0; i < run.image_cells.names.size(); ++i)
    if (const auto at = row_of.find(run.image_cells.names[i]); at != row_of.end()) {
      with.push_back(static_cast<int64_t>(i));
      rows.push_back(at->second);
    }
  if (with.size() < run.image_cells.names.size())
    notes.push_back(std::to_string(run.image_cells.names.size() - with.size()) +
                    " image cells are not in " + escape_control(run.images_file) +
                    ": the masks are of the others");
  if (with.empty()) return {};
  const Tensor cells = index_select(cells_of(run.image_cells), 0, Tensor::from(with));
  return nearest_masks(cells, path, [&](const std::vector<int64_t>& wanted) {
    std::vector<int64_t> of_file;
    for (const int64_t row : wanted) of_file.push_back(rows[static_cast<size_t>(row)]);
    return file.batch(of_file).mask;
  });
}

}  // namespace cytograd::multimodal
