#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cytograd/core/error.h"

/// @file
/// Labelled images on disk: which files, which class, which domain. Nothing is decoded here;
/// data/scan.h looks into the files, data/loader.h makes batches of them.

namespace cytograd {

/// A rectangle in pixels of its image, y down, x2 and y2 exclusive.
struct Box {
  double x1 = 0, y1 = 0, x2 = 0, y2 = 0;
  double width() const { return x2 - x1; }
  double height() const { return y2 - y1; }
  bool operator==(const Box&) const = default;
};

enum class MaskPart : uint8_t { background, cell, nucleus };

/// How grey values of a mask are read: background < cell_from <= cytoplasm < nucleus_from <=
/// nucleus. The default reads masks of 0, 128, 255 and masks of 0, 255 (all nucleus).
struct MaskRule {
  int cell_from = 65;
  int nucleus_from = 192;                   ///< 256: the mask does not tell the nucleus apart
  std::vector<int> values = {0, 128, 255};  ///< values a clean mask holds; empty: any
  bool tolerate_stray = false;              ///< other values are counted, not faults
  std::vector<std::pair<int, MaskPart>> map = {};  ///< if not empty, used instead of thresholds
};
/// What a grey value means. Values that a map does not name are background.
MaskPart mask_part(const MaskRule& rule, int value);

/// One image, or one cell of an image (then `box` says where).
struct Sample {
  std::string id;      ///< stable and unique: path below the data root, `#k` for the k-th box
  std::string path;    ///< image file
  int64_t label = 0;   ///< index into Dataset::classes
  int64_t domain = 0;  ///< index into Dataset::domains
  std::string group;   ///< patient, slide or region; empty: unknown. Never split over folds
  std::string split;   ///< "", "train", "val" or "test", as the data set itself says
  std::string mask;    ///< mask file; empty: none
  std::optional<Box> box;
  std::optional<double> microns_per_pixel;
  bool crop_to_opaque = false;  ///< cut transparent borders (alpha < 255) before anything else
};

/// Something left out or adapted on purpose, with its count: never silent, never an error.
struct Note {
  std::string id;  ///< "file.hidden", "box.degenerate", "label.dropped", ...
  std::string text;
  int64_t count = 0;
  std::vector<std::string> examples;  ///< the first five
};

/// What became of a class as a data set names it.
struct LabelRow {
  int64_t domain = 0;
  std::string source;  ///< preset that read it
  std::string raw;     ///< as the data set says it
  std::string name;    ///< in Dataset::classes; "": left out
  int64_t count = 0;   ///< samples
};

/// Samples of one or several domains over one list of classes.
struct Dataset {
  std::vector<std::string> classes;
  std::vector<std::string> domains;
  std::vector<MaskRule> mask_rules;  ///< one per domain
  std::vector<std::string> stains;   ///< one per domain, or fewer: the others are unknown
  std::vector<LabelRow> labels;      ///< every domain's own classes, in the order of domains
  std::vector<Sample> samples;
  std::vector<Fault> faults;  ///< what is wrong; training refuses, `cyto data` lists
  std::vector<Note> notes;

  int64_t size() const { return static_cast<int64_t>(samples.size()); }
  /// How a domain was stained; "" if nobody said.
  std::string stain_of(size_t domain) const {
    return domain < stains.size() ? stains[domain] : std::string();
  }
  /// Index of a class name. @throws ConfigError naming the nearest class
  int64_t class_index(const std::string& name) const;
  /// Adds `count` to the note with this id and text.
  void add_note(const std::string& id, const std::string& text, const std::string& example,
                int64_t count = 1);
  /// @throws DataError with the first fault and the number of further ones, if there are any
  void require_clean() const;
};

struct DatasetOptions {
  /// A folder, a CSV manifest, or a TOML file that lists domains (data/domains.h).
  std::string path;
  /// auto | folder | manifest | wbc-seg | bccd | pbc | matek19 | acevedo20 | mll23 | images.
  /// auto: a file is a manifest, a folder is recognised by its layout, else `folder`
  std::string preset = "auto";
  /// false: a folder in which images lie loose is to `auto` that of preset `images`, in which all
  /// images below it are of one class "unlabelled".
  bool need_labels = true;
  std::string labels = "coarse";     ///< coarse | fine (pbc: the file-name prefix)
  std::string multi_label = "drop";  ///< two labels for one cell: drop | first | error
  std::string objects = "wbc";       ///< bccd: wbc | all (also RBC and platelets)
  std::string domain;                ///< name of the domain; empty: the preset's or the folder's
  std::string stain;                 ///< how it was stained; empty: what the data set says
  /// Pixel size of all its images, in the place of what the data set says; 0: what it says.
  double microns_per_pixel = 0;
  /// full | main (acevedo20 and pbc: without the images of the smaller cluster of colours).
  std::string ace_subset = "full";
  /// "" (names as they are) | 5 | 11 | 13 | path of a CSV `dataset,raw,harmonised`
  /// (empty = drop). A class that the map does not know is an error; dropped ones are noted.
  std::string harmonise;
  /// "CELL" or "CELL,NUCLEUS": smallest mask values; then any value is accepted. Or `mask_map`:
  /// "1=cell,2=nucleus,0=background"; then other values are faults. Empty: the preset's rule.
  std::string mask_threshold, mask_map;
  bool strict = false;  ///< degenerate boxes, unreadable labels are faults instead of notes
};

/// Reads one data set. Faults of single rows and files are collected in `faults`.
/// @throws ConfigError for an unknown preset or option, FileError if the path does not exist,
/// DataError when nothing usable is there
Dataset load_dataset(const DatasetOptions& options);
/// Reads several and joins them with `combine`. Options other than the path may be shared. A path
/// that ends in .toml stands for the domains it lists.
Dataset load_datasets(const std::vector<DatasetOptions>& options);
/// One multi-domain data set. Classes are joined by name, in order of first appearance after the
/// five common ones; domains of equal name are numbered. Sample ids get the domain as prefix.
/// @throws DataError if a data set shares no class with the others
Dataset combine(std::vector<Dataset> parts);
/// Names of the presets, for help and for nearest-name hints.
const std::vector<std::string>& preset_names();

/// Keeps the samples for which keep[i] is set; classes and domains stay.
void keep_samples(Dataset& dataset, const std::vector<bool>& keep);

}  // namespace cytograd
