#pragma once

#include <string>
#include <vector>

#include "cytograd/io/h5ad.h"
#include "io/hdf5_reader.h"

/// @file
/// Tables of `.h5ad` files of all generations: obs, var, raw/var.

namespace cytograd::io {

/// "encoding "awkward-array" version 0.1.0", for messages.
std::string encoding_of(const Hdf5Reader& file, const std::string& place);
/// Categories from two arrays, codes from -1; categories may be whole numbers.
Categorical with_codes(const Hdf5Reader& file, const std::string& codes,
                       const std::string& categories);
/// Categories in order of first appearance.
Categorical from_texts(const std::vector<std::string>& texts);

/// The array at `place`, or one member of its compound values, as a column: strings, numbers,
/// flags.
/// @throws UnknownForm for other types
Column read_column(const Hdf5Reader& file, const std::string& place,
                   const std::string& member = "");
/// Members of the compound values at `place`, none for other arrays.
std::vector<std::string> members(const Hdf5Reader& file, const std::string& place);

/// A table: a group of columns (anndata from 0.7 on), or an array of compound values, whose
/// categories are at uns/NAME_categories. Columns that are of no known form are left out, with a
/// note.
AnnTable read_table(const Hdf5Reader& file, const std::string& place,
                    std::vector<std::string>& notes);

}  // namespace cytograd::io
