#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>

#include "cli/cell_pictures.h"
#include "cli/segment.h"
#include "cli/segment_classes.h"
#include "cli/train_options.h"
#include "cytograd/io/cell_feature_file.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/hash.h"
#include "cytograd/io/text.h"
#include "cytograd/train/cell_features.h"
#include "cytograd/train/environment.h"
#include "multimodal/image_cells_labels.h"

namespace cytograd::cli {
namespace {

struct Options : CommonOptions {
  DetectorChoice detector;
  std::vector<std::string> paths;
  CellFeatureOptions cell;
  int64_t min_size = 0, side = 288, max_pixels = 0;
  bool fields = false, half = false;
  std::string level = "auto", preset = "auto", labels = "fine", pictures;
};

using Cell = CellPlace;

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

// Where the classes of cells come from.
struct LabelSource {
  LabelledImages data;
  std::optional<multimodal::CellLabelTable> table;

  CellClasses of(const std::vector<Cell>& cells, bool fields) const {
    if (!table) return data.of(cells, fields);
    std::vector<std::string> names;
    for (const Cell& cell : cells) names.push_back(cell.name);
    multimodal::CellLabelTable::Found found = table->find(names);
    CellClasses out{found.label, found.group, found.notes()};
    if (const auto n = std::count(found.known.begin(), found.known.end(), false); n > 0)
      out.notes.push_back(count_text(n, "cell") + " without a row of the labels");
    return out;
  }
};

LabelSource label_source(const Options& o) {
  const bool of_data = o.labels == "fine" || o.labels == "coarse";
  if (!of_data && o.preset != "auto")
    throw ConfigError("--preset goes with --labels fine or coarse, got --labels " +
                      escape_control(o.labels) + " [cli]");
  LabelSource out;
  if (of_data)
    out.data = LabelledImages(o.paths, o.preset, o.labels);
  else if (o.labels != "none")
    out.table.emplace(o.labels);
  return out;
}

// Masks that lie beside the images of a data set show no cells.
void leave_masks_out(const LabelledImages& data, std::vector<std::string>& paths) {
  const auto n = std::erase_if(paths, [&](const std::string& p) { return data.is_mask(p); });
  if (n > 0) console().note(count_text(static_cast<int64_t>(n), "mask") + " of the data left out");
}

// Cells per class, "" for those of unknown class.
std::map<std::string, int64_t> tally(const CellClasses& known) {
  std::map<std::string, int64_t> out;
  for (const std::string& type : known.types) ++out[type];
  return out;
}

std::string classes_json(const std::map<std::string, int64_t>& tally) {
  std::string out;
  for (const auto& [type, n] : tally)
    if (!type.empty())
      out += (out.empty() ? "" : ",") + json_text(escape_control(type)) + ":" + std::to_string(n);
  return "{" + out + "}";
}

std::string classes_text(const std::map<std::string, int64_t>& tally) {
  std::string out;
  for (const auto& [type, n] : tally)
    if (!type.empty())
      out += (out.empty() ? "" : ", ") + escape_control(type) + " " + std::to_string(n);
  return out.empty() ? "unknown" : out;
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

struct Counts {
  int64_t cells = 0, undetected = 0, empty = 0, flat = 0, min_size = 0;
};

Counts write_cells(const Options& o, const DetectionWork& work, const std::vector<Cell>& cells,
                   const CellClasses& known, const CellFeatureLayout& layout) {
  CellFeatureWriter writer(o.output, layout);
  // Crops times masks.
  CellPictures pictures(o.pictures, o.force);
  Counts out;
  out.cells = layout.count;
  const auto progress = counting("cells");
  std::string open;  // the field that is in memory
  Image field;
  for (size_t i = 0; i < cells.size(); ++i) {
    const Cell& cell = cells[i];
    if (cell.path != open || open.empty()) {
      field = read_image(cell.path, work.reading);
      open = cell.path;
    }
    detection::Box box = cell.box;
    const CellFeatures found = describe_cell(
        *work.trained.model, o.fields ? crop_about(field, o.side, box) : field, o.cell, cell.name);
    out.undetected += found.undetected ? 1 : 0;
    out.empty += found.empty_mask ? 1 : 0;
    out.flat += found.flat_features ? 1 : 0;
    CellFeatureRow row = row_of(found, cell.name);
    row.cell_type = known.types[i];
    row.group = known.groups[i];
    writer.add(row);
    pictures.add(image_of(row.crop->data(), row.mask->data(), layout.target, layout.target),
                 row.cell_type, row.group);
    progress(static_cast<int64_t>(i) + 1, layout.count);
  }
  writer.commit();
  pictures.commit();
  return out;
}

void say(const Options& o, const Counts& n, const std::map<std::string, int64_t>& classes) {
  if (o.json)
    console().out(
        "{\"cells\":" + std::to_string(n.cells) + ",\"undetected\":" +
        std::to_string(n.undetected) + ",\"empty_mask\":" + std::to_string(n.empty) +
        ",\"flat_features\":" + std::to_string(n.flat) + ",\"classes\":" + classes_json(classes) +
        ",\"min_size\":" + std::to_string(n.min_size) + ",\"file\":" + json_text(o.output) + "}\n");
  else
    console().out("cells          " + std::to_string(n.cells) + "\nundetected     " +
                  std::to_string(n.undetected) + "\nempty masks    " + std::to_string(n.empty) +
                  "\nflat features  " + std::to_string(n.flat) + "\nclasses        " +
                  classes_text(classes) + "\n");
  say_next({o.output}, "");
}

void run(Options& o) {
  if (o.output.empty())
    throw ConfigError("--output is missing; expected a file name such as cells.h5 [cli]");
  require_new_file(o.output, o.force);
  o.cell.level = o.level == "auto" ? -1 : o.level[0] - '0';
  const LabelSource labels = label_source(o);
  const Device device = device_of(o);
  DetectionWork work = open_work(o.detector, o.paths, o.max_pixels, device);
  leave_masks_out(labels.data, work.paths);
  TrainedDetector& trained = work.trained;
  if (!trained.model->options().masks)
    throw ConfigError(Fault{"cli", o.detector.run, "", "a detector without masks",
                            "a run with --detector mask_rcnn", ""});
  const std::vector<Cell> cells = cells_of(o, work);
  const CellClasses known = labels.of(cells, o.fields);
  for (const std::string& note : known.notes) console().note(note);
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
  Counts counts = write_cells(o, work, cells, known, layout);
  counts.min_size = min_size;
  say(o, counts, tally(known));
}

}  // namespace

void add_segment_features(CommandLine segment) {
  auto o = std::make_shared<Options>();
  CommandLine command = add_command(
      segment, "features", "Write features, masks and crops of single cells as HDF5",
      "cyto segment features --run runs/cells crops/ -o cells.h5             one cell per image\n"
      "cyto segment features --run runs/cells fields/ --fields -o cells.h5   every cell found\n"
      "cyto segment features --run runs/cells crops/ --labels cells.csv -o cells.h5   their "
      "classes\n");
  add_detector_choice(command, o->detector);
  command.add_option("path", o->paths, "Images or folders of images").required();
  command
      .add_option("--labels", o->labels,
                  "Classes: of the data set the images lie in, fine (pbc: file-name prefix) or "
                  "coarse; a CSV path,label[,group]; none")
      .show_default();
  command.add_option("--preset", o->preset, "Layout of that data set")
      .one_of(preset_names())
      .show_default();
  command.add_flag("--fields", o->fields, "Images are fields: crops are cut about what is found");
  command.add_option("--side", o->side, "Side of those crops, pixels")
      .range(16, 8192)
      .show_default();
  command
      .add_option("--min-size", o->min_size,
                  "Shorter side of a crop as the network sees it; 0: the scale of training")
      .range(0, 4096)
      .show_default();
  command.add_option("--score", o->cell.score, "Least score of the cell")
      .range(0.0, 1.0)
      .show_default();
  command.add_option("--h-level", o->level, "Level of the pyramid: auto, 0, 1, 2, 3")
      .one_of({"auto", "0", "1", "2", "3"})
      .show_default();
  command.add_option("--target", o->cell.target, "Side of masks and crops in the file")
      .range(8, 1024)
      .show_default();
  command.add_option("--dilate", o->cell.dilate, "Pixels by which soft masks grow")
      .range(0, 100)
      .show_default();
  command.add_flag("--hard-mask", o->cell.hard, "Masks of 0 and 1");
  command.add_flag("--half", o->half, "Features in 16 bits");
  command.add_option("--pictures", o->pictures,
                     "Folder for a picture of each cell on black, and cells.csv with the classes");
  command.add_option("--max-pixels", o->max_pixels, "Largest image; default: as in the run")
      .positive();
  add_common_options(command, *o, with_output | with_force | with_device);
  run_command(command, o, run);
}

}  // namespace cytograd::cli
