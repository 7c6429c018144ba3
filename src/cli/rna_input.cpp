#include "cli/rna_input.h"

namespace cytograd::cli {

std::string matrix_of(const std::string& source) {
  if (source == "raw") return "raw/X";
  if (source.starts_with("layer:")) return "layers/" + source.substr(6);
  if (source.empty() || source == "X") return source;
  throw ConfigError("--expr-source expects X, raw or layer:NAME, got " + escape_control(source) +
                    " [cli]");
}

}  // namespace cytograd::cli
