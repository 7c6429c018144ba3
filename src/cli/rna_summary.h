#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cytograd/rna/cell_source.h"

namespace cytograd::cli {

/// Keys cells, genes, obs, var, obsm, layers, matrices, values; docs/rna.md.
nlohmann::ordered_json summary_json(const rna::FileCells& cells);
/// The same for people.
std::string summary_text(const rna::FileCells& cells);

}  // namespace cytograd::cli
