#include <cctype>
#include <map>

#include "cytograd/multimodal/drivers.h"

namespace cytograd::multimodal {
namespace {

std::string upper_case(const std::string& text) {
  std::string out = text;
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

using Directions = std::map<std::string, int>;

// Directions that Mert et al. ("Multimodal Analysis of White Blood Cell Differentiation in AML
// Patients using a beta-VAE") state for their paths. They are claims of that paper: MPO and ELANE
// are transcribed most in promyelocytes, before the protein is seen in later stages.
const std::map<std::string, Directions>& published() {
  static const std::map<std::string, Directions> table = {
      {"granulopoiesis",
       {{"RUNX1", -1}, {"LEF1", -1}, {"FCGR3A", 1}, {"FCGR3B", 1}, {"MPO", 1}, {"ELANE", 1}}},
      {"monocytopoiesis",
       {{"ARG1", 1}, {"GATA2", 1}, {"CREBBP", 1}, {"FLI1", 1}, {"LEF1", -1}, {"RUNX1", -1}}},
      {"maturation", {{"S1PR1", 1}}},
  };
  return table;
}

// Genes by which Paul et al. (Cell 163, 2015) tell committed neutrophil and monocyte progenitors
// of mouse marrow from common myeloid ones; they rise towards them. Ly6c2: Ly-6C is high on the
// committed monocyte progenitor (Hettinger et al., Nature Immunology 14, 2013). In capitals.
const std::map<std::string, Directions>& mouse_progenitors() {
  static const std::map<std::string, Directions> table = {
      {"granulopoiesis", {{"PRTN3", 1}, {"CEBPE", 1}, {"GFI1", 1}}},
      {"monocytopoiesis", {{"IRF8", 1}, {"CSF1R", 1}, {"LY6C2", 1}}},
  };
  return table;
}

int direction_in(const std::map<std::string, Directions>& table, const std::string& lineage,
                 const std::string& symbol) {
  const auto genes = table.find(lineage);
  if (genes == table.end()) return 0;
  const auto found = genes->second.find(symbol);
  return found == genes->second.end() ? 0 : found->second;
}

}  // namespace

std::vector<std::string> gene_symbols(const std::string& name) {
  // Names of proteins (CD numbers by the HLDA workshops) and their HGNC symbols.
  static const std::map<std::string, std::vector<std::string>> aliases = {
      {"CD16", {"FCGR3A", "FCGR3B"}},
      {"LEF-1", {"LEF1"}},
      {"FLI-1", {"FLI1"}},
      {"PU.1", {"SPI1"}},
      {"CD62L", {"SELL"}},
      {"CD11B", {"ITGAM"}},
      {"CD11C", {"ITGAX"}},
      {"CD18", {"ITGB2"}},
      {"CD54", {"ICAM1"}},
      {"GCSFR", {"CSF3R"}},
      {"G-CSFR", {"CSF3R"}},
      {"CD13", {"ANPEP"}},
      {"CD64", {"FCGR1A"}},
      {"CD66B", {"CEACAM8"}},
      {"CD115", {"CSF1R"}},
      {"CD117", {"KIT"}},
  };
  const auto found = aliases.find(upper_case(name));
  return found == aliases.end() ? std::vector<std::string>{name} : found->second;
}

int literature_direction(const std::string& lineage, const std::string& symbol) {
  const std::string gene = upper_case(symbol);
  const int claimed = direction_in(published(), lineage, gene);
  return claimed != 0 ? claimed : direction_in(mouse_progenitors(), lineage, gene);
}

}  // namespace cytograd::multimodal
