#pragma once

#include "cytograd/io/single_cells.h"
#include "io/h5ad_child.h"

namespace cytograd::io {

/// Cells through the pipe between the child that reads a file and its parent, all but their values.
void send_head(Sender& to, const SingleCells& cells);
/// @throws ChildDied for parts that do not fit together
SingleCells receive_head(Receiver& from);

/// Some cells.
void send_rows(Sender& to, const CsrMatrix& x);
/// @throws ChildDied for what is no matrix of so many columns
CsrMatrix receive_rows(Receiver& from, int64_t columns);

}  // namespace cytograd::io
