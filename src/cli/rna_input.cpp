#include "cli/rna_input.h"

#include <variant>

namespace cytograd::cli {

std::string matrix_of(const std::string& source) {
  if (source == "raw") return "raw/X";
  if (source.starts_with("layer:")) return "layers/" + source.substr(6);
  if (source.empty() || source == "X") return source;
  throw ConfigError("--expr-source expects X, raw or layer:NAME, got " + escape_control(source) +
                    " [cli]");
}

std::vector<int64_t> marked_genes(const std::string& file, const AnnTable& var) {
  for (const auto& [name, column] : var.columns) {
    const auto* flags = std::get_if<std::vector<bool>>(&column);
    if (name != "highly_variable" || !flags) continue;
    std::vector<int64_t> out;
    for (size_t g = 0; g < flags->size(); ++g)
      if ((*flags)[g]) out.push_back(static_cast<int64_t>(g));
    if (!out.empty()) return out;
  }
  throw DataError(Fault{"h5ad.form", file, "var/highly_variable", "no gene is marked",
                        "true and false per gene", "see --hvg seurat"});
}

}  // namespace cytograd::cli
