#include <algorithm>

#include "cytograd/data/dataset.h"
#include "cytograd/io/text.h"
#include "data/mask_rule.h"

namespace cytograd {
namespace {

std::vector<std::string> split_commas(const std::string& text) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    out.emplace_back(trim(std::string_view(text).substr(begin, end - begin)));
    begin = end + 1;
  }
  return out;
}

// A grey value of `low`..255.
int grey_value(const char* option, const std::string& text, int low) {
  const auto value = parse_int(text);
  check<ConfigError>(value && *value >= low && *value <= 255, option, "expected a grey value of ",
                     low, "..255, got \"", escape_control(text), "\"");
  return static_cast<int>(*value);
}

MaskRule threshold_rule(const std::string& text) {
  const char* option = "--mask-threshold";
  const std::vector<std::string> parts = split_commas(text);
  check<ConfigError>(parts.size() <= 2, option, "expected CELL or CELL,NUCLEUS, got \"",
                     escape_control(text), "\"");
  MaskRule rule;
  rule.values.clear();
  rule.cell_from = grey_value(option, parts[0], 1);
  rule.nucleus_from = parts.size() > 1 ? grey_value(option, parts[1], 1) : 256;
  check<ConfigError>(rule.nucleus_from > rule.cell_from, option, "expected rising values, got \"",
                     escape_control(text), "\"");
  return rule;
}

MaskRule map_rule(const std::string& text) {
  const char* option = "--mask-map";
  static const std::vector<std::string> names = {"background", "cell", "nucleus"};
  MaskRule rule;
  rule.values.clear();
  for (const std::string& item : split_commas(text)) {
    const size_t equal = item.find('=');
    check<ConfigError>(equal != std::string::npos, option, "expected VALUE=PART, got \"",
                       escape_control(item), "\"");
    const int value = grey_value(option, std::string(trim(item.substr(0, equal))), 0);
    const std::string name(trim(std::string_view(item).substr(equal + 1)));
    const auto part = std::find(names.begin(), names.end(), name);
    const std::string near = nearest_name(name, names);
    check<ConfigError>(part != names.end(), option, "expected background, cell or nucleus, got \"",
                       escape_control(name), "\"",
                       near.empty() ? "" : "; did you mean " + near + "?");
    check<ConfigError>(
        std::find(rule.values.begin(), rule.values.end(), value) == rule.values.end(), option,
        "expected each value once, got ", value, " twice");
    rule.values.push_back(value);
    rule.map.emplace_back(value, static_cast<MaskPart>(part - names.begin()));
  }
  return rule;
}

}  // namespace

MaskPart mask_part(const MaskRule& rule, int value) {
  if (rule.map.empty())
    return value >= rule.nucleus_from ? MaskPart::nucleus
           : value >= rule.cell_from  ? MaskPart::cell
                                      : MaskPart::background;
  for (const auto& [mapped, part] : rule.map)
    if (mapped == value) return part;
  return MaskPart::background;
}

std::optional<MaskRule> mask_rule_of(const DatasetOptions& options) {
  if (options.mask_threshold.empty() && options.mask_map.empty()) return {};
  check<ConfigError>(options.mask_threshold.empty() || options.mask_map.empty(), "--mask-map",
                     "--mask-map and --mask-threshold exclude each other");
  return options.mask_map.empty() ? threshold_rule(options.mask_threshold)
                                  : map_rule(options.mask_map);
}

}  // namespace cytograd
