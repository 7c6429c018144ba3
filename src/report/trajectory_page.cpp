#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "cytograd/train/report.h"
#include "report/svg.h"
#include "report/trajectory_parts.h"
#include "report/trajectory_script.h"

namespace cytograd {
namespace {

using Json = nlohmann::ordered_json;
using multimodal::Trajectory;
using namespace trajectory;

// A whole number has no point; NaN is null.
Json rounded(double v, int digits) {
  if (!std::isfinite(v)) return {};
  const double power = std::pow(10.0, digits), r = std::round(v * power) / power;
  if (r == std::floor(r) && std::abs(r) < 1e15) return static_cast<int64_t>(r);
  return r;
}
Json rounded(std::span<const double> list, int digits) {
  Json out = Json::array();
  for (const double v : list) out.push_back(rounded(v, digits));
  return out;
}
// About four digits that count.
Json significant(double v) {
  if (!std::isfinite(v) || v == 0) return rounded(v, 0);
  return rounded(v, std::clamp(3 - static_cast<int>(std::floor(std::log10(std::abs(v)))), 0, 9));
}
Json thousandths(std::span<const double> row) {
  Json out = Json::array();
  for (const double v : row)
    out.push_back(std::isfinite(v)
                      ? Json(static_cast<int64_t>(std::llround(std::clamp(v, -1e12, 1e12) * 1000)))
                      : Json());
  return out;
}

Json texts(const std::vector<std::string>& list) {
  Json out = Json::array();
  for (const std::string& text : list) out.push_back(escape_control(text));
  return out;
}

double mean_of(std::span<const double> row) {
  double sum = 0, n = 0;
  for (const double v : row)
    if (std::isfinite(v)) sum += v, ++n;
  return n > 0 ? sum / n : std::numeric_limits<double>::quiet_NaN();
}

// What fold changes of a gene are of: its mean over all steps, also those that were left out.
double unit_of(std::span<const double> expression, std::span<const double> fold) {
  const double part = mean_of(fold);
  return part > 0 ? mean_of(expression) / part : mean_of(expression);
}

void add_genes(Json& data, const Trajectory& path, const std::vector<int64_t>& chosen) {
  data["fold"] = Json::array();
  data["labels"] = Json::array();
  data["change"] = Json::array();
  data["range"] = Json::array();
  data["means"] = Json::array();
  std::vector<std::pair<double, int64_t>> strongest;
  for (int64_t g = 0; g < path.fold.rows; ++g) {
    const auto row = path.fold.row(g);
    // As `cluster::rise`, which expects numbers only.
    const size_t tenth = std::max<size_t>(1, row.size() / 10);
    data["fold"].push_back(thousandths(row));
    data["labels"].push_back(cluster_of(path, g));
    data["change"].push_back(rounded(mean_of(row.last(tenth)) - mean_of(row.first(tenth)), 3));
    data["range"].push_back(rounded(range_of(row), 3));
    if (path.expression.rows > 0)
      data["means"].push_back(significant(unit_of(path.expression.row(g), row)));
    strongest.emplace_back(-range_of(row), g);
  }
  // Highlighted genes come first, then those whose fold change spans most.
  std::sort(strongest.begin(), strongest.end());
  std::vector<int64_t> banded = chosen;
  for (const auto& [range, g] : strongest) banded.push_back(g);
  data["bands"] = Json::object();
  if (path.fold_low.rows == 0) return;
  for (size_t i = 0; i < banded.size() && data["bands"].size() < most_bands; ++i) {
    const int64_t g = banded[i];
    data["bands"][std::to_string(g)] =
        Json::array({thousandths(path.fold_low.row(g)), thousandths(path.fold_high.row(g))});
  }
}

void add_drivers(Json& data, const TrajectoryFigure& figure) {
  data["hasDrivers"] = !figure.drivers.empty();
  data["drivers"] = Json::object();
  for (const multimodal::Driver& d : figure.drivers) {
    Json p = Json::array(), q = Json::array();
    for (const double v : d.p) p.push_back(rounded(v, 5));
    for (const double v : d.q) q.push_back(rounded(v, 5));
    data["drivers"][std::to_string(d.gene)] =
        Json::array({rounded(d.half_time, 3), rounded(d.along, 3), rounded(d.across, 3), p, q});
  }
}

void add_frames(Json& data, const Trajectory& path) {
  data["sheet"] = nullptr;
  data["outlines"] = Json::array();
  if (!path.frames.defined()) return;
  const int64_t count = path.frames.size(0), side = path.frames.size(1);
  const auto columns =
      std::max<int64_t>(1, static_cast<int64_t>(std::ceil(std::sqrt(static_cast<double>(count)))));
  Image sheet((count + columns - 1) / columns * side, columns * side, 3, 255);
  for (int64_t i = 0; i < count; ++i) {
    const Image frame = frame_image(path.frames, i);
    for (int64_t row = 0; row < side; ++row)
      std::copy_n(frame.at(row, 0), 3 * side,
                  sheet.at(i / columns * side + row, i % columns * side));
    if (path.masks.defined())
      data["outlines"].push_back(outline_path(mask_at(path.masks, i), side));
  }
  data["side"] = side;
  data["columns"] = columns;
  data["sheet"] = base64(encode_jpeg(sheet, 92));
}

Json score_titles(const TrajectoryFigure& figure) {
  const auto units = morphology_units(figure);
  Json out = Json::array();
  for (size_t i = 0; i < units.size(); ++i)
    out.push_back(morphology_titles[i] + (units[i].empty() ? "" : ", " + units[i]));
  return out;
}

void add_clusters(Json& data, const Trajectory& path) {
  data["clusters"] = Json::array();
  for (size_t c = 0; c < path.clusters.clusters.size(); ++c) {
    const cluster::GeneCluster& k = path.clusters.clusters[c];
    data["clusters"].push_back({{"name", escape_control(k.name)},
                                {"n", k.members.size()},
                                {"colour", svg::hex(cluster_color(path, static_cast<int64_t>(c)))},
                                {"mean", rounded(k.mean, 4)},
                                {"deviation", rounded(k.deviation, 4)}});
  }
}

Json data_of(const Trajectory& path, const TrajectoryFigure& figure) {
  const std::vector<int64_t> chosen = highlighted(path, figure);
  Json data = {{"t", rounded(path.t, 5)},
               {"stations", texts(path.stations)},
               {"stationT", rounded(path.station_t, 5)},
               {"genes", texts(path.genes)},
               {"order", heat_order(path)},
               {"chosen", chosen},
               {"supportImage", rounded(path.support.image, 6)},
               {"supportRna", rounded(path.support.rna, 6)},
               {"scoreTitles", score_titles(figure)},
               {"notes", texts(path.notes)}};
  data["morphology"] = Json::array();
  for (const auto& row : figure.morphology) {
    Json values = Json::array();
    for (const double v : row) values.push_back(significant(v));
    data["morphology"].push_back(values);
  }
  add_genes(data, path, chosen);
  add_drivers(data, figure);
  add_frames(data, path);
  add_clusters(data, path);
  const size_t bands = data["bands"].size();
  data["bandText"] =
      bands == 0 ? ""
                 : "Bands: 5th to 95th percentile of the sampled paths" +
                       (bands < path.genes.size()
                            ? ", for the " + std::to_string(bands) + " genes that change most."
                            : std::string("."));
  data["figure"] = base64(trajectory_svg(path, figure));
  return data;
}

}  // namespace

std::string trajectory_page(const Trajectory& path, const TrajectoryFigure& figure) {
  check_figure("trajectory_page", path, figure);
  // No text of the data can end the script element.
  std::string json;
  for (const char c : data_of(path, figure).dump())
    json += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
         "content=\"width=device-width,initial-scale=1\"><meta "
         "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src "
         "'unsafe-inline';script-src 'unsafe-inline';img-src data:\"><title>" +
         html_text(path.name) + "</title><style>" + page_style +
         "</style></head><body><header><h1>" + html_text(path.name) + "</h1><p>" +
         html_text(figure.subtitle) + "</p></header>" + page_body +
         "<script type=\"application/json\" id=\"data\">" + json + "</script><script>" +
         page_script + "</script></body></html>\n";
}

}  // namespace cytograd
