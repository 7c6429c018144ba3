#include "cytograd/ops/mine_triplets.h"

#include <cmath>

#include "kernels/mine_triplets.h"
#include "ops/common.h"

namespace cytograd {

Mining mining_of(const std::string& name) {
  if (name == "batch_hard") return Mining::batch_hard;
  if (name == "semi_hard") return Mining::semi_hard;
  if (name == "all_hard") return Mining::all_hard;
  check<ValueError>(name == "all_violating", "mining",
                    "expects batch_hard, semi_hard, all_hard or all_violating, got ", name);
  return Mining::all_violating;
}

MinedTriplets mine_triplets(const Tensor& distances, const Tensor& row_labels,
                            const Tensor& column_labels, const MiningOptions& options) {
  constexpr const char* op = "mine_triplets";
  check<ShapeError>(distances.ndim() == 2 && row_labels.shape() == Shape{distances.size(0)} &&
                        column_labels.shape() == Shape{distances.size(1)},
                    op, "expects distances [R, C] and labels [R] and [C], got ", distances.shape(),
                    ", ", row_labels.shape(), " and ", column_labels.shape());
  check<ShapeError>(!options.rows_are_columns || distances.size(0) == distances.size(1), op,
                    "expects as many rows as columns where they are the same samples, got ",
                    distances.shape());
  check<DtypeError>(distances.dtype() == Dtype::float32 || distances.dtype() == Dtype::float64, op,
                    "distances expect float32 or float64, got ", distances.dtype());
  check<DtypeError>(row_labels.dtype() == Dtype::int64 && column_labels.dtype() == Dtype::int64, op,
                    "labels expect int64, got ", row_labels.dtype(), " and ",
                    column_labels.dtype());
  check<ValueError>(options.margin >= 0 && std::isfinite(options.margin), op,
                    "margin expects a finite number >= 0, got ", options.margin);
  check_device(op, distances, row_labels, "row labels");
  check_device(op, distances, column_labels, "column labels");
  const Device device = distances.device();
  MinedTriplets out{Tensor::empty(distances.shape(), distances.dtype(), device),
                    Tensor::zeros({2}, Dtype::int64, device)};
  if (distances.numel() == 0) return out;
  on_device(distances, [&](auto ctx) {
    kernels::mine_triplets(ctx, packed(distances.detach()), packed(row_labels),
                           packed(column_labels), options, out.coefficients, out.counts);
  });
  return out;
}

}  // namespace cytograd
