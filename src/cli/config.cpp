#include <nlohmann/json.hpp>

#include "cli/train_options.h"

namespace cytograd::cli {
namespace {

// Numbers, truth values, plain texts and lists of them look the same in TOML and JSON.
std::string json_value(const std::string& toml) {
  return nlohmann::json::accept(toml) ? toml : json_text(toml);
}

void run_show(TrainOptions& options) {
  const ResolvedConfig resolved = resolve_any_config(options);
  std::string text, json;
  for (const ConfigField& field : config_fields()) {
    const auto source = resolved.sources.find(field.key);
    const std::string from = source == resolved.sources.end() ? "default" : source->second;
    const std::string value = config_value_toml(resolved.config, field);
    text += field.key + " = " + value + "   # " + escape_control(from) + "\n";
    json += (json.empty() ? "" : ",\n") + json_text(field.key) +
            ":{\"value\":" + json_value(value) + ",\"source\":" + json_text(from) + "}";
  }
  console().out(options.json ? "{" + json + "}\n" : text);
}

void add_config_command(CommandLine app) {
  CommandLine config =
      add_command(app, "config", "Settings of training and where they come from",
                  "cyto config show                   every setting and its value\n"
                  "cyto config show --config a.toml   with those of a file\n");
  config.require_subcommand(1);
  auto options = std::make_shared<TrainOptions>();
  CommandLine show = add_command(config, "show", "Print every setting, its value and its source",
                                 "cyto config show --lr 0.1\n");
  add_train_options(show, *options, [](const ConfigField&) { return true; });
  add_common_options(show, *options, with_config);
  run_command(show, options, run_show);
}

const Command registered{80, add_config_command};

}  // namespace
}  // namespace cytograd::cli
