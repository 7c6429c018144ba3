#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/multimodal.h"
#include "cytograd/core/error.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/multimodal/alignment_report.h"
#include "cytograd/multimodal/run.h"
#include "cytograd/umap/umap.h"
#include "report/page.h"
#include "report/svg.h"

/// @file
/// `cyto multimodal report`: how good a run is, as a page with figures.

namespace cytograd::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr int64_t image_neighbors = 13, joint_neighbors = 15;

struct Options : CommonOptions {
  std::string run;
  std::vector<std::string> paths, omit;
};

struct LatentPath {
  std::string name;
  Tensor latents;  // [T, D]
};

std::string text_of(double v, int digits) {
  return std::isfinite(v) ? format_fixed(v, digits) : "n/a";
}
Json json_of(double v) { return std::isfinite(v) ? Json(v) : Json(); }

// The columns z1, z2, ... of FOLDER/path.csv.
LatentPath latent_path(const std::string& folder, const CsvTable& csv, int64_t width) {
  std::vector<size_t> columns;
  for (size_t c = 0; c < csv.columns(); ++c) {
    const std::string& name = csv.header()[c];
    if (name.size() > 1 && name[0] == 'z' && parse_int(name.substr(1))) columns.push_back(c);
  }
  if (static_cast<int64_t>(columns.size()) != width || csv.rows() == 0)
    throw DataError(Fault{"csv.form", csv.name(), "line 1",
                          std::to_string(columns.size()) + " columns of latents and " +
                              std::to_string(csv.rows()) + " rows",
                          std::to_string(width) + " columns z1, z2, ... and a row per step",
                          "--path expects a folder of cyto multimodal trajectory on this run"});
  std::vector<float> values;
  for (size_t r = 0; r < csv.rows(); ++r)
    for (const size_t c : columns) values.push_back(static_cast<float>(csv.number(r, c)));
  std::string name = fs::path(folder).lexically_normal().filename().string();
  if (name.empty() || name == ".") name = fs::absolute(folder).parent_path().filename().string();
  return {escape_control(name), Tensor::from(values, {static_cast<int64_t>(csv.rows()), width})};
}

// A map of latents: one colour per group, rings for RNA, lines for paths.
struct Map {
  std::string title;
  std::vector<float> latents;  // [n, D]
  std::vector<size_t> groups;
  std::vector<bool> rna;
  std::vector<std::string> names;  // of the groups
};

constexpr std::array colors = {"#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7",
                               "#56b4e9", "#8c8c00", "#555555", "#6a3d9a", "#a6761d",
                               "#1b9e77", "#e7298a", "#7a5400"};

void add_rows(Map& map, const multimodal::LatentCells& cells,
              const std::vector<std::string>& classes, size_t group, bool rna) {
  const std::vector<float> mu = cells.mu.to_vector<float>();
  const int64_t width = cells.mu.size(1);
  for (size_t i = 0; i < cells.labels.size(); ++i) {
    const int64_t l = cells.labels[i];
    if (l < 0 || std::find(classes.begin(), classes.end(), cells.classes[static_cast<size_t>(l)]) ==
                     classes.end())
      continue;
    const auto at = mu.begin() + static_cast<int64_t>(i) * width;
    map.latents.insert(map.latents.end(), at, at + width);
    map.groups.push_back(group);
    map.rna.push_back(rna);
  }
}

class Plane {
 public:
  explicit Plane(const std::vector<const std::vector<float>*>& points) {
    bool any = false;
    for (const auto* list : points)
      for (size_t i = 0; i + 1 < list->size(); i += 2) {
        if (!std::isfinite((*list)[i]) || !std::isfinite((*list)[i + 1])) continue;
        for (size_t d = 0; d < 2; ++d) {
          low_[d] = any ? std::min<double>(low_[d], (*list)[i + d]) : (*list)[i + d];
          high_[d] = any ? std::max<double>(high_[d], (*list)[i + d]) : (*list)[i + d];
        }
        any = true;
      }
    scale_ = side / std::max({high_[0] - low_[0], high_[1] - low_[1], 1e-6});
  }
  double x(double v) const { return 30 + scale_ * (v - low_[0]); }
  double y(double v) const { return 60 + scale_ * (high_[1] - v); }
  static constexpr double side = 560;

 private:
  double low_[2] = {0, 0}, high_[2] = {1, 1}, scale_ = 1;
};

void draw_path(svg::Picture& picture, const Plane& plane, const std::vector<float>& places,
               const std::string& name) {
  std::string d;
  size_t last = places.size();
  for (size_t i = 0; i + 1 < places.size(); i += 2) {
    if (!std::isfinite(places[i]) || !std::isfinite(places[i + 1])) continue;
    d += (d.empty() ? "M" : "L") + svg::number(plane.x(places[i])) + " " +
         svg::number(plane.y(places[i + 1]));
    last = i;
  }
  if (last == places.size()) return;
  for (const char* stroke : {"#ffffff\" stroke-width=\"5", "#111111\" stroke-width=\"2.2"})
    picture.add("<path d=\"" + d + "\" fill=\"none\" stroke-linejoin=\"round\" stroke=\"" + stroke +
                "\"/>");
  picture.circle(plane.x(places[last]), plane.y(places[last + 1]), 4.5, "#111111",
                 "stroke=\"#ffffff\" stroke-width=\"1.5\"");
  picture.text(plane.x(places[last]) + 8, plane.y(places[last + 1]) + 4, name, "start", 12,
               "font-weight=\"bold\" paint-order=\"stroke\" stroke=\"#ffffff\" "
               "stroke-width=\"3\"");
}

std::string draw_map(const Map& map, int64_t neighbors, uint64_t seed,
                     const std::vector<LatentPath>& paths, int64_t width,
                     std::vector<std::string>& notes) {
  UmapOptions options;
  options.neighbors = neighbors;
  options.min_dist = 0.1;
  options.seed = seed;
  Umap umap(options);
  const auto count = static_cast<int64_t>(map.groups.size());
  const std::vector<float> places =
      umap.fit(Tensor::from(map.latents, {count, width})).to_vector<float>();
  for (const std::string& note : umap.notes()) notes.push_back(map.title + ": " + note);
  std::vector<std::vector<float>> lines;
  std::vector<const std::vector<float>*> all = {&places};
  for (const LatentPath& p : paths) lines.push_back(umap.transform(p.latents).to_vector<float>());
  for (const auto& line : lines) all.push_back(&line);
  const Plane plane(all);
  double names = 80;
  for (const std::string& n : map.names) names = std::max(names, 1.2 * svg::text_width(n, 13));
  const double legend = 60 + Plane::side + 30;
  svg::Picture picture(legend + names + 30, Plane::side + 90, map.title);
  picture.text(20, 30, map.title, "start", 16, "font-weight=\"bold\"");
  const double radius = std::clamp(70 / std::sqrt(static_cast<double>(count) + 1), 1.2, 3.6);
  const bool both = std::find(map.rna.begin(), map.rna.end(), true) != map.rna.end();
  for (size_t i = 0; i < map.groups.size(); ++i) {
    const double a = places[2 * i], b = places[2 * i + 1];
    if (!std::isfinite(a) || !std::isfinite(b)) continue;
    const std::string color = colors[map.groups[i] % colors.size()];
    if (map.rna[i])
      picture.circle(plane.x(a), plane.y(b), radius, "none", "stroke=\"" + color + "\"");
    else
      picture.circle(plane.x(a), plane.y(b), radius, color, "fill-opacity=\"0.8\"");
  }
  for (size_t i = 0; i < paths.size(); ++i) draw_path(picture, plane, lines[i], paths[i].name);
  for (size_t g = 0; g < map.names.size(); ++g) {
    const double y = 70 + 20 * static_cast<double>(g);
    picture.circle(legend, y, 5, colors[g % colors.size()]);
    picture.text(legend + 12, y + 4.5, map.names[g]);
  }
  if (both) {
    const double y = 80 + 20 * static_cast<double>(map.names.size());
    picture.circle(legend, y, 4, svg::ink);
    picture.text(legend + 12, y + 4.5, "image");
    picture.circle(legend, y + 20, 4, "none", "stroke=\"#222222\"");
    picture.text(legend + 12, y + 24.5, "RNA");
  }
  return picture.finish();
}

Map image_map(const multimodal::Run& run, const std::vector<std::string>& omit) {
  const auto& cells = run.image_cells;
  for (const std::string& name : omit)
    if (std::find(cells.classes.begin(), cells.classes.end(), name) == cells.classes.end()) {
      std::string known;
      for (const std::string& c : cells.classes) known += (known.empty() ? "" : ", ") + c;
      throw DataError(Fault{"class.unknown", "", "--omit", name, "one of " + known, ""});
    }
  Map map;
  map.title = "Latents of images";
  for (const std::string& name : cells.classes) {
    if (std::find(omit.begin(), omit.end(), name) != omit.end()) continue;
    add_rows(map, cells, {name}, map.names.size(), false);
    map.names.push_back(name);
  }
  return map;
}

Map joint_map(const multimodal::Run& run) {
  Map map;
  map.title = "Latents of images and RNA, aligned classes";
  for (const multimodal::ClassPair& pair : run.map.pairs) {
    add_rows(map, run.rna_cells, pair.rna, map.names.size(), true);
    add_rows(map, run.image_cells, pair.image, map.names.size(), false);
    map.names.push_back(pair.name);
  }
  return map;
}

ReportTable quality_table(const multimodal::Run& run) {
  const auto row = [](const char* name, const multimodal::ModelQuality& q) {
    return std::vector<std::string>{name,
                                    std::to_string(q.active_units),
                                    text_of(q.r2_mu, 3),
                                    text_of(q.r2_z, 3),
                                    text_of(q.psnr, 1),
                                    text_of(q.cosine, 3),
                                    q.collapsed ? "yes" : "no"};
  };
  ReportTable out = {{"model", "active units", "R² from μ", "R² from z", "masked PSNR, dB",
                      "cosine", "collapsed"}};
  out.push_back(row("images", run.image_quality));
  out.push_back(row("RNA", run.rna_quality));
  return out;
}

ReportTable alignment_table(const multimodal::AlignmentReport& report) {
  ReportTable out = {{"class", "images", "RNA", "‖Δ mean‖", "RNA spread", "‖Δ covariance‖", "MMD²",
                      "mixing", "label transfer", "chance"}};
  for (const multimodal::ClassAlignmentRow& r : report.classes)
    out.push_back({r.name, std::to_string(r.image), std::to_string(r.rna),
                   text_of(r.mean_distance, 3), text_of(r.spread, 3),
                   text_of(r.covariance_distance, 3), text_of(r.mmd, 4), text_of(r.mixing, 3),
                   text_of(r.transfer, 3), text_of(r.chance, 3)});
  out.push_back(
      {"all", "", "", "", "", "", "", "", text_of(report.transfer, 3), text_of(report.chance, 3)});
  return out;
}

Json quality_json(const multimodal::ModelQuality& q) {
  return {{"active_units", q.active_units}, {"r2_mu", json_of(q.r2_mu)},
          {"r2_z", json_of(q.r2_z)},        {"psnr", json_of(q.psnr)},
          {"cosine", json_of(q.cosine)},    {"collapsed", q.collapsed}};
}

Json report_json(const multimodal::Run& run, const multimodal::AlignmentReport& report,
                 const std::vector<std::string>& notes, const std::vector<std::string>& files) {
  Json classes = Json::array(), said = Json::array(), written = Json::array();
  for (const multimodal::ClassAlignmentRow& r : report.classes)
    classes.push_back({{"name", escape_control(r.name)},
                       {"image", r.image},
                       {"rna", r.rna},
                       {"mean_distance", json_of(r.mean_distance)},
                       {"spread", json_of(r.spread)},
                       {"covariance_distance", json_of(r.covariance_distance)},
                       {"mmd", json_of(r.mmd)},
                       {"mixing", json_of(r.mixing)},
                       {"transfer", json_of(r.transfer)},
                       {"chance", json_of(r.chance)}});
  for (const std::string& n : notes) said.push_back(escape_control(n));
  for (const std::string& f : files) written.push_back(escape_control(f));
  return {{"image", quality_json(run.image_quality)},
          {"rna", quality_json(run.rna_quality)},
          {"classes", classes},
          {"transfer", json_of(report.transfer)},
          {"chance", json_of(report.chance)},
          {"notes", said},
          {"files", written}};
}

void report(Options& o) {
  if (!o.output.ends_with(".html"))
    throw ConfigError("--output expects a name ending in .html, got " + escape_control(o.output) +
                      " [cli]");
  const std::string stem = o.output.substr(0, o.output.size() - 5);
  const std::vector<std::string> files = {o.output, stem + "-images.svg", stem + "-joint.svg"};
  for (const std::string& f : files) require_new_file(f, o.force);
  std::vector<CsvTable> tables;  // before the run, which takes longer
  for (const std::string& folder : o.paths) tables.push_back(read_csv(folder + "/path.csv"));
  const multimodal::Run run = multimodal::load_run(o.run);
  require_both(run, "report");
  const int64_t width = run.image_cells.mu.size(1);
  std::vector<LatentPath> paths;
  for (size_t i = 0; i < tables.size(); ++i)
    paths.push_back(latent_path(o.paths[i], tables[i], width));
  const std::array maps = {image_map(run, o.omit), joint_map(run)};
  multimodal::AlignmentReportOptions options;
  options.seed = o.seed;
  const auto aligned =
      multimodal::report_alignment(run.image_cells, run.rna_cells, run.map, options);
  std::vector<std::string> notes = run.warnings;
  notes.insert(notes.end(), aligned.notes.begin(), aligned.notes.end());
  std::vector<std::pair<std::string, std::string>> figures;
  for (size_t i = 0; i < maps.size(); ++i) {
    const Map& map = maps[i];
    if (map.groups.size() < 3)
      throw DataError(Fault{"data.empty", o.run, map.title,
                            std::to_string(map.groups.size()) + " cells", "three or more",
                            "omit fewer classes"});
    figures.emplace_back(map.title, draw_map(map, i == 0 ? image_neighbors : joint_neighbors,
                                             o.seed, paths, width, notes));
  }
  std::string html = page_begin("Images and RNA in one latent space", "Run " + o.run,
                                {{"image cells", std::to_string(run.image_cells.mu.size(0))},
                                 {"RNA cells", std::to_string(run.rna_cells.mu.size(0))},
                                 {"label transfer", text_of(aligned.transfer, 3)}});
  for (const std::string& n : notes) html += "<p>Note: " + html_text(n) + "</p>";
  html += "<h2>Reconstruction</h2>" + table_html(quality_table(run)) +
          "<h2>Alignment</h2><p>Mixing is 1 where both modalities lie among each other and 0 where "
          "they lie apart. Labels go from the 15 nearest RNA cells to image cells.</p>" +
          table_html(alignment_table(aligned));
  for (const auto& [name, picture] : figures)
    html += "<h2>" + html_text(name) + "</h2>" + figure_html(name, picture);
  for (size_t i = 0; i < figures.size(); ++i)
    write_file_atomically(files[i + 1], figures[i].second);
  write_file_atomically(o.output, html + "</body></html>\n");
  for (const std::string& n : notes) console().warn(n);
  if (o.json) console().out(report_json(run, aligned, notes, files).dump() + "\n");
  say_next(files, "");
}

}  // namespace

void add_multimodal_report(CommandLine multimodal) {
  auto options = std::make_shared<Options>();
  CommandLine command =
      add_command(multimodal, "report", "Say how good a run is: reconstruction, alignment, maps",
                  "cyto multimodal report --run runs/joint -o joint.html\n"
                  "cyto multimodal report --run runs/joint --path paths/g -o joint.html --json\n");
  command.add_option("--run", options->run, "Folder of cyto multimodal train").required();
  command.add_option("--path", options->paths,
                     "Folders of cyto multimodal trajectory, drawn on the maps");
  command.add_option("--omit", options->omit, "Classes left out of the map of images");
  add_common_options(command, *options, with_output | with_force | with_seed);
  command.get_option("--output").required();
  run_command(command, options, report);
}

}  // namespace cytograd::cli
