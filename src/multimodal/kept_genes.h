#pragma once

#include <cstdint>
#include <vector>

#include "cytograd/multimodal/rna_cells.h"

/// @file
/// Private: genes that were chosen beforehand.

namespace cytograd::multimodal {

/// The cells with only these of their genes, rising; the scale is fitted again, on the rows
/// `training`. @throws ValueError for no genes, or one out of range or named twice
RnaCells with_genes(RnaCells cells, const std::vector<int64_t>& genes,
                    const std::vector<int64_t>& training);

}  // namespace cytograd::multimodal
