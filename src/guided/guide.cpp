#include "cytograd/guided/guide.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <set>

#include "cytograd/core/error.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "guided/guide_text.h"
#include "io/json.h"

namespace cytograd {
namespace {

[[noreturn]] void fail(const std::string& file, const std::string& place, const std::string& found,
                       const std::string& expected, const std::string& hint = "") {
  throw ConfigError(Fault{"guide", file, place, found, expected, hint});
}

bool is_color(const std::string& text) {
  return text.size() == 7 && text[0] == '#' &&
         text.find_first_not_of("0123456789abcdefABCDEF", 1) == std::string::npos;
}

// What every row owes, whatever the format.
void check_rows(const Guide& guide, const std::vector<std::string>& places) {
  if (guide.classes.empty()) fail(guide.file, "", "no classes", "one row per class");
  std::set<std::string> seen;
  for (size_t i = 0; i < guide.classes.size(); ++i) {
    const GuideClass& c = guide.classes[i];
    if (c.name.empty()) fail(guide.file, places[i], "a class without a name", "a name");
    if (!seen.insert(c.name).second)
      fail(guide.file, places[i], "class " + c.name + " is there twice", "one row per class");
    if (!std::isfinite(c.x) || !std::isfinite(c.y))
      fail(guide.file, places[i], "the point of class " + c.name + " is not finite",
           "two finite numbers");
    if (!c.color.empty() && !is_color(c.color))
      fail(guide.file, places[i], "the colour of class " + c.name + " is \"" + c.color + "\"",
           "#rrggbb");
  }
}

// Faults of the readers are faults of the settings here.
template <class F>
auto as_config_error(F&& f) {
  try {
    return f();
  } catch (const DataError& e) {
    Fault fault = e.fault();
    fault.id = "guide";
    throw ConfigError(fault);
  }
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

}  // namespace

const GuideClass* Guide::find(const std::string& class_name) const {
  for (const GuideClass& c : classes)
    if (c.name == class_name) return &c;
  return nullptr;
}

Guide parse_guide_csv(const std::string& text, const std::string& name) {
  return as_config_error([&] {
    const CsvTable table(text, name);
    const size_t cls = table.column("class"), x = table.column("x"), y = table.column("y");
    const auto lineage = table.find_column("lineage"), stage = table.find_column("stage");
    const auto color = table.find_column("color");
    Guide out;
    out.file = name;
    out.name = std::filesystem::path(name).stem().string();
    std::vector<std::string> places;
    for (size_t row = 0; row < table.rows(); ++row) {
      GuideClass c;
      c.name = std::string(table.value(row, cls).value_or(""));
      c.x = table.number(row, x);
      c.y = table.number(row, y);
      if (lineage) c.lineage = std::string(table.value(row, *lineage).value_or("none"));
      if (stage && table.value(row, *stage)) {
        c.stage = parse_int(*table.value(row, *stage));
        if (!c.stage)
          table.fail(row, "stage \"" + std::string(*table.value(row, *stage)) + "\"",
                     "a whole number");
      }
      if (color) c.color = std::string(table.value(row, *color).value_or(""));
      out.classes.push_back(c);
      places.push_back("line " + std::to_string(table.line(row)));
    }
    check_rows(out, places);
    return out;
  });
}

Guide parse_guide_json(const std::string& text, const std::string& name) {
  return as_config_error([&] {
    const nlohmann::json root = parse_json(text, Fault{"guide", name, "", "", "", ""});
    Guide out;
    out.file = name;
    std::vector<std::string> places;
    try {
      out.name = root.value("name", std::filesystem::path(name).stem().string());
      for (const auto& row : root.at("classes")) {
        places.push_back("class " + std::to_string(places.size()));
        GuideClass c;
        c.name = row.at("class").get<std::string>();
        c.x = row.at("x").get<double>();
        c.y = row.at("y").get<double>();
        c.lineage = row.value("lineage", std::string("none"));
        if (row.contains("stage") && !row["stage"].is_null()) c.stage = row["stage"].get<int64_t>();
        c.color = row.value("color", std::string());
        out.classes.push_back(c);
      }
    } catch (const nlohmann::json::exception&) {
      fail(name, places.empty() ? "" : places.back(), "JSON that is no guide",
           "{\"name\": ..., \"classes\": [{\"class\": ..., \"x\": ..., \"y\": ...}, ...]}");
    }
    check_rows(out, places);
    return out;
  });
}

Guide read_guide(const std::string& path) {
  const std::string text = read_file(path);
  return path.ends_with(".json") ? parse_guide_json(text, path) : parse_guide_csv(text, path);
}

Guide find_guide(const std::string& name_or_path) {
  std::vector<std::string> names;
  for (const Guide& g : standard_guides()) {
    if (g.name == name_or_path) return g;
    names.push_back(g.name);
  }
  std::error_code error;
  if (!std::filesystem::exists(name_or_path, error) && !name_or_path.ends_with(".csv") &&
      !name_or_path.ends_with(".json"))
    fail("", "", "no guide " + name_or_path, "a CSV or JSON file, or one of " + listed(names));
  return read_guide(name_or_path);
}

std::vector<Point2> MatchedGuide::points() const {
  std::vector<Point2> out;
  for (const GuideClass& c : classes) out.push_back(c.point());
  return out;
}

Tensor MatchedGuide::tensor(Dtype dtype) const {
  std::vector<double> values;
  for (const GuideClass& c : classes) values.insert(values.end(), {c.x, c.y});
  return Tensor::from(values, {static_cast<int64_t>(classes.size()), 2}).to(dtype);
}

MatchedGuide match_guide(const Guide& guide, const std::vector<std::string>& classes) {
  const std::string where = guide.file.empty() ? guide.name : guide.file;
  MatchedGuide out;
  std::vector<std::string> missing;
  for (const std::string& name : classes) {
    const GuideClass* row = guide.find(name);
    row ? out.classes.push_back(*row) : missing.push_back(escape_control(name));
  }
  if (!missing.empty())
    fail(where, "", "no row for " + listed(missing), "a row for every class of the data",
         "`cyto guide draw " + (guide.file.empty() ? guide.name : "hematopoiesis-15") +
             " -o guide.csv` writes a table to edit");
  for (size_t i = 0; i < out.classes.size(); ++i)
    for (size_t j = 0; j < i; ++j) {
      const GuideClass &a = out.classes[j], &b = out.classes[i];
      if (std::hypot(a.x - b.x, a.y - b.y) < guide_coincidence)
        fail(where, "", "classes " + a.name + " and " + b.name + " lie at one point",
             "a point of its own for every class");
    }
  for (const GuideClass& c : guide.classes)
    if (std::find(classes.begin(), classes.end(), c.name) == classes.end())
      out.unused.push_back(c.name);
  return out;
}

std::vector<Point2> unit_box(const std::vector<Point2>& points) {
  std::vector<Point2> out = points;
  for (size_t axis = 0; axis < 2; ++axis) {
    double low = INFINITY, high = -INFINITY;
    for (const Point2& p : points) {
      low = std::min(low, p[axis]);
      high = std::max(high, p[axis]);
    }
    if (!(high > low))
      fail("", "", std::string("all classes have the same ") + (axis == 0 ? "x" : "y"),
           "points that differ along both axes");
    for (Point2& p : out) p[axis] = 10 * (p[axis] - low) / (high - low);
  }
  return out;
}

std::string guide_csv(const Guide& guide) {
  const auto row = [](std::vector<std::string> fields) { return csv_row(fields); };
  std::string out = row({"class", "x", "y", "lineage", "stage", "color"});
  for (const GuideClass& c : guide.classes)
    out += row({c.name, format_double(c.x), format_double(c.y), c.lineage,
                c.stage ? std::to_string(*c.stage) : "", c.color});
  return out;
}

std::string guide_json(const Guide& guide) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const GuideClass& c : guide.classes) {
    nlohmann::ordered_json row = {{"class", escape_control(c.name)},
                                  {"x", c.x},
                                  {"y", c.y},
                                  {"lineage", escape_control(c.lineage)}};
    if (c.stage) row["stage"] = *c.stage;
    if (!c.color.empty()) row["color"] = c.color;
    rows.push_back(row);
  }
  return nlohmann::ordered_json{{"name", escape_control(guide.name)}, {"classes", rows}}.dump(1) +
         "\n";
}

}  // namespace cytograd
