#include "cli/train_options.h"

#include <chrono>
#include <mutex>

#include "cytograd/train/detector.h"
#include "cytograd/train/stop.h"

namespace cytograd::cli {
namespace {

const char* group_of(const ConfigField& field) {
  static const std::map<std::string, const char*> groups = {
      {"data", "Data"},           {"split", "Split"},
      {"model", "Model"},         {"input", "Input"},
      {"method", "Method"},       {"segment", "Detector"},
      {"optimizer", "Optimizer"}, {"schedule", "Learning rate"},
      {"train", "Training"}};
  return groups.at(field.key.substr(0, field.key.find('.')));
}

std::string help_of(const ConfigField& field, const TrainConfig& defaults) {
  std::string out = field.help;
  if (!field.choices.empty()) {
    out += ":";
    for (const std::string& c : field.choices) out += " " + c;
  }
  const std::string value = config_value_toml(defaults, field);
  if (value != "[]" && value != "\"\"" && value != "false") out += " [" + value + "]";
  return out;
}

}  // namespace

bool is_classifier_setting(const ConfigField& field) { return !field.key.starts_with("segment."); }

void add_train_options(CommandLine command, TrainOptions& o, const SettingFilter& wanted,
                       const TrainConfig& defaults) {
  for (const ConfigField& field : config_fields()) {
    if (!wanted(field)) continue;
    const bool flag = std::holds_alternative<bool TrainConfig::*>(field.member);
    const bool list = std::holds_alternative<std::vector<std::string> TrainConfig::*>(field.member);
    Option option = flag ? command.add_flag(
                               field.option + ",!--no-" + field.option.substr(2),
                               [&o, name = field.option](int64_t n) { o.flags[name] = n > 0; },
                               help_of(field, defaults))
                         : command.add_option_function(
                               field.option,
                               [&o, name = field.option](const std::vector<std::string>& v) {
                                 o.given[name] = v;
                               },
                               help_of(field, defaults));
    if (!flag)
      option.expected(1, list ? 1 << 20 : 1)
          .type_name(!list           ? "VALUE"
                     : field.is_path ? "PATH ..."
                                     : "NAME ...");
    if (!list) option.take_last();
    option.group(group_of(field));
  }
}

void apply_given_options(ResolvedConfig& out, const TrainOptions& options) {
  for (const ConfigField& field : config_fields()) {
    if (const auto flag = options.flags.find(field.option); flag != options.flags.end())
      set_config(out, field, flag->second ? "true" : "false", field.option);
    const auto given = options.given.find(field.option);
    if (given == options.given.end()) continue;
    std::string text;
    for (const std::string& item : given->second) text += (text.empty() ? "" : "\n") + item;
    set_config(out, field, text, field.option);
  }
}

namespace {

// Default, --config, CYTO_*, options, in this order.
ResolvedConfig given_config(const TrainOptions& options) {
  ResolvedConfig out;
  if (!options.config.empty()) apply_config_file(out, options.config);
  apply_config_variables(out);
  apply_given_options(out, options);
  return out;
}

}  // namespace

ResolvedConfig resolve_config(const TrainOptions& options) {
  ResolvedConfig out = given_config(options);
  apply_method_defaults(out);
  check_config(out.config);
  return out;
}

ResolvedConfig resolve_detector_config(const TrainOptions& options) {
  ResolvedConfig out = given_config(options);
  apply_detector_defaults(out);
  check_detector_config(out.config);
  return out;
}

ResolvedConfig resolve_any_config(const TrainOptions& options) {
  const bool detector = given_config(options).config.detector != "none";
  return detector ? resolve_detector_config(options) : resolve_config(options);
}

TrainConfig stored_config(const std::string& run, const TrainOptions& options) {
  ResolvedConfig stored;
  apply_config_file(stored, run + "/config.toml");
  ResolvedConfig wanted = stored;
  if (!options.config.empty()) apply_config_file(wanted, options.config);
  apply_given_options(wanted, options);
  apply_method_defaults(wanted);
  for (const ConfigField& field : config_fields()) {
    const std::string a = config_value_toml(stored.config, field);
    const std::string b = config_value_toml(wanted.config, field);
    if (a != b)
      throw ConfigError(Fault{"cfg", run + "/config.toml", "", field.key + " is " + a,
                              b + " as given now",
                              "a resumed run keeps its settings; start a new one with --output"});
  }
  return stored.config;
}

std::function<void(int64_t, int64_t)> counting(const std::string& what) {
  using Clock = std::chrono::steady_clock;
  struct State {
    std::mutex mutex;
    Clock::time_point shown;
  };
  auto state = std::make_shared<State>();
  return [what, state](int64_t done, int64_t total) {
    throw_if_stopped("files that were written are whole");
    const std::lock_guard lock(state->mutex);
    const auto now = Clock::now();
    if (done < total && now - state->shown < std::chrono::milliseconds(100)) return;
    state->shown = now;
    console().status(done < total ? what + " " + std::to_string(done) + "/" + std::to_string(total)
                                  : "");
  };
}

}  // namespace cytograd::cli
