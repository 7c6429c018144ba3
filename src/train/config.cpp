#include "cytograd/train/config.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <type_traits>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "cytograd/train/method.h"
#include "train/settings.h"

namespace cytograd {

const char* const config_marker = "# cytograd run configuration, format 1";

namespace {

[[noreturn]] void fail(const std::string& source, const ConfigField& field,
                       const std::string& found, const std::string& expected) {
  throw ConfigError(Fault{"cfg", source, "", field.key + " is " + found, expected, ""});
}

std::string range_text(const ConfigField& field) {
  const auto text = [](double value) {
    const bool whole = std::abs(value) < 1e9 && value == std::floor(value);
    return whole ? std::to_string(static_cast<int64_t>(value)) : format_double(value);
  };
  if (field.high >= 1e12) return "of at least " + text(field.low);
  return text(field.low) + ".." + text(field.high);
}

void check_number(const ConfigField& field, double value, const std::string& text,
                  const std::string& source) {
  if (!(value >= field.low && value <= field.high))
    fail(source, field, text, "a number " + range_text(field));
}

void check_choice(const ConfigField& field, const std::string& text, const std::string& source) {
  if (field.choices.empty() ||
      std::find(field.choices.begin(), field.choices.end(), text) != field.choices.end())
    return;
  std::string all;
  for (const std::string& c : field.choices) all += (all.empty() ? "" : ", ") + c;
  const std::string near = nearest_name(text, field.choices);
  throw ConfigError(Fault{"cfg", source, "", field.key + " is \"" + text + "\"", "one of " + all,
                          near.empty() ? "" : "did you mean " + near + "?"});
}

// A run can be resumed and evaluated from any folder.
std::string absolute_path(const std::string& path) {
  if (path.empty() || path[0] == '/') return path;
  return std::filesystem::absolute(path).lexically_normal().string();
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

struct Setter {
  TrainConfig& config;
  const ConfigField& field;
  const std::string& text;
  const std::string& source;

  void operator()(bool TrainConfig::*m) const {
    if (text != "true" && text != "false") fail(source, field, '"' + text + '"', "true or false");
    config.*m = text == "true";
  }
  void operator()(int64_t TrainConfig::*m) const {
    const auto value = parse_int(text);
    if (!value) fail(source, field, '"' + text + '"', "a whole number " + range_text(field));
    check_number(field, static_cast<double>(*value), text, source);
    config.*m = *value;
  }
  void operator()(double TrainConfig::*m) const {
    const auto value = parse_double(text);
    if (!value || !std::isfinite(*value))
      fail(source, field, '"' + text + '"', "a number " + range_text(field));
    check_number(field, *value, text, source);
    config.*m = *value;
  }
  void operator()(std::string TrainConfig::*m) const {
    check_choice(field, text, source);
    config.*m = field.is_path ? absolute_path(text) : text;
  }
  void operator()(std::vector<std::string> TrainConfig::*m) const {
    (config.*m).clear();
    if (text.empty() && !field.is_path) return;
    for (const std::string& item : split_lines(text)) {
      if (item.empty()) fail(source, field, "empty", field.is_path ? "a path" : "text");
      (config.*m).push_back(field.is_path ? absolute_path(item) : item);
    }
  }
};

}  // namespace

void set_config(ResolvedConfig& out, const ConfigField& field, const std::string& text,
                const std::string& source) {
  std::visit(Setter{out.config, field, text, source}, field.member);
  out.sources[field.key] = source;
}

void apply_config_variables(ResolvedConfig& out) {
  for (const ConfigField& field : config_fields()) {
    const std::string name = field.variable();
    if (const char* text = std::getenv(name.c_str()); text && *text)
      set_config(out, field, text, name);
  }
}

void apply_method_defaults(ResolvedConfig& out, bool protocol) {
  TrainConfig& c = out.config;
  if (c.guide.ends_with(".csv") || c.guide.ends_with(".json")) c.guide = absolute_path(c.guide);
  if (c.harmonise.ends_with(".csv")) c.harmonise = absolute_path(c.harmonise);
  if (c.stain_target == "built-in") c.stain_target.clear();
  if (!c.stain_target.starts_with("domain:")) c.stain_target = absolute_path(c.stain_target);
  const auto give = [&](const char* key, const std::string& text) {
    if (!out.sources.contains(key)) set_config(out, config_field(key), text, "method " + c.method);
  };
  method_defaults(c, give);
  if (method_traits(c.method).domains || self_supervised(c) || (!is_guided(c) && !protocol)) return;
  if (is_guided(c)) give("model.embedding", "64");
  if (c.method == "guide-umap") give("method.guide_update", "umap");
  give("optimizer.name", "adam");
  give("optimizer.weight_decay", "0");
  give("schedule.name", "constant");
  give("train.epochs", "1000");
  give("train.patience", c.select == "inner" && c.val_fraction > 0 ? "256" : "0");
  give("split.val_grouped", "false");
  give("method.posthoc", "true");
}

namespace {

void check_guided(const TrainConfig& c) {
  if (c.val_classifier == "head" && !has_head(c))
    conflict("method.val_classifier head with " + c.method, "knn or grid",
             "the method trains no classifier");
  if (c.adam_row_steps == "per_row" && c.optimizer == "sgd")
    conflict("optimizer.adam_row_steps per_row with sgd", "adam or adamw");
  if (!is_guided(c)) return;
  check_growth(growth_of(c));
  if (c.growing && c.method == "guide2d")
    conflict("method.growing with guide2d", "a method that uses more than two components",
             "leave --growing out");
  if (needs_guide(c) && c.guide.empty())
    conflict(c.method + (c.growing ? " with method.growing" : "") + " without method.guide",
             "--guide with a file or the name of a guide", "`cyto help guide`");
  if (grows(c) && c.weight_decay > 0)
    conflict(
        "optimizer.weight_decay " + format_double(c.weight_decay) + " with a growing embedding",
        "--weight-decay 0", "decay would change components that are not in use");
}

}  // namespace

void check_common(const TrainConfig& c) {
  // A file of splits says how many folds there are.
  if (c.splits.empty() && c.fold >= c.folds)
    conflict(
        "split.fold is " + std::to_string(c.fold) + " of " + std::to_string(c.folds) + " folds",
        "a fold below split.folds", "folds are counted from 0");
  if (c.nesterov && (c.optimizer != "sgd" || c.momentum == 0))
    conflict("optimizer.nesterov with " + c.optimizer, "sgd with momentum");
  if (c.min_lr > c.lr)
    conflict("schedule.min_lr " + format_double(c.min_lr) + " is above optimizer.lr " +
                 format_double(c.lr),
             "at most the learning rate");
}

void check_config(const TrainConfig& c) {
  if (c.detector != "none")
    throw ConfigError(Fault{"cfg", "", "", "segment.detector " + c.detector, "none",
                            "`cyto segment train` trains detectors"});
  check_method(c);
  check_guided(c);
  check_common(c);
  if (c.synthetic > 0 && c.synthetic < 60)
    conflict("data.synthetic is " + std::to_string(c.synthetic), "at least 60",
             "each of fifteen classes needs cells to learn from and to test with");
  if (c.synthetic > 0 && method_traits(c.method).domains)
    conflict("data.synthetic with " + c.method, "ce, simclr, byol or a guided method",
             "drawn cells are one domain");
  if (!c.stain_target.empty() && c.stain == "none")
    conflict("input.stain_target without input.stain", "--stain reinhard or macenko",
             "leave --stain-target out");
  if (!c.splits.empty() && c.folds > 1)
    conflict("both split.file and split.folds are given", "one of them",
             "the file says how many folds there are");
  const bool held = c.folds > 1 || c.test_fraction > 0;
  const bool val = c.select == "inner" ? c.val_fraction > 0 : c.select == "val-fold" && held;
  if (c.patience > 0 && !val && c.splits.empty())
    conflict("train.patience without a validation part",
             c.select == "inner" ? "split.val_fraction above 0" : "split.select inner");
  for (const std::string& name : c.unseen)
    if (std::find(c.train_domains.begin(), c.train_domains.end(), name) != c.train_domains.end())
      conflict("domain " + name + " is in split.unseen and in split.train_domains", "one of them");
  if (c.steps_per_epoch > 0 && c.order == "shuffle")
    conflict("train.steps_per_epoch with train.order shuffle", "an order with replacement",
             "an epoch of shuffle is every image once");
  if (c.domain_bn && !over_domains(c))
    conflict("model.domain_bn with train.order " + c.order, "domains or domains_balanced");
  if (c.domain_bn && c.joint_bn) conflict("model.domain_bn with model.joint_bn", "one of them");
  if (c.domain_bn && c.freeze_bn)
    conflict("model.domain_bn with model.freeze_bn", "one of them",
             "frozen statistics belong to no domain");
}

}  // namespace cytograd
