#include <algorithm>
#include <filesystem>

#include "cli/segment.h"
#include "cli/train_options.h"
#include "cli/unlabelled.h"
#include "cytograd/detection/measure.h"
#include "cytograd/io/coco.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/label_image.h"
#include "cytograd/io/text.h"
#include "cytograd/report/overlay.h"
#include "cytograd/train/cell_features.h"
#include "cytograd/train/stop.h"

namespace cytograd::cli {
namespace {

namespace fs = std::filesystem;
using detection::FoundObject;

struct Options : CommonOptions {
  DetectorChoice detector;
  std::vector<std::string> paths;
  std::string on_bad_image = "error";
  Search search;
  int64_t max_pixels = 0, crops = 0;
  std::vector<std::string> crop_classes;
  bool whole = false, no_overlays = false, no_labels = false;
};

const std::vector<std::string> columns = {"file",
                                          "cell",
                                          "class",
                                          "score",
                                          "x1",
                                          "y1",
                                          "x2",
                                          "y2",
                                          "area",
                                          "diameter",
                                          "at_border",
                                          "nucleus_area",
                                          "nucleus_parts",
                                          "nucleus_share"};

// What is written of one image.
struct FileSummary {
  std::string path;
  std::vector<int64_t> counts;  // by class
};

class PredictWriter {
 public:
  PredictWriter(const Options& options, const TrainedDetector& trained)
      : options_(options),
        trained_(trained),
        coco_(options.output + "/cells.json", categories_of(trained)),
        table_(options.output + "/cells.csv", columns) {
    for (size_t c = 0; c < trained.classes.size(); ++c)
      if (trained.classes[c] == "nucleus") nucleus_ = static_cast<int64_t>(c) + 1;
  }

  void add(const std::string& path, const std::string& name, const Image& image,
           const std::vector<FoundObject>& objects) {
    coco_.add_image({++images_, path, image.height, image.width});
    for (const FoundObject& o : objects) {
      detection::CocoResult result;
      result.category = o.label;
      result.box = {o.box.x1, o.box.y1, o.box.width(), o.box.height()};
      result.score = o.score;
      if (trained_.model->options().has_outline(o.label))
        result.mask = detection::rle_of(o.mask, image.height, image.width);
      coco_.add_object(images_, result,
                       o.mask.empty() ? static_cast<double>(o.box.area())
                                      : static_cast<double>(detection::area(o.mask)));
    }
    const auto cells = detection::measure_cells(objects, nucleus_, image.height, image.width);
    add_rows(path, cells, objects);
    write_pictures(name, image, objects);
    if (options_.crops > 0) write_crops(name, image, cells, objects);
    FileSummary& summary =
        files_.emplace_back(FileSummary{path, std::vector<int64_t>(trained_.classes.size())});
    for (const FoundObject& o : objects) ++summary.counts[static_cast<size_t>(o.label - 1)];
  }

  void commit() {
    coco_.commit();
    table_.commit();
  }
  const std::vector<FileSummary>& files() const { return files_; }

 private:
  static std::map<int64_t, std::string> categories_of(const TrainedDetector& trained) {
    std::map<int64_t, std::string> out;
    for (size_t c = 0; c < trained.classes.size(); ++c)
      out.emplace(static_cast<int64_t>(c) + 1, trained.classes[c]);
    return out;
  }

  // The number of a cell is that of its pixels in the label image.
  void add_rows(const std::string& path, const std::vector<detection::CellMeasures>& cells,
                const std::vector<FoundObject>& objects) {
    int64_t number = 0;
    for (const detection::CellMeasures& m : cells) {
      const FoundObject& o = objects[m.object];
      std::vector<std::string> row = {escape_control(path),
                                      std::to_string(++number),
                                      trained_.classes[static_cast<size_t>(o.label - 1)],
                                      format_float(o.score),
                                      format_float(o.box.x1),
                                      format_float(o.box.y1),
                                      format_float(o.box.x2),
                                      format_float(o.box.y2),
                                      std::to_string(m.area),
                                      format_fixed(m.diameter, 2),
                                      m.at_border ? "1" : "0"};
      if (nucleus_ != 0) {
        row.push_back(std::to_string(m.nucleus_area));
        row.push_back(std::to_string(m.nucleus_parts));
        row.push_back(format_fixed(m.nucleus_share, 4));
      }
      row.resize(columns.size());
      table_.row(row);
    }
  }

  void write_pictures(const std::string& name, const Image& image,
                      const std::vector<FoundObject>& objects) {
    if (!options_.no_labels) {
      std::vector<FoundObject> cells;
      for (const FoundObject& o : objects)
        if (o.label != nucleus_) cells.push_back(o);
      LabelImage labels;
      labels.height = image.height;
      labels.width = image.width;
      labels.labels = detection::label_pixels(cells, image.height, image.width);
      write_labels(options_.output + "/labels/" + name, labels);
    }
    if (!options_.no_overlays)
      write_png(options_.output + "/overlays/" + name + ".png", draw_objects(image, objects));
  }

  void write_crops(const std::string& name, const Image& image,
                   const std::vector<detection::CellMeasures>& cells,
                   const std::vector<FoundObject>& objects) {
    const auto& wanted = options_.crop_classes;
    int64_t number = 0;
    for (const detection::CellMeasures& m : cells) {
      const FoundObject& o = objects[m.object];
      const std::string& kind = trained_.classes[static_cast<size_t>(o.label - 1)];
      ++number;
      if (!wanted.empty() && std::find(wanted.begin(), wanted.end(), kind) == wanted.end())
        continue;
      detection::Box box = o.box;
      write_png(options_.output + "/crops/" + name + "_" + std::to_string(number) + ".png",
                crop_about(image, options_.crops, box));
    }
  }

  const Options& options_;
  const TrainedDetector& trained_;
  CocoWriter coco_;
  CsvWriter table_;
  int64_t images_ = 0, nucleus_ = 0;
  std::vector<FileSummary> files_;
};

void prepare_folder(const Options& o) {
  if (o.output.empty())
    throw ConfigError("expected a folder to write to; pass --output FOLDER [cli]");
  for (const char* name : {"/cells.json", "/cells.csv"}) require_new_file(o.output + name, o.force);
  fs::create_directories(o.output);
  if (!o.no_labels) fs::create_directories(o.output + "/labels");
  if (!o.no_overlays) fs::create_directories(o.output + "/overlays");
  if (o.crops > 0) fs::create_directories(o.output + "/crops");
}

void check_crops(const Options& o, const TrainedDetector& trained) {
  if (!o.crop_classes.empty() && o.crops == 0)
    throw ConfigError("--crop-class goes with --crops [cli]");
  for (const std::string& name : o.crop_classes)
    if (std::find(trained.classes.begin(), trained.classes.end(), name) == trained.classes.end()) {
      std::string known;
      for (const std::string& c : trained.classes) known += (known.empty() ? "" : ", ") + c;
      throw ConfigError("--crop-class expects one of " + known + ", got " + escape_control(name) +
                        " [cli]");
    }
}

// Files that could be read, then the faults of the others.
std::string summary_json(const std::vector<FileSummary>& files, const Predictions& unread,
                         const std::vector<std::string>& paths, const TrainedDetector& trained) {
  std::string out;
  for (const FileSummary& f : files) {
    out += (out.empty() ? "[" : ",\n ") + std::string("{\"file\":") + json_text(f.path) +
           ",\"objects\":{";
    for (size_t c = 0; c < f.counts.size(); ++c)
      out += (c > 0 ? "," : "") + json_text(trained.classes[c]) + ":" + std::to_string(f.counts[c]);
    out += "}}";
  }
  for (const auto& [place, fault] : unread.faults)
    out += (out.empty() ? "[" : ",\n ") + std::string("{\"file\":") +
           json_text(paths[static_cast<size_t>(place)]) +
           ",\"error\":{\"id\":" + json_text(fault.id) +
           ",\"message\":" + json_text(fault.message()) + "}}";
  return (out.empty() ? "[" : out) + "]\n";
}

std::string summary_text(const std::vector<FileSummary>& files, const TrainedDetector& trained) {
  std::string out;
  for (const FileSummary& f : files) {
    out += escape_control(f.path) + ":";
    for (size_t c = 0; c < f.counts.size(); ++c)
      out += (c > 0 ? ", " : " ") + std::to_string(f.counts[c]) + " " + trained.classes[c];
    out += "\n";
  }
  return out;
}

void run(Options& o) {
  if (o.whole) o.search.side = -1;
  const DetectionWork work = open_work(o.detector, o.paths, o.max_pixels, device_of(o));
  const TrainedDetector& trained = work.trained;
  check_crops(o, trained);
  prepare_folder(o);
  const std::vector<std::string>&paths = work.paths, names = result_names(paths);
  PredictWriter writer(o, trained);
  Predictions unread;  // what could not be read, by place
  int64_t not_finite = 0;
  const auto progress = counting("images");
  for (size_t n = 0; n < paths.size(); ++n) {
    throw_if_stopped("pictures of " + std::to_string(n) + " images are whole, the tables are not");
    Image image;
    try {
      image = read_image(paths[n], work.reading);
    } catch (const IoError& e) {
      unread.faults.emplace(static_cast<int64_t>(n), e.fault());
      continue;
    }
    writer.add(paths[n], names[n], image,
               search_image(trained, image, o.search, paths[n], &not_finite));
    progress(static_cast<int64_t>(n) + 1, static_cast<int64_t>(paths.size()));
  }
  writer.commit();
  if (not_finite > 0)
    console().warn(count_text(not_finite, "candidate") + " left out: values that are not finite");
  console().out(o.json ? summary_json(writer.files(), unread, paths, trained)
                       : summary_text(writer.files(), trained));
  say_next({o.output + "/cells.json", o.output + "/cells.csv"}, "");
  tell_faults(unread, static_cast<int64_t>(paths.size()), o.on_bad_image == "skip", o.json);
}

}  // namespace

void add_segment_predict(CommandLine segment) {
  auto o = std::make_shared<Options>();
  CommandLine command = add_command(
      segment, "predict", "Find and outline the cells of images",
      "cyto segment predict --run runs/cells field.jpg -o found/\n"
      "cyto segment predict --run runs/cells slides/ -o found/ --tile 1024 --score 0.7\n"
      "cyto segment predict --run runs/cells slides/ -o found/ --crops 288    a picture per "
      "cell\n");
  add_detector_choice(command, o->detector);
  command.add_option("path", o->paths, "Images or folders of images").required();
  command.add_option("--score", o->search.score, "Least score of an object")
      .range(0.0, 1.0)
      .show_default();
  command
      .add_option("--tile", o->search.side,
                  "Side of the tiles of large fields, pixels; 0: as the training fields")
      .range(0, 1 << 20)
      .show_default();
  command.add_option("--overlap", o->search.overlap, "Overlap of tiles, share of their side")
      .range(0.0, 0.9)
      .show_default();
  command.add_flag("--whole", o->whole, "Never in tiles");
  command.add_option("--max-pixels", o->max_pixels, "Largest image; default: as in the run")
      .positive();
  command.add_flag("--no-overlays", o->no_overlays, "Without pictures of the outlines");
  command.add_flag("--no-labels", o->no_labels, "Without label images");
  command.add_option("--crops", o->crops, "Also a picture of each cell, as many pixels square")
      .range(1, 8192);
  command.add_option("--crop-class", o->crop_classes, "Crops of these classes alone")
      .delimiter(',')
      .allow_extra_args(false);
  command
      .add_option("--on-bad-image", o->on_bad_image,
                  "Images that cannot be read: error (exit 3 after all others), skip")
      .one_of({"error", "skip"})
      .show_default();
  add_common_options(command, *o, with_output | with_force | with_device);
  run_command(command, o, run);
}

}  // namespace cytograd::cli
