#include <algorithm>
#include <map>
#include <set>

#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"
#include "data/layout.h"

/// @file
/// Common class names over data sets. The tables `13` and `11` are those of the institute that
/// published Matek_19 and MLL23; `5` keeps the mature white cells that every set has.

namespace cytograd::layout {

namespace {

struct Row {
  std::string_view name;                       // "" drops
  std::string_view matek19, acevedo20, mll23;  // raw labels, separated by blanks
};

// MYB is the myelocyte and MYO the myeloblast.
constexpr Row table_13[] = {
    {"basophil", "BAS", "basophil", "basophil 09-BASO"},
    {"eosinophil", "EOS", "eosinophil", "eosinophil 10-EOS"},
    {"erythroblast", "EBO", "erythroblast", "normoblast 01-NORMO"},
    {"myeloblast", "MYO", "", "myeloblast 13-MYBL"},
    {"promyelocyte", "PMO", "PMY promyelocyte", "promyelocyte 18-PMYEL"},
    {"myelocyte", "MYB", "MY myelocyte", "myelocyte 19-MYEL"},
    {"metamyelocyte", "MMZ", "MMY metamyelocyte", "metamyelocyte 20-Meta"},
    {"neutrophil_band", "NGB", "BNE neutrophil_band", "neutrophil_band 11-STAB"},
    {"neutrophil_segmented", "NGS", "SNE neutrophil_segmented", "neutrophil_segmented 15-SEG"},
    {"monocyte", "MON MOB", "monocyte", "monocyte 05-MONO"},
    {"lymphocyte_typical", "LYT", "lymphocyte", "lymphocyte 14-LYMPH-typ"},
    {"lymphocyte_atypical", "LYA", "",
     "lymphocyte_neoplastic lymphocyte_reactive 08-LYMPH-neo 12-LYMPH-reaktiv"},
    {"smudge_cell", "KSC", "", "smudge_cell 17-Kernschatten"},
    {"", "PMB", "IG NEUTROPHIL platelet",
     "lymphocyte_large_granular plasma_cell hairy_cell promyelocyte_atypical 04-LGL 16-PLZ "
     "21-Haarzelle 22-Atyp-PMYEL"},
};

// For `5`, by raw label alone: names agree over the sets.
constexpr std::pair<std::string_view, std::string_view> table_5[] = {
    {"basophil", "basophil BAS 09-BASO"},
    {"eosinophil", "eosinophil EOS 10-EOS"},
    {"lymphocyte", "lymphocyte lymphocyte_typical LYT 14-LYMPH-typ"},
    {"monocyte", "monocyte MON 05-MONO"},
    {"neutrophil",
     "neutrophil neutrophil_segmented neutrophil_band NGS NGB SNE BNE NEUTROPHIL "
     "11-STAB 15-SEG"},
    {"",
     "ig IG MY MMY PMY platelet erythroblast rbc wbc myelocyte metamyelocyte promyelocyte "
     "myeloblast smudge_cell lymphocyte_atypical EBO KSC LYA MMZ MOB MYB MYO PMB PMO "
     "normoblast lymphocyte_neoplastic lymphocyte_reactive lymphocyte_large_granular "
     "plasma_cell hairy_cell promyelocyte_atypical"},
};

struct ClassMap {
  std::vector<std::string> classes;
  std::map<std::string, std::string> names;  // "source\nraw" or "*\nraw" -> class or ""

  void add(const std::string& source, const std::string& raw, const std::string& name) {
    if (!name.empty()) intern(classes, name);
    names[source + "\n" + raw] = name;
  }
  void add_words(const std::string& source, std::string_view words, std::string_view name) {
    for (size_t at = 0; at < words.size();) {
      const size_t end = std::min(words.find(' ', at), words.size());
      add(source, std::string(words.substr(at, end - at)), std::string(name));
      at = end + 1;
    }
  }
  const std::string* find(const std::string& source, const std::string& raw) const {
    for (const std::string& s : {source, std::string("*")})
      if (const auto it = names.find(s + "\n" + raw); it != names.end()) return &it->second;
    const auto it = std::find(classes.begin(), classes.end(), raw);
    return it == classes.end() ? nullptr : &*it;  // harmonised already
  }
};

ClassMap published_map(bool eleven) {
  ClassMap map;
  for (const Row& row : table_13) {
    std::string_view name = row.name;
    if (eleven && (name == "lymphocyte_atypical" || name == "smudge_cell")) name = "";
    if (eleven && name == "lymphocyte_typical") name = "lymphocyte";
    map.add_words("matek19", row.matek19, name);
    map.add_words("acevedo20", row.acevedo20, name);
    map.add_words("pbc", row.acevedo20, name);
    map.add_words("mll23", row.mll23, name);
  }
  if (eleven) map.add("matek19", "MOB", "");
  return map;
}

ClassMap read_map(const std::string& path) {
  const CsvTable table = read_csv(path);
  ClassMap map;
  const size_t dataset = table.column("dataset"), raw = table.column("raw"),
               name = table.column("harmonised");
  for (size_t row = 0; row < table.rows(); ++row) {
    const auto source = table.value(row, dataset), from = table.value(row, raw),
               to = table.value(row, name);
    if (!from) table.fail(row, "blank raw label", "a class of the data set");
    const std::string key = source ? std::string(*source) : "*";
    if (map.names.count(key + "\n" + std::string(*from)))
      table.fail(row, "\"" + std::string(*from) + "\" twice for " + key, "one row per raw label");
    map.add(key, std::string(*from), to ? std::string(*to) : "");
  }
  return map;
}

ClassMap find_map(const std::string& name) {
  if (name == "13" || name == "11") return published_map(name == "11");
  if (name != "5") return read_map(name);
  ClassMap map;
  for (const auto& [to, words] : table_5) map.add_words("*", words, to);
  return map;
}

}  // namespace

void harmonise(Dataset& dataset, const std::string& source, const std::string& map_name) {
  const ClassMap map = find_map(map_name);
  std::vector<int64_t> target(dataset.classes.size(), -1);
  std::set<size_t> used;
  for (const Sample& s : dataset.samples) used.insert(static_cast<size_t>(s.label));
  for (const size_t c : used) {
    const std::string* name = map.find(source, dataset.classes[c]);
    if (!name)
      throw DataError({"class.unmapped", map_name, "",
                       "no row for class \"" + dataset.classes[c] + "\" of " + source,
                       "every class in the map; an empty name drops it",
                       source == "pbc" ? "pass --labels fine, or add the row" : "add the row"});
    if (!name->empty())
      target[c] = std::find(map.classes.begin(), map.classes.end(), *name) - map.classes.begin();
  }
  std::vector<bool> keep;
  for (Sample& s : dataset.samples) {
    const int64_t t = target[static_cast<size_t>(s.label)];
    keep.push_back(t >= 0);
    if (t < 0)
      dataset.add_note("label.dropped",
                       "samples of class " + dataset.classes[static_cast<size_t>(s.label)] +
                           " left out by the class map",
                       s.id);
    else
      s.label = t;
  }
  keep_samples(dataset, keep);
  dataset.classes = map.classes;
}

}  // namespace cytograd::layout
