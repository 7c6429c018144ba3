#include "cli/option_rules.h"

#include <algorithm>

#include "cytograd/core/error.h"

namespace cytograd::cli {

void check_options(CommandLine command, const std::vector<OptionRule>& rules) {
  for (const OptionRule& rule : rules) {
    if (rule.count) continue;
    std::vector<std::string> given;
    for (const std::string& name : rule.options)
      if (command.given(name)) given.push_back(name);
    if (given.empty()) continue;
    std::string list;
    for (size_t i = 0; i < given.size(); ++i)
      list += (i == 0 ? "" : i + 1 == given.size() ? " and " : ", ") + given[i];
    throw ConfigError(list + (given.size() == 1 ? " goes " : " go ") + rule.where + " [cli]");
  }
}

std::vector<std::string> options_but(CommandLine command,
                                     const std::vector<std::string>& left_out) {
  std::vector<std::string> out;
  for (const std::string& name : command.option_names())
    if (std::find(left_out.begin(), left_out.end(), name) == left_out.end()) out.push_back(name);
  return out;
}

}  // namespace cytograd::cli
