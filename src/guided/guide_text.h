#pragma once

#include <string>

#include "cytograd/guided/guide.h"

namespace cytograd {

/// @param name of the file, for messages. @throws ConfigError `guide`
Guide parse_guide_csv(const std::string& text, const std::string& name);
Guide parse_guide_json(const std::string& text, const std::string& name);

}  // namespace cytograd
