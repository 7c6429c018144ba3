#pragma once

#include <string>

#include "cytograd/core/tensor.h"

namespace cytograd {

/// Which triplets (anchor a, positive p, negative q) of a batch count; hinge h = d_ap - d_aq +
/// margin.
enum class Mining {
  batch_hard,     ///< per anchor the farthest positive and the nearest negative, ties to the lowest
                  ///< column; mean over anchors that have both, hinges of 0 included
  semi_hard,      ///< all with d_ap < d_aq < d_ap + margin
  all_hard,       ///< all with d_aq <= d_ap
  all_violating,  ///< all with h > 0
};

/// @throws ValueError listing the names
Mining mining_of(const std::string& name);

struct MiningOptions {
  Mining mining = Mining::batch_hard;
  double margin = 0.2;
  bool rows_are_columns = true;  ///< row a is column a too, and no positive of itself
};

/// A mean of hinges over chosen triplets is linear in the distances,
/// (sum_ij c_ij d_ij + margin active) / count, so mining gives the c_ij.
struct MinedTriplets {
  Tensor coefficients;  ///< c, whole numbers, shape and dtype of the distances
  Tensor counts;        ///< [2] int64: `count`, what the sum is divided by, and `active`, how many
                        ///< hinges are above 0
};

/// Chooses the triplets of anchors (rows) among samples (columns). No walk over all triplets: the
/// positives of an anchor are sorted and each negative finds its range of them, O(columns log
/// positives) per anchor. Nothing is read back from a device. The result is a constant.
/// A row with a NaN gets NaN coefficients and counts nothing.
/// @param distances [rows, columns]   @param row_labels [rows] int64
/// @param column_labels [columns] int64, on the same device
/// @throws ShapeError, also on CUDA for more columns than sort in a block's shared memory (8192 on
///         sm_90); DtypeError; DeviceError; ValueError if the margin is negative or not finite
MinedTriplets mine_triplets(const Tensor& distances, const Tensor& row_labels,
                            const Tensor& column_labels, const MiningOptions& options = {});

}  // namespace cytograd
