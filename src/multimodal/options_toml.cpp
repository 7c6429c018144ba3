#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/multimodal/options.h"
#include "cytograd/train/config.h"
#include "multimodal/toml_text.h"

namespace cytograd::multimodal {

std::string toml_text(const std::string& text) {
  if (!is_valid_utf8(text))
    throw ConfigError(
        Fault{"cfg", "", "", "\"" + escape_control(text) + "\"", "text in UTF-8", ""});
  // On one line, so that it can be a name too; with escapes where there is a control character.
  const bool plain = escape_control(text) == text;
  const toml::value<std::string> value(text);
  std::ostringstream out;
  out << toml::toml_formatter(
      value, plain ? toml::format_flags::allow_literal_strings : toml::format_flags::none);
  return out.str();
}

namespace {

std::string number(double value) {
  const std::string text = format_double(value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

class Reader {
 public:
  Reader(const std::string& path, RunConfig& config)
      : path_(path), config_(config), settings_(settings_of(config)) {}

  void read(const std::string& text) {
    toml::table root;
    try {
      root = toml::parse(text, path_);
    } catch (const toml::parse_error& e) {
      fail(e.source(), std::string(e.description()), "TOML");
    }
    if (!root["multimodal"].is_table())
      throw ConfigError(Fault{"cfg", path_, "", "no section [multimodal]",
                              "a run of `cyto multimodal train`", ""});
    for (const auto& [section, node] : root) {
      const toml::table* table = node.as_table();
      if (!table) fail(section.source(), std::string(section.str()), "a section");
      for (const auto& [key, value] : *table)
        read_value(std::string(section.str()), std::string(key.str()), key.source(), value);
    }
  }

 private:
  void read_value(const std::string& section, const std::string& key, const toml::source_region& at,
                  const toml::node& node) {
    if (section == "deltas") {
      const auto value = node.value<double>();
      if (!value) fail(at, "deltas." + key, "a number");
      config_.training.deltas[key] = *value;
      return;
    }
    const std::string name = section + "." + key;
    const auto setting = std::find_if(settings_.begin(), settings_.end(),
                                      [&](const Setting& s) { return s.key == name; });
    if (setting == settings_.end()) fail(at, "unknown key " + name, "");
    std::string text;
    if (const auto* s = node.as_string())
      text = s->get();
    else if (const auto* b = node.as_boolean())
      text = b->get() ? "true" : "false";
    else if (const auto* i = node.as_integer())
      text = std::to_string(i->get());
    else if (const auto* d = node.as_floating_point())
      text = format_double(d->get());
    else
      fail(at, name + " is a list, table or time", "one value");
    if (node.is_string() != std::holds_alternative<std::string*>(setting->value))
      fail(at, name, node.is_string() ? "a value without quotes" : "text in quotes");
    set_setting(*setting, text, place(at) + ", " + name);
  }

  std::string place(const toml::source_region& at) const {
    return path_ + ":" + std::to_string(at.begin.line) + ":" + std::to_string(at.begin.column);
  }
  [[noreturn]] void fail(const toml::source_region& at, const std::string& found,
                         const std::string& expected) const {
    throw ConfigError(Fault{"cfg", place(at), "", found, expected, ""});
  }

  const std::string& path_;
  RunConfig& config_;
  std::vector<Setting> settings_;
};

}  // namespace

void set_setting(const Setting& setting, const std::string& text, const std::string& where) {
  const auto wrong = [&](const char* expected) {
    throw ConfigError(Fault{"cfg", "", where, escape_control(text), expected, ""});
  };
  if (auto* const* s = std::get_if<std::string*>(&setting.value)) {
    **s = text;
  } else if (auto* const* b = std::get_if<bool*>(&setting.value)) {
    if (text != "true" && text != "false") wrong("true or false");
    **b = text == "true";
  } else if (auto* const* d = std::get_if<double*>(&setting.value)) {
    const auto value = parse_double(text);
    if (!value) wrong("a number");
    **d = *value;
  } else if (auto* const* i = std::get_if<int64_t*>(&setting.value)) {
    const auto value = parse_int(text);
    if (!value) wrong("a whole number");
    **i = *value;
  } else {
    const auto value = parse_int(text);
    if (!value || *value < 0) wrong("a whole number from 0");
    *std::get<uint64_t*>(setting.value) = static_cast<uint64_t>(*value);
  }
}

std::string setting_text(const Setting& setting) {
  if (auto* const* s = std::get_if<std::string*>(&setting.value)) return **s;
  if (auto* const* b = std::get_if<bool*>(&setting.value)) return **b ? "true" : "false";
  if (auto* const* d = std::get_if<double*>(&setting.value)) return format_double(**d);
  if (auto* const* i = std::get_if<int64_t*>(&setting.value)) return std::to_string(**i);
  return std::to_string(*std::get<uint64_t*>(setting.value));
}

std::string config_text(const RunConfig& config) {
  RunConfig copy = config;
  std::vector<Setting> settings = settings_of(copy);
  const auto section_of = [](const Setting& s) { return s.key.substr(0, s.key.find('.')); };
  std::string out = std::string(config_marker) + "\n";
  for (const char* section : {"multimodal", "rna", "image", "align", "files"}) {
    out += std::string("\n[") + section + "]\n";
    for (const Setting& setting : settings) {
      if (section_of(setting) != section) continue;
      std::string value = setting_text(setting);
      if (std::holds_alternative<std::string*>(setting.value)) value = toml_text(value);
      if (auto* const* d = std::get_if<double*>(&setting.value)) value = number(**d);
      out += setting.key.substr(setting.key.find('.') + 1) + " = " + value + "\n";
    }
  }
  if (!copy.training.deltas.empty()) out += "\n[deltas]\n";
  for (const auto& [name, value] : copy.training.deltas)
    out += toml_text(name) + " = " + number(value) + "\n";
  return out;
}

RunConfig read_config(const std::string& path) {
  const std::string text = read_file(path);
  if (!is_valid_utf8(text))
    throw ConfigError(Fault{"cfg", path, "", "text that is not UTF-8", "UTF-8", ""});
  RunConfig out;
  Reader(path, out).read(text);
  check_config(out);
  return out;
}

}  // namespace cytograd::multimodal
