#pragma once

#include <string>

#include "cytograd/io/h5ad_extend.h"
#include "io/hdf5_writer.h"

/// @file
/// Single entries of an `.h5ad` file, as `write_h5ad` writes them.

namespace cytograd::io {

using UnsEntries = decltype(AnnData::uns);

void write_entry(hid_t parent, const std::string& name, const DenseMatrix& m);
void write_entry(hid_t parent, const std::string& name, const Column& column);
void write_entry(hid_t parent, const std::string& name, const UnsEntries::mapped_type& value);
/// A group of entries.
H5Id create_dict(hid_t parent, const std::string& name);

/// @return the number of cells, -1 where nothing tells it. @throws ValueError
int64_t check_additions(const AnnAdditions& more);

}  // namespace cytograd::io
