#include <doctest/doctest.h>

#include "cytograd/multimodal/drivers.h"

using namespace cytograd::multimodal;
using Names = std::vector<std::string>;

TEST_CASE("genes: names of proteins stand for symbols, whole names only") {
  CHECK(gene_symbols("CD16") == Names{"FCGR3A", "FCGR3B"});
  CHECK(gene_symbols("LEF-1") == Names{"LEF1"});
  CHECK(gene_symbols("FLI-1") == Names{"FLI1"});
  CHECK(gene_symbols("PU.1") == Names{"SPI1"});
  CHECK(gene_symbols("CD62L") == Names{"SELL"});
  CHECK(gene_symbols("CD11b") == Names{"ITGAM"});
  CHECK(gene_symbols("CD11c") == Names{"ITGAX"});
  CHECK(gene_symbols("CD18") == Names{"ITGB2"});
  CHECK(gene_symbols("CD54") == Names{"ICAM1"});
  CHECK(gene_symbols("GCSFR") == Names{"CSF3R"});
  CHECK(gene_symbols("cd62l") == Names{"SELL"});
  for (const char* own : {"NE", "MAX", "CD1", "CD163", "Mpo", ""})
    CHECK(gene_symbols(own) == Names{own});
}

TEST_CASE("genes: what the literature says, of whole symbols in any case") {
  for (const char* down : {"RUNX1", "LEF1", "Runx1"})
    CHECK(literature_direction("granulopoiesis", down) == -1);
  for (const char* up : {"FCGR3A", "FCGR3B", "MPO", "ELANE", "Mpo", "Elane", "Prtn3"})
    CHECK(literature_direction("granulopoiesis", up) == 1);
  for (const char* up : {"ARG1", "GATA2", "CREBBP", "FLI1", "Ly6c2", "Irf8"})
    CHECK(literature_direction("monocytopoiesis", up) == 1);
  for (const char* down : {"LEF1", "RUNX1"})
    CHECK(literature_direction("monocytopoiesis", down) == -1);
  CHECK(literature_direction("maturation", "S1PR1") == 1);
  for (const char* other : {"MP", "MPO1", "NE", "LEF11", "S1PR1", "GATA2", ""})
    CHECK(literature_direction("granulopoiesis", other) == 0);
  CHECK(literature_direction("erythropoiesis", "MPO") == 0);
  CHECK(literature_direction("", "") == 0);
}
