#pragma once

#include <string>

namespace cytograd::multimodal {

/// As a TOML string, in quotes. @throws ConfigError if it is not UTF-8
std::string toml_text(const std::string& text);

}  // namespace cytograd::multimodal
