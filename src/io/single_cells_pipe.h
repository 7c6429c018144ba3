#pragma once

#include "cytograd/io/single_cells.h"
#include "io/h5ad_child.h"

namespace cytograd::io {

/// Cells through the pipe between the child that reads a file and its parent.
void send(Sender& to, const SingleCells& cells);
/// @throws ChildDied for parts that do not fit together
SingleCells receive_single_cells(Receiver& from);

}  // namespace cytograd::io
