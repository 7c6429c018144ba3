#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "cli/common.h"
#include "cytograd/train/config.h"

namespace cytograd::cli {

/// Options of `cyto train` and `cyto config show`: one per setting.
struct TrainOptions : CommonOptions {
  std::string resume;                                     ///< a run folder, or "auto"
  std::map<std::string, std::vector<std::string>> given;  ///< by option name
  std::map<std::string, bool> flags;
};

/// Which settings a command has.
using SettingFilter = std::function<bool(const ConfigField&)>;
/// Those of classifiers: all but the section `segment`.
bool is_classifier_setting(const ConfigField& field);
/// @param defaults  that the help names
void add_train_options(CommandLine command, TrainOptions& options,
                       const SettingFilter& wanted = is_classifier_setting,
                       const TrainConfig& defaults = {});
/// Applies the options of the command line.
void apply_given_options(ResolvedConfig& out, const TrainOptions& options);
/// Default, --config, CYTO_*, options, in this order. @throws ConfigError
ResolvedConfig resolve_config(const TrainOptions& options);
/// The same for a detector. @throws ConfigError
ResolvedConfig resolve_detector_config(const TrainOptions& options);
/// Whichever of both the settings are for.
ResolvedConfig resolve_any_config(const TrainOptions& options);
/// The stored settings of a run; options that are given must agree with them.
/// @throws ConfigError naming the first that does not
TrainConfig stored_config(const std::string& run, const TrainOptions& options);

/// A callback that shows `what 120/690` on a terminal while images are read.
std::function<void(int64_t, int64_t)> counting(const std::string& what);

}  // namespace cytograd::cli
