#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <pugixml.hpp>
#include <set>
#include <string>
#include <vector>

/// @file
/// Reading pictures and pages of paths back.

namespace cytograd::test {

inline bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

inline std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

// What an XML parser need not check and browsers refuse: control characters, attributes twice;
// and numbers that are none.
struct Strict : pugi::xml_tree_walker {
  bool for_each(pugi::xml_node& node) override {
    std::set<std::string> names;
    for (const pugi::xml_attribute& a : node.attributes()) {
      CHECK_MESSAGE(names.insert(a.name()).second, node.name(), " has ", a.name(), " twice");
      const std::string value = lower(a.value());
      if (std::string(a.name()) == "href") continue;  // pictures as text
      CHECK_MESSAGE(!has(value, "nan"), value);
      CHECK_MESSAGE(!has(value, "inf"), value);
    }
    return true;
  }
};

inline pugi::xml_document parsed(const std::string& svg) {
  pugi::xml_document out;
  const pugi::xml_parse_result result = out.load_buffer(svg.data(), svg.size(), pugi::parse_full);
  CHECK_MESSAGE(result, result.description());
  bool control = false;
  for (const char c : svg) control |= static_cast<unsigned char>(c) < 0x20 && c != '\n';
  CHECK_FALSE(control);
  Strict strict;
  out.traverse(strict);
  return out;
}

inline std::vector<std::string> texts(const pugi::xml_document& svg,
                                      const std::string& where = "") {
  std::vector<std::string> out;
  for (const auto& n : svg.select_nodes(("//text" + where).c_str()))
    out.emplace_back(n.node().text().get());
  return out;
}

inline bool contains(const std::vector<std::string>& list, const std::string& text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

inline std::string data_text(const std::string& html) {
  const std::string begin = "id=\"data\">";
  const size_t at = html.find(begin) + begin.size();
  return html.substr(at, html.find("</script>", at) - at);
}
inline nlohmann::json data_of(const std::string& html) {
  return nlohmann::json::parse(data_text(html));
}

// Symbols beside the heat map: slanted, smaller than the titles of panels.
inline const char* const symbols = "[contains(@font-style,'italic') and @font-size='11.0']";

struct Bar {
  double x, y, width;
};
inline std::vector<Bar> rects(const pugi::xml_document& svg, const std::string& where) {
  std::vector<Bar> out;
  for (const auto& n : svg.select_nodes(("//rect" + where).c_str()))
    out.push_back({n.node().attribute("x").as_double(), n.node().attribute("y").as_double(),
                   n.node().attribute("width").as_double()});
  return out;
}

}  // namespace cytograd::test
