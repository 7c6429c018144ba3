#include "cytograd/report/embedding_page.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "cytograd/train/report.h"
#include "report/embedding_script.h"
#include "report/svg.h"

namespace cytograd {
namespace {

using Json = nlohmann::ordered_json;

constexpr int64_t sheet_side = 2048;

Json rounded(double v, int digits) {
  return std::isfinite(v) ? Json(std::stod(format_fixed(v, digits))) : Json();
}

Json texts(const std::vector<std::string>& list) {
  Json out = Json::array();
  for (const std::string& text : list) out.push_back(escape_control(text));
  return out;
}

// Digits that tell neighbouring pixels of the whole map apart, ten times over.
int digits_of(const PageMap& map) {
  double low = 0, high = 0;
  for (const Point2& p : map.places)
    for (const double v : p)
      if (std::isfinite(v)) low = std::min(low, v), high = std::max(high, v);
  if (!(high > low)) return 6;
  return std::clamp(static_cast<int>(std::ceil(-std::log10((high - low) / 20000))), 0, 12);
}

const std::vector<std::string> part_names = {"train", "val", "test", "unseen"};

Json json_of(const PageMap& map) {
  const int digits = digits_of(map);
  Json x = Json::array(), y = Json::array(), confidence = Json::array(), parts = Json::array();
  for (const Point2& p : map.places) {
    const bool here = std::isfinite(p[0]) && std::isfinite(p[1]);
    x.push_back(here ? rounded(p[0], digits) : Json());
    y.push_back(here ? rounded(p[1], digits) : Json());
  }
  for (const double v : map.confidence) confidence.push_back(rounded(v, 3));
  for (const std::string& part : map.parts) {
    const auto at = std::find(part_names.begin(), part_names.end(), part);
    parts.push_back(at == part_names.end() ? -1 : at - part_names.begin());
  }
  return {{"name", escape_control(map.name)},
          {"xl", escape_control(map.x_label)},
          {"yl", escape_control(map.y_label)},
          {"x", x},
          {"y", y},
          {"predicted", map.predicted},
          {"confidence", confidence},
          {"parts", parts}};
}

struct Sheets {
  int64_t side = 0, columns = 0, per = 0;
  std::vector<std::string> jpegs;
  int64_t bytes() const {
    int64_t out = 0;
    for (const std::string& s : jpegs) out += static_cast<int64_t>(s.size());
    return out;
  }
};

Sheets join(const std::vector<Image>& images, int quality) {
  Sheets out;
  out.side = images.front().width;
  const auto count = static_cast<int64_t>(images.size());
  out.columns = std::clamp<int64_t>(sheet_side / out.side, 1, count);
  out.per = out.columns * std::max<int64_t>(1, sheet_side / out.side);
  for (int64_t begin = 0; begin < count; begin += out.per) {
    const int64_t n = std::min(out.per, count - begin);
    Image sheet((n + out.columns - 1) / out.columns * out.side, out.columns * out.side, 3, 255);
    for (int64_t i = 0; i < n; ++i) {
      const Image& from = images[static_cast<size_t>(begin + i)];
      for (int64_t row = 0; row < out.side; ++row)
        std::copy_n(from.at(row, 0), 3 * out.side,
                    sheet.at(i / out.columns * out.side + row, i % out.columns * out.side));
    }
    out.jpegs.push_back(encode_jpeg(sheet, quality));
  }
  return out;
}

void check_page(const EmbeddingPage& p) {
  const size_t n = p.names.size();
  check<ValueError>(n >= 1 && static_cast<int64_t>(n) <= page_points, "embedding_page",
                    "expects 1..", page_points, " cells, got ", n);
  bool fits = p.labels.size() == n && p.colors.size() == p.classes.size() && !p.maps.empty() &&
              (p.thumbnails.empty() || p.thumbnails.size() == n);
  for (const PageMap& m : p.maps)
    fits &= m.places.size() == n && m.predicted.size() == n &&
            (m.confidence.empty() || m.confidence.size() == n) &&
            (m.parts.empty() || m.parts.size() == n);
  for (const PageGroup& g : p.groups) fits &= g.codes.size() == n;
  for (const Image& i : p.thumbnails)
    fits &= i.channels == 3 && i.width == i.height && i.width == p.thumbnails[0].width;
  check<ShapeError>(fits, "embedding_page", "expects one entry per cell everywhere, of ", n,
                    " cells");
}

}  // namespace

int64_t thumbnail_side(int64_t cells) {
  return cells <= 1000 ? 96 : cells <= 3000 ? 64 : cells <= 8000 ? 48 : 32;
}

std::string embedding_page_html(const EmbeddingPage& p, int64_t limit) {
  check_page(p);
  Json data = {{"names", texts(p.names)}, {"classes", texts(p.classes)}, {"colours", Json::array()},
               {"order", p.order},        {"labels", p.labels},          {"partNames", part_names},
               {"groups", Json::array()}, {"maps", Json::array()},       {"atlas", nullptr}};
  for (const auto& color : p.colors) data["colours"].push_back(svg::hex(color));
  for (const PageGroup& g : p.groups)
    data["groups"].push_back(
        {{"name", escape_control(g.name)}, {"values", texts(g.values)}, {"codes", g.codes}});
  for (const PageMap& m : p.maps) data["maps"].push_back(json_of(m));
  std::string pictures = "without pictures";
  if (!p.thumbnails.empty()) {
    Sheets sheets;
    for (const int quality : {80, 60, 40})
      if (quality == 80 || sheets.bytes() > limit) sheets = join(p.thumbnails, quality);
    if (sheets.bytes() <= limit) {
      Json list = Json::array();
      for (const std::string& jpeg : sheets.jpegs) list.push_back(base64(jpeg));
      data["atlas"] = {{"side", sheets.side},
                       {"columns", sheets.columns},
                       {"per", sheets.per},
                       {"sheets", list}};
      pictures = "pictures of " + std::to_string(sheets.side) + " px";
    } else {
      pictures =
          "pictures left out, they would take more than " + std::to_string(limit >> 20) + " MiB";
    }
  }
  // No text of the data can end the script element.
  std::string json;
  for (const char c : data.dump()) json += c == '<' ? std::string("\\u003c") : std::string(1, c);
  return "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
         "content=\"width=device-width,initial-scale=1\"><meta "
         "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none';style-src "
         "'unsafe-inline';script-src 'unsafe-inline';img-src data:\"><title>" +
         html_text(p.title) + "</title><style>" + embedding_page_style +
         "</style></head><body><header><h1>" + html_text(p.title) + "</h1><p>" +
         html_text(p.subtitle) + (p.subtitle.empty() ? "" : "; ") + pictures +
         ". Point at a cell, drag to move, wheel to zoom; arrow keys, +, &minus; and 0 do the "
         "same.</p></header>" +
         embedding_page_body + "<script type=\"application/json\" id=\"data\">" + json +
         "</script><script>" + embedding_page_script + "</script></body></html>\n";
}

}  // namespace cytograd
