#include <algorithm>
#include <cmath>

#include "cli/segment.h"
#include "cli/train_options.h"
#include "cytograd/io/cell_feature_file.h"
#include "cytograd/io/hash.h"
#include "cytograd/io/text.h"
#include "cytograd/train/cell_features.h"
#include "cytograd/train/environment.h"

namespace cytograd::cli {
namespace {

struct Options : CommonOptions {
  DetectorChoice detector;
  std::vector<std::string> paths;
  CellFeatureOptions cell;
  int64_t min_size = 0, side = 288, max_pixels = 0;
  bool fields = false, half = false;
  std::string level = "auto";
};

// One cell to describe: an image, or a part of one.
struct Cell {
  std::string path, name;
  detection::Box box;  ///< in the field; of a crop unused
};

// The side that the network sees of a crop, at the scale at which it was trained.
int64_t trained_scale(const TrainedDetector& trained, int64_t shorter) {
  const auto field = static_cast<double>(std::max<int64_t>(trained.field_side, 1));
  const double scale = static_cast<double>(trained.config.min_size) / field;
  return std::max<int64_t>(32, std::llround(scale * static_cast<double>(shorter)));
}

// Every crop, or every cell that is found in a field.
std::vector<Cell> cells_of(const Options& o, const DetectionWork& work) {
  const std::vector<std::string>& paths = work.paths;
  std::vector<Cell> out;
  const auto progress = counting("fields");
  for (size_t n = 0; n < paths.size(); ++n) {
    if (!o.fields) {
      out.push_back({paths[n], paths[n], {}});
      continue;
    }
    int64_t number = 0;
    for (const detection::FoundObject& found : search_image(
             work.trained, read_image(paths[n], work.reading), {.score = o.cell.score}, paths[n]))
      if (work.trained.classes[static_cast<size_t>(found.label - 1)] != "nucleus")
        out.push_back({paths[n], paths[n] + "#" + std::to_string(++number), found.box});
    progress(static_cast<int64_t>(n) + 1, static_cast<int64_t>(paths.size()));
  }
  if (out.empty())
    throw DataError(Fault{"data.empty", paths[0], "", "no cell was found", "at least one",
                          "--score takes less certain ones"});
  return out;
}

CellFeatureRow row_of(const CellFeatures& f, const std::string& name) {
  CellFeatureRow row;
  row.h = &f.h;
  row.mask = &f.mask;
  row.crop = &f.crop;
  row.h_min = f.h_min;
  row.h_max = f.h_max;
  row.score = f.score;
  const float box[4] = {f.box.x1, f.box.y1, f.box.x2, f.box.y2};
  std::copy(box, box + 4, row.box);
  row.label = f.label;
  row.level = f.level;
  row.others = f.others;
  row.flat_features = f.flat_features;
  row.empty_mask = f.empty_mask;
  row.undetected = f.undetected;
  row.name = name;
  return row;
}

std::map<std::string, std::string> attributes_of(const Options& o, const TrainedDetector& crops) {
  std::string classes;
  for (const std::string& name : crops.classes) classes += (classes.empty() ? "" : ",") + name;
  return {{"format", "cytograd cell features 1"},
          {"weights_xxh3", xxh3_128_file(crops.file)},
          {"classes", classes},
          {"min_size", std::to_string(crops.config.min_size)},
          {"h_level", o.level},
          {"mask_mode", o.cell.hard ? "hard" : "soft"},
          {"dilate", std::to_string(o.cell.dilate)},
          {"score", format_double(o.cell.score)},
          {"crop_side", o.fields ? std::to_string(o.side) : "image"},
          {"build", build_info().version}};
}

void run(Options& o) {
  if (o.output.empty())
    throw ConfigError("--output is missing; expected a file name such as cells.h5 [cli]");
  require_new_file(o.output, o.force);
  o.cell.level = o.level == "auto" ? -1 : o.level[0] - '0';
  const Device device = device_of(o);
  DetectionWork work = open_work(o.detector, o.paths, o.max_pixels, device);
  TrainedDetector& trained = work.trained;
  if (!trained.model->options().masks)
    throw ConfigError(Fault{"cli", o.detector.run, "", "a detector without masks",
                            "a run with --detector mask_rcnn", ""});
  const std::vector<Cell> cells = cells_of(o, work);
  int64_t shorter = o.side;
  if (!o.fields) {
    const Image first = read_image(work.paths[0], work.reading);
    shorter = std::min(first.height, first.width);
  }
  const int64_t min_size = o.min_size > 0 ? o.min_size : trained_scale(trained, shorter);
  trained = load_trained_detector(o.detector.run, o.detector.checkpoint, device, min_size);
  CellFeatureLayout layout;
  layout.count = static_cast<int64_t>(cells.size());
  layout.cells = trained.model->options().roi.mask_size;
  layout.channels = trained.model->options().channels;
  layout.target = o.cell.target;
  layout.half = o.half;
  layout.attributes = attributes_of(o, trained);
  CellFeatureWriter writer(o.output, layout);
  int64_t undetected = 0, empty = 0, flat = 0;
  const auto progress = counting("cells");
  std::string open;  // the field that is in memory
  Image field;
  for (const Cell& cell : cells) {
    if (cell.path != open || open.empty()) {
      field = read_image(cell.path, work.reading);
      open = cell.path;
    }
    detection::Box box = cell.box;
    const CellFeatures found = describe_cell(
        *trained.model, o.fields ? crop_about(field, o.side, box) : field, o.cell, cell.name);
    undetected += found.undetected ? 1 : 0;
    empty += found.empty_mask ? 1 : 0;
    flat += found.flat_features ? 1 : 0;
    writer.add(row_of(found, cell.name));
    progress(static_cast<int64_t>(&cell - cells.data()) + 1, layout.count);
  }
  writer.commit();
  if (o.json)
    console().out("{\"cells\":" + std::to_string(layout.count) + ",\"undetected\":" +
                  std::to_string(undetected) + ",\"empty_mask\":" + std::to_string(empty) +
                  ",\"flat_features\":" + std::to_string(flat) + ",\"min_size\":" +
                  std::to_string(min_size) + ",\"file\":" + json_text(o.output) + "}\n");
  else
    console().out("cells          " + std::to_string(layout.count) + "\nundetected     " +
                  std::to_string(undetected) + "\nempty masks    " + std::to_string(empty) +
                  "\nflat features  " + std::to_string(flat) + "\n");
  say_next({o.output}, "");
}

}  // namespace

void add_segment_features(CLI::App& segment) {
  auto o = std::make_shared<Options>();
  CLI::App* command = add_command(
      segment, "features", "Write features, masks and crops of single cells as HDF5",
      "cyto segment features --run runs/cells crops/ -o cells.h5             one cell per image\n"
      "cyto segment features --run runs/cells fields/ --fields -o cells.h5   every cell found\n");
  add_detector_choice(*command, o->detector);
  command->add_option("path", o->paths, "Images or folders of images")->required();
  command->add_flag("--fields", o->fields, "Images are fields: crops are cut about what is found");
  command->add_option("--side", o->side, "Side of those crops, pixels")
      ->check(CLI::Range(int64_t{16}, int64_t{8192}))
      ->capture_default_str();
  command
      ->add_option("--min-size", o->min_size,
                   "Shorter side of a crop as the network sees it; 0: the scale of training")
      ->check(CLI::Range(int64_t{0}, int64_t{4096}))
      ->capture_default_str();
  command->add_option("--score", o->cell.score, "Least score of the cell")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  command->add_option("--h-level", o->level, "Level of the pyramid: auto, 0, 1, 2, 3")
      ->check(CLI::IsMember({"auto", "0", "1", "2", "3"}))
      ->capture_default_str();
  command->add_option("--target", o->cell.target, "Side of masks and crops in the file")
      ->check(CLI::Range(int64_t{8}, int64_t{1024}))
      ->capture_default_str();
  command->add_option("--dilate", o->cell.dilate, "Pixels by which soft masks grow")
      ->check(CLI::Range(int64_t{0}, int64_t{100}))
      ->capture_default_str();
  command->add_flag("--hard-mask", o->cell.hard, "Masks of 0 and 1");
  command->add_flag("--half", o->half, "Features in 16 bits");
  command->add_option("--max-pixels", o->max_pixels, "Largest image; default: as in the run")
      ->check(CLI::PositiveNumber);
  add_common_options(*command, *o, with_output | with_force | with_device);
  run_command(*command, o, run);
}

}  // namespace cytograd::cli
