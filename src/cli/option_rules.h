#pragma once

#include <string>
#include <vector>

#include "cli/command_line.h"

/// @file
/// Refusing options that would be parsed and then ignored.

namespace cytograd::cli {

/// Options that count in some calls only.
struct OptionRule {
  std::vector<std::string> options;  ///< long names, with the dashes
  bool count = true;                 ///< whether they do in this call
  std::string where;                 ///< where they would: "with --images", "without --as-is"
};

/// @throws ConfigError for the first rule that given options break, naming all of these
void check_options(CommandLine command, const std::vector<OptionRule>& rules);

/// The long names of all options of a command but these.
std::vector<std::string> options_but(CommandLine command, const std::vector<std::string>& left_out);

}  // namespace cytograd::cli
