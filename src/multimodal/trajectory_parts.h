#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cytograd/cluster/curves.h"
#include "cytograd/multimodal/run.h"

/// @file
/// Private: the pieces of a trajectory (trajectory.cpp).

namespace cytograd::multimodal {

/// Cells that a path begins, passes or ends at.
struct Station {
  std::string name;
  bool image = true;                ///< modality of the cells
  std::vector<int64_t> rows;        ///< of the cells, at least one
  std::vector<int64_t> class_rows;  ///< all cells of their class; those of one cell are its peers
  std::string note;                 ///< which cells these are
};

/// @throws DataError class.unknown, class.missing
Station find_station(const Run& run, const std::string& name);
/// Classes of images that a name stands for: itself, or those of its pair; none for other names.
std::vector<std::string> image_classes_of(const Run& run, const std::string& name);
/// Those of each of several names. @throws DataError class.unknown where there is none
std::vector<std::vector<std::string>> stage_classes(const Run& run,
                                                    const std::vector<std::string>& stages);
/// "image classes a, b; RNA classes c; ...", for messages.
std::string known_stations(const Run& run);

/// Latents of one modality, [cells, 50] float32 on the CPU; [0, 50] where it has none.
Tensor cells_of(const LatentCells& cells);
Tensor latents_of(const Run& run, const Station& station);
/// The row with the least sum of distances to all others; of equals the first.
int64_t medoid(const Tensor& cells);
/// The latent of a station of one cell, else of its medoid [50].
Tensor centre_of(const Run& run, const Station& station);
/// Variances of the station's class [50], divisor n - 1; 0 for one cell.
std::vector<double> class_variances(const Run& run, const Station& station);
/// Stations to which the path [T, 50] comes nearest out of their order.
std::vector<std::string> order_notes(const Run& run, const std::vector<Station>& stations,
                                     const Tensor& mean, const std::vector<double>& t);

/// Images [n, 128, 128, 3] of latents [n, 50], in small batches.
Tensor decode_frames(const Run& run, const Tensor& z);
/// Logarithms of expression along latents [n, 50]: [genes, n].
cluster::Curves decode_curves(const Run& run, const Tensor& z);
/// These columns, in this order.
cluster::Curves columns(const cluster::Curves& curves, const std::vector<int64_t>& kept);

/// Of each point of a path [T, 50] the mean mask of the nearest of `cells` [n, 50], up to 15.
/// @param read  masks of these rows, [rows, side, side, 1] or [rows, side, side]
/// @return [T, side, side]
Tensor nearest_masks(const Tensor& cells, const Tensor& path,
                     const std::function<Tensor(const std::vector<int64_t>&)>& read);
/// The same from the file that the run was trained on; undefined, with a note, without it.
Tensor masks_along(const Run& run, const Tensor& path, std::vector<std::string>& notes);

}  // namespace cytograd::multimodal
