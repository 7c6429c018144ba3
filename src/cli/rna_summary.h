#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "cytograd/io/single_cells.h"

namespace cytograd::cli {

/// Keys cells, genes, obs, var, obsm, layers, matrices, values; docs/rna.md.
nlohmann::ordered_json summary_json(const SingleCells& cells);
/// The same for people.
std::string summary_text(const SingleCells& cells);

}  // namespace cytograd::cli
