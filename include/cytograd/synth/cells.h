#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cytograd/io/image.h"
#include "cytograd/synth/stains.h"

/// @file
/// Drawn white blood cells of the fifteen bone-marrow classes, for users without data, for tests
/// and for teaching. Shapes, proportions and colours follow haematology textbooks; no photograph
/// is used.

namespace cytograd::synth {

/// In the order of the embedding guide (0 blast ... 14 ortho_erythroblast).
enum class CellClass {
  blast,
  promyelocyte,
  myelocyte,
  metamyelocyte,
  band,
  segmented,
  eosinophil,
  basophil,
  promonocyte,
  monocyte,
  lymphocyte,
  proerythroblast,
  baso_erythroblast,
  poly_erythroblast,
  ortho_erythroblast,
};
inline constexpr int cell_class_count = 15;

/// "blast", "promyelocyte", ...
std::string_view name(CellClass cell);
/// @throws ConfigError naming the nearest class if there is none of this name
CellClass cell_class(std::string_view name);
/// Stage within the lineage as in the embedding guide: blast 0, promyelocyte 1, ..., segmented 5.
int stage(CellClass cell);

/// Names one picture. Equal specs give equal pictures.
struct CellSpec {
  CellClass cell = CellClass::blast;
  int domain = 0;  ///< index into `stains()`
  uint64_t seed = 0;
  uint64_t index = 0;  ///< number of the cell within its class
  int size = 128;      ///< pixels, square
};

/// A picture with what is known about it.
struct CellPicture {
  Image image;  ///< [size, size, 3]
  Image mask;   ///< [size, size, 1]: 0 background, 128 cytoplasm, 255 nucleus, of the central cell
  double maturity = 0;  ///< stage - 0.5 (youngest) to stage + 0.5 (oldest); shapes change with it
  double microns_per_pixel = 0;
  int lobes = 1;  ///< segments of the nucleus
};

/// Draws one cell in the middle of a field of red cells. The cell (shape, maturity) depends on
/// (seed, class, index), its surroundings, stain and noise on the domain as well: the same cell
/// can be drawn under every stain.
/// @throws ValueError if size is outside 16..2048 or the domain does not exist
CellPicture draw_cell(const CellSpec& spec);
/// The same under any stain; `spec.domain` is not used. Surroundings and noise depend on the name
/// of the stain.
CellPicture draw_cell(const CellSpec& spec, const Stain& stain);

/// A data set to write.
struct CellSetOptions {
  std::filesystem::path output;
  int64_t count = 1500;  ///< pictures per domain, over all classes
  int size = 128;
  uint64_t seed = 0;
  int domains = 1;                 ///< the first so many of `stains()`
  bool random_stains = false;      ///< each picture has a `random_stain`; then `domains` is 1
  std::vector<CellClass> classes;  ///< empty: all
  double imbalance = 1;        ///< most frequent class : rarest class; counts fall geometrically
  std::string format = "png";  ///< png or jpg
  bool masks = false;          ///< also write masks/...
  bool force = false;          ///< write over an earlier set
  /// Called after each picture with (done, total), from one thread at a time.
  std::function<void(int64_t, int64_t)> progress;
};

/// What `write_cells` wrote.
struct CellSet {
  int64_t images = 0;
  std::filesystem::path manifest;
  std::vector<std::pair<std::string, int64_t>> per_class;  ///< in all domains together
};

/// Pictures per class: `count` in all, at least one each, first class most frequent.
/// @throws ConfigError if count < classes or imbalance < 1
std::vector<int64_t> class_counts(int64_t count, int64_t classes, double imbalance);

/// Writes OUTPUT/<class>/<class>_00001.png (with several domains OUTPUT/<domain>/<class>/...) and
/// OUTPUT/manifest.csv with columns path, label, domain, group, split, mask, microns_per_pixel,
/// maturity. Groups are imagined patients of about 20 cells each; whole groups go to train (70 %),
/// val (15 %), test (15 %). Same bytes for any number of threads.
/// @throws ConfigError for wrong options; FileError if OUTPUT holds something and `force` is off,
///         or writing fails
CellSet write_cells(const CellSetOptions& options);

}  // namespace cytograd::synth
