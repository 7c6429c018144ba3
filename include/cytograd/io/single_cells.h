#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cytograd/io/h5ad.h"

/// @file
/// Cells and genes from files: `.h5ad` of any generation, HDF5 of 10x Genomics, MatrixMarket,
/// tables of counts; docs/formats/h5ad.md, docs/formats/cells.md.

namespace cytograd {

/// A matrix that a file holds.
struct StoredMatrix {
  std::string name;  ///< "X", "raw/X", "layers/NAME", "obsm/NAME"
  std::string kind;  ///< "array", "csr_matrix", "csc_matrix"; "" for what this reader does not know
  int64_t rows = 0, columns = 0;
};

struct SingleCells {
  std::string matrix;  ///< which one `x` is, "" for none
  CsrMatrix x;         ///< [cells, genes]; zeros are not stored, NaN and infinity are
  AnnTable obs;        ///< one row per cell
  AnnTable var;        ///< one row per gene of x; a name met again has "-1", "-2" behind it
  std::map<std::string, DenseMatrix> obsm;  ///< the dense ones
  std::vector<StoredMatrix> stored;         ///< all of the file
  std::vector<std::string> notes;           ///< what was summed, sorted or left out
};

/// Reads cells and genes; which format it is shows from the content.
/// - `.h5ad`: `matrix` ("X", "raw/X" or "layers/NAME"; dense, csr or csc; any number type), obs,
/// the
///   genes (those of raw for "raw/X") and the dense entries of obsm.
/// - 10x `.h5`: Cell Ranger from version 3 on (features of gene expression) and before (one
/// genome).
/// - a MatrixMarket file, or the folder that holds it, with barcodes.tsv and features.tsv or
///   genes.tsv beside it; plain or gzip.
/// - a table of counts, genes by cells, with NAME.anno.* beside it; plain or gzip; as GEO has them.
/// - a folder of several of the last three: one after the other, with a column obs/sample.
///
/// Matrices are never filled in. Unsorted entries of a row are sorted, repeated ones summed. Counts
/// of text files have to be finite and at least 0.
/// @param matrix  "" for X, or for none if the file has no X; other formats have only X
/// A child process reads, as for `read_h5ad_table`. @throws as that; DataError cells.form, with
/// file and line, and h5ad.genes where samples have other genes
SingleCells read_single_cells(const std::string& path, const std::string& matrix = "");

/// Takes cells first, first + 1, ... of a file; `head` is all of the result but x and late notes.
using TakeCells = std::function<void(const SingleCells& head, int64_t first, CsrMatrix rows)>;
/// The same in blocks of some million values, in the order of the file. Where a file keeps cells
/// together (csr, dense, 10x HDF5) neither process holds more than a block; other forms are held as
/// compressed rows by the child.
/// @return all but the values: x has only its sizes. What `take` throws ends the reading
SingleCells read_single_cells(const std::string& path, const std::string& matrix,
                              const TakeCells& take);

}  // namespace cytograd
