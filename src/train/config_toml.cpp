#include <toml++/toml.h>

#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/train/config.h"

namespace cytograd {
namespace {

constexpr const char* hex_prefix = "hex:";

std::string toml_text(const std::string& text) {
  static const char* hex = "0123456789abcdef";
  std::string out = "\"";
  if (!is_valid_utf8(text) || text.starts_with(hex_prefix)) {
    out += hex_prefix;
    for (const char c : text) {
      const auto b = static_cast<unsigned char>(c);
      out += {hex[b >> 4], hex[b & 15]};
    }
    return out + "\"";
  }
  for (const char c : text) {
    const auto b = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      out += {'\\', c};
    else if (b < 0x20 || b == 0x7f)
      out += {'\\', 'u', '0', '0', hex[b >> 4], hex[b & 15]};
    else
      out += c;
  }
  return out + "\"";
}

std::string from_toml_text(const std::string& text) {
  if (!text.starts_with(hex_prefix)) return text;
  const auto digit = [](char c) {
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
  };
  std::string out;
  for (size_t i = 4; i + 1 < text.size(); i += 2) {
    const int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) return text;
    out += static_cast<char>(high * 16 + low);
  }
  return out;
}

std::string toml_number(double value) {
  const std::string text = format_double(value);
  return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
}

struct Writer {
  const TrainConfig& config;
  std::string operator()(bool TrainConfig::*m) const { return config.*m ? "true" : "false"; }
  std::string operator()(int64_t TrainConfig::*m) const { return std::to_string(config.*m); }
  std::string operator()(double TrainConfig::*m) const { return toml_number(config.*m); }
  std::string operator()(std::string TrainConfig::*m) const { return toml_text(config.*m); }
  std::string operator()(std::vector<std::string> TrainConfig::*m) const {
    std::string out = "[";
    for (const std::string& item : config.*m) out += (out == "[" ? "" : ", ") + toml_text(item);
    return out + "]";
  }
};

class Reader {
 public:
  Reader(ResolvedConfig& out, const std::string& path, std::string other)
      : out_(out), path_(path), other_(std::move(other)) {
    for (const ConfigField& field : config_fields()) {
      keys_.push_back(field.key);
      const std::string section = field.key.substr(0, field.key.find('.'));
      if (std::find(sections_.begin(), sections_.end(), section) == sections_.end())
        sections_.push_back(section);
    }
  }

  void read(const std::string& text) {
    toml::table root;
    try {
      root = toml::parse(text, path_);
    } catch (const toml::parse_error& e) {
      fail(e.source(), std::string(e.description()), "", "");
    }
    if (root.empty()) fail({{1, 1}, {1, 1}, {}}, "no settings", "at least one `[section]`", "");
    for (const auto& [key, node] : root) {
      const std::string section(key.str());
      if (section == other_) continue;
      if (std::find(sections_.begin(), sections_.end(), section) == sections_.end())
        unknown(key.source(), section, "section", sections_);
      if (!node.is_table())
        fail(key.source(), section + " is " + kind(node), "a section [" + section + "]", "");
      for (const auto& [leaf, value] : *node.as_table())
        read_key(section + "." + std::string(leaf.str()), leaf.source(), value);
    }
  }

 private:
  void read_key(const std::string& key, const toml::source_region& at, const toml::node& node) {
    const auto& fields = config_fields();
    const auto field = std::find_if(fields.begin(), fields.end(),
                                    [&](const ConfigField& f) { return f.key == key; });
    if (field == fields.end()) unknown(at, key, "key", keys_);
    try {
      set_config(out_, *field, text_of(*field, at, node), place(at));
    } catch (const ConfigError& e) {
      const Fault f = e.fault();
      if (!f.place.empty()) throw;
      fail(at, f.found, f.expected, f.hint);
    }
    out_.sources[key] = "config " + place(at);
  }

  // The value as text for `set_config`; its type must be the field's.
  std::string text_of(const ConfigField& field, const toml::source_region& at,
                      const toml::node& node) {
    const auto wrong = [&](const char* expected) {
      fail(at, field.key + " is " + kind(node), expected, "");
    };
    switch (field.member.index()) {
      case 0:
        if (!node.is_boolean()) wrong("true or false");
        return node.as_boolean()->get() ? "true" : "false";
      case 1:
        if (!node.is_integer()) wrong("a whole number");
        return std::to_string(node.as_integer()->get());
      case 2:
        if (node.is_integer()) return std::to_string(node.as_integer()->get());
        if (!node.is_floating_point()) wrong("a number");
        return format_double(node.as_floating_point()->get());
      case 3:
        if (!node.is_string()) wrong("text in quotes");
        return from_toml_text(node.as_string()->get());
      default:
        return list_text(field, at, node);
    }
  }

  std::string list_text(const ConfigField& field, const toml::source_region& at,
                        const toml::node& node) {
    if (node.is_string()) return from_toml_text(node.as_string()->get());
    const toml::array* array = node.as_array();
    if (!array || (array->empty() && field.is_path))
      fail(at, field.key + " is " + kind(node), "a list of text", "");
    std::string out;
    for (const toml::node& item : *array) {
      if (!item.is_string())
        fail(item.source(), field.key + " holds " + kind(item), "text in quotes", "");
      out += (out.empty() ? "" : "\n") + from_toml_text(item.as_string()->get());
    }
    return out;
  }

  static std::string kind(const toml::node& node) {
    switch (node.type()) {
      case toml::node_type::table:
        return "a table";
      case toml::node_type::array:
        return "a list";
      case toml::node_type::string:
        return "text";
      case toml::node_type::integer:
        return "a whole number";
      case toml::node_type::floating_point:
        return std::isfinite(node.as_floating_point()->get()) ? "a number" : "not finite";
      case toml::node_type::boolean:
        return "true or false";
      default:
        return "a date or time";
    }
  }

  [[noreturn]] void unknown(const toml::source_region& at, const std::string& name,
                            const char* what, const std::vector<std::string>& known) {
    const std::string near = nearest_name(name, known);
    fail(at, std::string("unknown ") + what + " " + name, "",
         near.empty() ? "`cyto config show` lists them" : "did you mean " + near + "?");
  }

  std::string place(const toml::source_region& at) const {
    return path_ + ":" + std::to_string(at.begin.line) + ":" + std::to_string(at.begin.column);
  }

  [[noreturn]] void fail(const toml::source_region& at, const std::string& found,
                         const std::string& expected, const std::string& hint) const {
    throw ConfigError(Fault{"cfg", place(at), "", found, expected, hint});
  }

  ResolvedConfig& out_;
  const std::string& path_;
  std::string other_;  // a section that is somebody else's
  std::vector<std::string> keys_, sections_;
};

}  // namespace

void apply_config_file(ResolvedConfig& out, const std::string& path, const std::string& other) {
  const std::string text = read_file(path);
  if (!is_valid_utf8(text))
    throw ConfigError(Fault{"cfg", path + ":1:1", "", "text that is not UTF-8", "UTF-8", ""});
  Reader(out, path, other).read(text);
}

std::string config_value_toml(const TrainConfig& config, const ConfigField& field) {
  return std::visit(Writer{config}, field.member);
}

std::string config_toml(const TrainConfig& config) {
  std::string out = std::string(config_marker) + "\n", section;
  for (const ConfigField& field : config_fields()) {
    const size_t dot = field.key.find('.');
    if (config.detector == "none" && field.key.starts_with("segment.")) continue;
    if (field.key.substr(0, dot) != section) {
      section = field.key.substr(0, dot);
      out += "\n[" + section + "]\n";
    }
    out += field.key.substr(dot + 1) + " = " + config_value_toml(config, field) + "\n";
  }
  return out;
}

}  // namespace cytograd
