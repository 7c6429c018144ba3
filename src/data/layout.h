#pragma once

#include <string>
#include <vector>

#include "cytograd/data/dataset.h"

/// @file
/// Private: walking folders, and the reader of each layout. Readers fill everything but check
/// nothing that needs the content of an image.

namespace cytograd::layout {

std::string join(const std::string& folder, const std::string& name);
/// Last part of a path; trailing slashes are ignored.
std::string base_name(const std::string& path);
std::string parent_of(const std::string& path);
/// Without the extension.
std::string stem(const std::string& path);
bool exists(const std::string& path);
bool is_folder(const std::string& path);
bool is_file(const std::string& path);
/// Names of the folders directly below, sorted by bytes; hidden ones are left out.
std::vector<std::string> subfolders(const std::string& folder);
/// Paths, relative to `root`, of the images below root/relative, sorted by bytes. Hidden files and
/// other file types become notes. @throws FileError
std::vector<std::string> list_images(Dataset& dataset, const std::string& root,
                                     const std::string& relative);
/// Whether images lie directly in this folder, in none of their own.
bool has_loose_images(const std::string& folder);
/// Whether the name ends in an extension of a supported image format.
bool has_image_extension(const std::string& name);

/// Index of `name` in `names`, appended if new.
int64_t intern(std::vector<std::string>& names, const std::string& name);
/// Sorts the classes by name (by number if all are numbers) and renumbers the labels.
void sort_classes(Dataset& dataset);
/// Drops classes without samples.
void prune_classes(Dataset& dataset);

Dataset load_folder(const DatasetOptions& options);
Dataset load_manifest(const DatasetOptions& options);
Dataset load_images(const DatasetOptions& options);
Dataset load_wbc_seg(const DatasetOptions& options);
Dataset load_bccd(const DatasetOptions& options);
Dataset load_pbc(const DatasetOptions& options);
Dataset load_matek19(const DatasetOptions& options);
Dataset load_acevedo20(const DatasetOptions& options);
Dataset load_mll23(const DatasetOptions& options);

/// Where the layout of a preset begins: `path` or a known folder below it; "" if not this layout.
std::string find_wbc_seg(const std::string& path);
std::string find_bccd(const std::string& path);
std::string find_pbc(const std::string& path);
std::string find_matek19(const std::string& path);
std::string find_mll23(const std::string& path);
/// The manifest that `cyto synth` and others leave in a folder: manifest.csv or cells.csv with the
/// columns path and label.
std::string find_manifest(const std::string& path);

/// Renames, merges and drops classes by a map: "5", "11", "13" or a CSV file; "" leaves them as
/// they are. The class list is then that of the map. Fills Dataset::labels either way.
/// @param source preset name; the column `dataset` holds it, the name of a domain, or *
void harmonise(Dataset& dataset, const std::string& source, const std::string& map);

/// Without the images of the smaller of two clusters of colours; they are noted as ace.subset.
void keep_main_colours(Dataset& dataset);

}  // namespace cytograd::layout
