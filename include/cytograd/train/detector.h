#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cytograd/data/field_view.h"
#include "cytograd/data/fields.h"
#include "cytograd/models/mask_rcnn/tiled.h"
#include "cytograd/train/config.h"
#include "cytograd/train/task.h"

/// @file
/// From a configuration to annotated fields and a detector, and from a run folder to a trained one.
/// docs/segmentation.md.

namespace cytograd {

/// Fields of a run: read, scanned, split. `task.dataset` is `fields.index`.
struct FieldTask {
  Task task;
  FieldSet fields;
};

/// Gives settings that nobody set those of detectors: SGD with batches of 2 fields; with a weight
/// file the protocol of fine-tuning (10 epochs, steps, frozen normalisation).
void apply_detector_defaults(ResolvedConfig& out);
/// Settings that contradict each other. @throws ConfigError
void check_detector_config(const TrainConfig& config);
/// The settings that `cyto segment train` has.
bool is_detector_setting(const ConfigField& field);

FieldOptions field_options(const TrainConfig& config, const std::string& path);
/// Reads and scans without splitting. The hash covers annotations. @throws DataError with all
/// faults counted
FieldTask load_field_data(const TrainConfig& config, const ProgressCallback& progress = {});
/// The same, split by `config`: whole fields, groups together.
FieldTask load_field_task(const TrainConfig& config, const ProgressCallback& progress = {});
/// Objects, and those with masks, of each part: for people. A line per class.
std::string field_table(const FieldTask& task);

/// What the network is made of. @param classes  of objects, without the background
models::MaskRcnnOptions detector_options(const TrainConfig& config, int64_t classes);
FieldAugmentation field_augmentation_of(const TrainConfig& config);

/// Pixels as a detector takes them: [H, W, 3] float32 in 0..1.
Tensor pixels_of(const Image& image);
/// The part of an image that a tile shows, as a detector takes it.
Tensor pixels_of(const Image& image, const detection::Tile& tile);
/// Objects as a detector learns them: groups are left out, classes count from 1.
models::Target target_of(const FieldView& view, const std::string& name);

/// Loads weights to start from: of a detector, whose predictors may be for other classes, or of a
/// classifier of the same backbone; averaged ones where a checkpoint has them.
/// @param path  a weight file, a checkpoint, or a run (its best)
/// @return what was renamed or left out, one line each   @throws DataError pt.keys
std::vector<std::string> load_detector_weights(models::MaskRcnn& model, const std::string& path);

/// A detector as a checkpoint holds it, in evaluation mode.
struct TrainedDetector {
  TrainConfig config;
  std::vector<std::string> classes;  ///< of objects; label c of a detection is classes[c - 1]
  std::string data_hash;
  std::unique_ptr<models::MaskRcnn> model;
  std::string file;        ///< the checkpoint
  int64_t epoch = 0;       ///< finished epochs
  int64_t field_side = 0;  ///< median shorter side of the fields trained on, pixels
};
/// @param min_size  shorter side of images as the network shall see them; 0: as trained
/// @throws FileError run.missing, run.checkpoint; ConfigError for a run that is no detector's
TrainedDetector load_trained_detector(const std::string& run, const std::string& which = "best",
                                      Device device = {}, int64_t min_size = 0);

/// The tiles for a field of this size. A side of 0 is chosen: none for fields whose shorter side is
/// at most 1.5 times those that were trained on (their scale is the network's), else tiles of that
/// side; below 0: never tiles.
detection::TileOptions tiles_for(const TrainedDetector& trained, int64_t height, int64_t width,
                                 int64_t side, double overlap = 0.25);

/// Objects of one image.
std::vector<detection::FoundObject> find_objects(const models::MaskRcnn& model, const Image& image,
                                                 const detection::TileOptions& tiles,
                                                 const std::string& name,
                                                 int64_t* not_finite = nullptr);

/// Scores on annotated fields.
struct DetectorScores {
  int64_t fields = 0, objects = 0, masks = 0;  ///< that were annotated
  detection::CocoReport box;
  std::optional<detection::CocoReport> mask;  ///< without a mask branch or annotated masks: none
  /// Of pairs of an annotated mask and the detection of its class with the largest overlap, score
  /// at least 0.5: mean over all annotated masks, a missed one counts as 0. -1 without masks.
  double mean_iou = -1, mean_dice = -1;
  std::map<int64_t, double> class_iou;  ///< the same by label
};
/// Collects fields one by one.
class DetectorScorer {
 public:
  explicit DetectorScorer(bool masks) : masks_(masks) {}
  void add(const Field& field, const std::vector<detection::FoundObject>& found);
  DetectorScores scores() const;

 private:
  struct Sum {
    double iou = 0, dice = 0;
    int64_t count = 0;
  };
  bool masks_;
  int64_t objects_ = 0, annotated_masks_ = 0;
  std::vector<detection::CocoImage> box_images_, mask_images_;
  std::map<int64_t, Sum> sums_;  // by label
};

/// Called with the place of a field and what was found in it.
using FoundCallback = std::function<void(int64_t, const std::vector<detection::FoundObject>&)>;

/// Runs the model, which must be in evaluation mode, over a part of the fields.
/// @param tiles  of every field; a side of 0 for whole fields
DetectorScores score_fields(const models::MaskRcnn& model, const FieldSet& fields,
                            const std::vector<int64_t>& part, const detection::TileOptions& tiles,
                            int64_t max_pixels, const ProgressCallback& progress = {},
                            const FoundCallback& found = {});

/// One line of JSON: {"split":..,"fields":n,"objects":n,"masks":n,"box":{"AP":..,"AP50":..,..},
/// "mask":{..} or null,"mean_mask_iou":..,"mean_mask_dice":..,"per_class":{NAME:{"box":{..},
/// "mask":{..},"mean_mask_iou":..}}}. What cannot be told is null.
std::string detector_json(const DetectorScores& scores, const std::vector<std::string>& classes,
                          const std::string& role);
/// A table for people.
std::string detector_text(const DetectorScores& scores, const std::vector<std::string>& classes,
                          const std::string& role);

}  // namespace cytograd
