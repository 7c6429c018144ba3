#include <cmath>

#include "guided/guide_text.h"

namespace cytograd {
namespace {

// Blast in the middle, one ray per lineage (neutrophil 90 degrees, eosinophil 120, basophil 60,
// monocyte 180, lymphoid 0, erythroid 270), one unit outwards per stage of maturation.
constexpr const char* hematopoiesis =
    "class,x,y,lineage,stage,color\n"
    "blast,0,0,none,0,#9e9e9e\n"
    "promyelocyte,0,1,neutrophil,1,#f3e9fb\n"
    "myelocyte,0,2,neutrophil,2,#dcc1f0\n"
    "metamyelocyte,0,3,neutrophil,3,#bf92e2\n"
    "band,0,4,neutrophil,4,#9c5fd0\n"
    "segmented,0,5,neutrophil,5,#6f2da8\n"
    "eosinophil,-2,3.464,eosinophil,4,#f2913d\n"
    "basophil,2,3.464,basophil,4,#1f3b8c\n"
    "promonocyte,-2,0,monocyte,2,#b7d8a8\n"
    "monocyte,-4,0,monocyte,4,#3e8e41\n"
    "lymphocyte,4,0,lymphoid,4,#2aa7c9\n"
    "proerythroblast,0,-1,erythroid,1,#fbd5d5\n"
    "baso_erythroblast,0,-2,erythroid,2,#f3a0a0\n"
    "poly_erythroblast,0,-3,erythroid,3,#df5f5f\n"
    "ortho_erythroblast,0,-4,erythroid,4,#b01e1e\n";

// Rows of the fifteen under other names.
struct Renamed {
  const char *from, *to;
};

Guide derive(const Guide& all, const char* name, const std::vector<Renamed>& rows,
             const char* erythroblast) {
  Guide out;
  out.name = name;
  for (const Renamed& r : rows) {
    GuideClass row = *all.find(r.from);
    row.name = r.to;
    out.classes.push_back(row);
  }
  if (erythroblast) {
    GuideClass row{erythroblast, 0, -2.5, "erythroid", {}, "#df5f5f"};
    row.stage = 3;
    out.classes.push_back(row);
  }
  return out;
}

std::vector<Guide> make() {
  Guide all = parse_guide_csv(hematopoiesis, "hematopoiesis-15");
  all.name = "hematopoiesis-15";
  all.file.clear();
  Guide eleven = derive(all, "blood-11",
                        {{"basophil", "basophil"},
                         {"eosinophil", "eosinophil"},
                         {"blast", "myeloblast"},
                         {"promyelocyte", "promyelocyte"},
                         {"myelocyte", "myelocyte"},
                         {"metamyelocyte", "metamyelocyte"},
                         {"band", "neutrophil_band"},
                         {"segmented", "neutrophil_segmented"},
                         {"monocyte", "monocyte"},
                         {"lymphocyte", "lymphocyte"}},
                        "erythroblast");
  Guide ten = eleven;
  ten.name = "blood-10";
  std::erase_if(ten.classes, [](const GuideClass& c) { return c.name == "myeloblast"; });
  Guide five = derive(all, "blood-5",
                      {{"basophil", "basophil"},
                       {"eosinophil", "eosinophil"},
                       {"lymphocyte", "lymphocyte"},
                       {"monocyte", "monocyte"},
                       {"segmented", "neutrophil"}},
                      nullptr);
  return {all, eleven, ten, five};
}

}  // namespace

const std::vector<Guide>& standard_guides() {
  static const std::vector<Guide> guides = make();
  return guides;
}

}  // namespace cytograd
