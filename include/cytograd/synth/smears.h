#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "cytograd/io/image.h"
#include "cytograd/io/label_image.h"
#include "cytograd/synth/cells.h"

/// @file
/// Drawn fields of a blood smear with everything a detector needs to learn: boxes of red cells,
/// white cells and platelets, masks and instance numbers of white cells.

namespace cytograd::synth {

/// Names one field. Equal specs give equal pictures.
struct SmearSpec {
  int domain = 0;  ///< index into `stains()`
  uint64_t seed = 0;
  uint64_t index = 0;
  int width = 640, height = 480;    ///< pixels
  double microns_per_pixel = 0.12;  ///< 0.02 to 1
  double white_cells = 3;           ///< mean number; at least one is placed where there is room
  std::vector<CellClass> classes;   ///< empty: the mixture of normal blood, else all equally often
};

/// An object in whole pixels, first and last column and row included, inside the image.
struct SmearObject {
  std::string name;  ///< "RBC", "WBC" or "Platelets"
  int x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  bool truncated = false;             ///< the border of the field cuts it
  uint32_t instance = 0;              ///< WBC: its number in `instances`, from 1
  CellClass cell = CellClass::blast;  ///< WBC only
  double maturity = 0;                ///< WBC only
};

struct Smear {
  Image image;           ///< [height, width, 3]
  Image mask;            ///< [height, width, 1]: 0 background, 128 cytoplasm, 255 nucleus
  LabelImage instances;  ///< number of the white cell, 0 elsewhere
  std::vector<SmearObject> objects;  ///< white cells first, then red cells, then platelets
};

/// @throws ValueError if a size is outside 64..4096, the scale outside 0.02..1 or the domain
/// unknown
Smear draw_smear(const SmearSpec& spec);

/// The annotation as a Pascal VOC file; coordinates count from 1 as in that format.
std::string voc_xml(const Smear& smear, const std::string& file_name);

/// A data set of fields to write.
struct SmearSetOptions {
  std::filesystem::path output;
  int64_t count = 60;  ///< fields per domain
  SmearSpec field;     ///< size, scale, white cells, classes and seed of each
  int domains = 1;
  std::string format = "jpg";  ///< png or jpg
  bool force = false;
  std::function<void(int64_t, int64_t)> progress;  ///< as in `CellSetOptions`
};

struct SmearSet {
  int64_t images = 0, white_cells = 0, red_cells = 0, platelets = 0;
  std::filesystem::path table;
};

/// Writes the layout of a VOC data set: OUTPUT/JPEGImages/smear_00001.jpg,
/// Annotations/smear_00001.xml, ImageSets/Main/{train,val,test}.txt (70, 15, 15 %), and beside it
/// masks/smear_00001.png, instances/smear_00001.png (16 bit), and cells.csv, a manifest with one
/// row per white cell: its class, box, mask, split, maturity and instance number. With several
/// domains the folders are once in each OUTPUT/<domain>, the table is one. Same bytes for any
/// number of threads. @throws ConfigError for wrong options; FileError as `write_cells`
SmearSet write_smears(const SmearSetOptions& options);

}  // namespace cytograd::synth
