#pragma once

#include <cstdint>
#include <string>

#include "cytograd/multimodal/trajectory.h"

/// @file
/// Private: texts in the tables of a trajectory.

namespace cytograd::multimodal {

/// A name as a field of a table: control characters escaped, and an apostrophe before what a
/// spreadsheet would run as a formula.
std::string table_text(const std::string& name);

/// The name of a gene's cluster; "flat" for genes that are in none.
std::string cluster_name(const Trajectory& trajectory, int64_t gene);

}  // namespace cytograd::multimodal
