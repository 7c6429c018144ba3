#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cytograd/train/config.h"

/// @file
/// Many runs from one file: settings as in config.toml, and tables [[cells]] whose entries are
/// names of options with a value or a list of values.
///
///     [data]
///     path = "PBC"
///     [[cells]]
///     method = "ce"
///     growing = [false, true]
///     embedding = [2, 64]

namespace cytograd {

/// One combination of the values of a table.
struct GridCell {
  std::string name;  ///< a folder's name: "ce-growing-64", or as `name` in the table says
  std::vector<std::pair<std::string, std::string>> values;  ///< option without "--", text
};

/// Reads the cells; one without values, named "run", if there are none.
/// @throws ConfigError with file:line:column for unknown options, two cells of one name; FileError
std::vector<GridCell> read_grid_cells(const std::string& path);

/// The settings of a cell on top of others. @param protocol with the defaults of guided embeddings
/// for every method @throws ConfigError
ResolvedConfig cell_config(const ResolvedConfig& base, const GridCell& cell,
                           const std::string& path, bool protocol = true);

}  // namespace cytograd
