#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/io/h5ad.h"

namespace cytograd {

/// What `extend_h5ad` puts into a file; names as for AnnData.
struct AnnAdditions {
  std::map<std::string, DenseMatrix> obsm = {};          ///< [cells, any], e.g. "X_cyto_embedding"
  std::vector<std::pair<std::string, Column>> obs = {};  ///< one value per cell
  decltype(AnnData::uns) uns = {};
};

/// Writes a copy of the `.h5ad` file `from` with more in it; entries of the same name are replaced.
/// All else stays as it is, also what this library cannot read. Into files of anndata 0.7, whose
/// columns are arrays only, categories go as texts. `to` appears when complete, and may be `from`.
/// @throws ValueError where names are not allowed or sizes differ among themselves; FileError;
/// DataError h5ad.form for a file of other cells, or of anndata before 0.7; h5ad.crash
void extend_h5ad(const std::string& from, const std::string& to, const AnnAdditions& more);

}  // namespace cytograd
