#include <map>

#include "cytograd/data/scan.h"
#include "data/support.h"

using namespace cytograd;

namespace {

std::optional<std::string> real(const char* name) {
  const auto root = shared_data();
  if (root && std::filesystem::exists(*root / name)) return (*root / name).string();
  MESSAGE("skipped: ", std::string(name),
          " is not here; set CYTOGRAD_DATA to the folder of test data");
  return std::nullopt;
}

Dataset load(const std::string& path, const std::string& preset, const std::string& harmonise = "",
             const std::string& labels = "coarse") {
  DatasetOptions o;
  o.path = path;
  o.preset = preset;
  o.harmonise = harmonise;
  o.labels = labels;
  return load_dataset(o);
}

void check_counts(const Dataset& d, const std::map<std::string, int64_t>& expected) {
  CHECK(d.classes.size() == expected.size());
  for (const auto& entry : expected) {
    CAPTURE(entry.first);
    CHECK(count_class(d, entry.first) == entry.second);
  }
}

}  // namespace

TEST_CASE("preset pbc reads the eight folders as they are") {
  const auto path = real("PBC_dataset_normal_DIB");
  if (!path) return;
  const Dataset d = load(*path, "auto");
  CHECK(d.domains == std::vector<std::string>{"pbc"});
  CHECK(d.size() == 690);
  CHECK(d.faults.empty());
  CHECK(note_count(d.notes, "file.hidden") == 1);
  check_counts(d, {{"neutrophil", 153},
                   {"ig", 132},
                   {"eosinophil", 129},
                   {"erythroblast", 64},
                   {"monocyte", 59},
                   {"platelet", 53},
                   {"basophil", 50},
                   {"lymphocyte", 50}});
}

TEST_CASE("preset pbc with fine labels takes the whole prefix") {
  const auto path = real("PBC_dataset_normal_DIB");
  if (!path) return;
  const Dataset d = load(*path, "pbc", "", "fine");
  CHECK(note_count(d.notes, "label.unspecific") == 18 + 18);
  check_counts(d, {{"neutrophil_segmented", 68},
                   {"neutrophil_band", 67},
                   {"myelocyte", 47},
                   {"metamyelocyte", 42},
                   {"promyelocyte", 25},
                   {"eosinophil", 129},
                   {"erythroblast", 64},
                   {"monocyte", 59},
                   {"platelet", 53},
                   {"basophil", 50},
                   {"lymphocyte", 50}});
}

TEST_CASE("preset wbc-seg reads one data set or both") {
  const auto path = real("segmentation_WBC");
  if (!path) return;
  const Dataset both = load(*path, "auto");
  CHECK(both.domains == std::vector<std::string>{"wbc-seg-1", "wbc-seg-2"});
  CHECK(both.size() == 300);
  CHECK(both.faults.empty());
  check_counts(load(*path + "/Dataset 1/", "wbc-seg"), {{"neutrophil", 132},
                                                        {"lymphocyte", 40},
                                                        {"monocyte", 36},
                                                        {"eosinophil", 16},
                                                        {"basophil", 1}});
  check_counts(load(*path + "/Dataset 2", "auto"), {{"lymphocyte", 28},
                                                    {"neutrophil", 25},
                                                    {"monocyte", 11},
                                                    {"eosinophil", 9},
                                                    {"basophil", 2}});
  const ScanReport report = scan(both);
  CHECK(report.faults.empty());
  CHECK(note_count(report.notes, "mask.values") == 5);  // 034, 035, 047, 050, 076
  int small = 0;
  for (size_t i = 0; i < both.samples.size(); ++i)
    small += both.samples[i].domain == 0 &&
             (report.samples[i].width != 120 || report.samples[i].height != 120);
  CHECK(small == 54);
}

TEST_CASE("preset bccd crops white cells by their boxes") {
  const auto path = real("BCCD_Dataset");
  if (!path) return;
  for (const std::string& place :
       {*path, *path + "/BCCD", std::filesystem::path(*path).parent_path().string()}) {
    const Dataset d = load(place, "bccd");
    CHECK(d.size() == 264);
    CHECK(d.faults.empty());
    CHECK(note_count(d.notes, "box.degenerate") == 1);
    CHECK(note_count(d.notes, "box.missing") == 4);  // 00135 00171 00178 00327
    CHECK(note_count(d.notes, "csv.multi") == 15);   // 6 x 2, 00242, 00113 x 2
    CHECK(note_count(d.notes, "label.blank") == 1);  // 00117
    for (const Sample& s : d.samples) CHECK((s.box && !s.mask.empty() && !s.group.empty()));
  }
  DatasetOptions all;
  all.path = *path;
  all.objects = "all";
  const Dataset d = load_dataset(all);
  CHECK(count_class(d, "rbc") == 3097);
  CHECK(count_class(d, "platelet") == 265);
  CHECK(scan(load(*path, "bccd")).faults.empty());
}

TEST_CASE("box.degenerate in BloodImage_00338") {
  const auto path = real("BCCD_Dataset");
  if (!path) return;
  DatasetOptions strict;
  strict.path = *path;
  strict.strict = true;
  const Dataset d = load_dataset(strict);
  REQUIRE(d.faults.size() == 1);
  CHECK(d.faults[0].id == "box.degenerate");
  CHECK(d.faults[0].file.ends_with("BloodImage_00338.xml"));
}

TEST_CASE("four domains over common classes") {
  const auto root = real("segmentation_WBC");
  if (!root) return;
  const std::string data = std::filesystem::path(*root).parent_path().string();
  std::vector<DatasetOptions> parts(3);
  parts[0].path = *root;
  parts[1].path = data + "/BCCD_Dataset";
  parts[2].path = data + "/PBC_dataset_normal_DIB";
  const Dataset all = load_datasets(parts);
  CHECK(all.domains == std::vector<std::string>{"wbc-seg-1", "wbc-seg-2", "bccd", "pbc"});
  CHECK(all.classes.size() == 8);
  CHECK(all.size() == 300 + 264 + 690);
  for (auto& p : parts) p.harmonise = "5";
  const Dataset five = load_datasets(parts);
  CHECK(five.classes ==
        std::vector<std::string>{"basophil", "eosinophil", "lymphocyte", "monocyte", "neutrophil"});
  CHECK(five.size() == 300 + 264 + 153 + 129 + 59 + 50 + 50);
  CHECK(note_count(five.notes, "label.dropped") == 132 + 64 + 53);
}

namespace {

// One file per raw label of the three published sets.
void put_published(const TempFolder& folder) {
  int v = 0;
  for (const char* code : {"BAS", "EBO", "EOS", "KSC", "LYA", "LYT", "MMZ", "MOB", "MON", "MYB",
                           "MYO", "NGB", "NGS", "PMB", "PMO"})
    put_image(folder,
              std::string("mat/AML-Cytomorphology/") + code + "/" + code +
                  "_0001 (2021_05_21 20_42_39 UTC).tiff",
              ++v);
  for (const char* name :
       {"basophil/BA_1.jpg", "eosinophil/EO_1.jpg", "erythroblast/ERB_1.jpg", "ig/IG_1.jpg",
        "ig/MMY_1.jpg", "ig/MY_1.jpg", "ig/PMY_1.jpg", "lymphocyte/LY_1.jpg", "monocyte/MO_1.jpg",
        "neutrophil/BNE_1.jpg", "neutrophil/SNE_1.jpg", "neutrophil/NEUTROPHIL_1.jpg",
        "platelet/PLATELET_1.jpg"})
    put_image(folder, std::string("ace/") + name, ++v);
  for (const char* name :
       {"basophil", "eosinophil", "hairy_cell", "lymphocyte", "lymphocyte_large_granular",
        "lymphocyte_neoplastic", "lymphocyte_reactive", "metamyelocyte", "monocyte", "myeloblast",
        "myelocyte", "neutrophil_band", "neutrophil_segmented", "normoblast", "plasma_cell",
        "promyelocyte", "promyelocyte_atypical", "smudge_cell"})
    put_image(folder, std::string("mll/") + name + "/" + name + "_0001.TIF", ++v);
}

std::string class_of(const Dataset& d, const std::string& part) {
  for (const Sample& s : d.samples)
    if (s.path.find(part) != std::string::npos) return d.classes[static_cast<size_t>(s.label)];
  return {};
}

}  // namespace

// Domain generalization oracle P2.
TEST_CASE("harmonised labels of the three published sets") {
  TempFolder folder;
  put_published(folder);
  const std::string mat = folder / "mat", ace = folder / "ace", mll = folder / "mll";
  CHECK(load(mat, "auto").classes.size() == 15);
  CHECK(load(ace, "acevedo20").classes.size() == 13);
  CHECK(load(mll, "auto").classes.size() == 18);

  const Dataset m = load(mat, "matek19", "13"), a = load(ace, "acevedo20", "13"),
                l = load(mll, "mll23", "13");
  CHECK(m.size() == 14);
  CHECK(a.size() == 10);
  CHECK(l.size() == 14);
  CHECK(m.classes.size() == 13);
  CHECK(a.classes.size() == 10);
  CHECK(l.classes.size() == 13);
  CHECK(load(mat, "matek19", "11").size() == 11);
  CHECK(class_of(m, "MMZ_") == "metamyelocyte");
  CHECK(class_of(m, "MYB_") == "myelocyte");
  CHECK(class_of(m, "MYO_") == "myeloblast");
  CHECK(class_of(a, "/MMY_1") == "metamyelocyte");
  CHECK(class_of(a, "/MY_1") == "myelocyte");
  CHECK(m.samples[0].crop_to_opaque);
  CHECK(*m.samples[0].microns_per_pixel == doctest::Approx(0.0725));
}

TEST_CASE("harmonised sets combine; unknown classes are errors") {
  TempFolder folder;
  put_published(folder);
  std::vector<DatasetOptions> parts(3);
  parts[0].path = folder / "mat";
  parts[1].path = folder / "ace";
  parts[1].preset = "acevedo20";
  parts[2].path = folder / "mll";
  CHECK_THROWS_WITH_AS(load_datasets({parts[0], parts[1]}), doctest::Contains("no class in common"),
                       DataError);
  for (auto& p : parts) p.harmonise = "13";
  const Dataset all = load_datasets(parts);
  CHECK(all.classes.size() == 13);
  CHECK(all.classes[0] == "basophil");
  CHECK(all.classes[12] == "smudge_cell");
  REQUIRE(class_table(all).missing().size() == 1);
  CHECK(class_table(all).missing()[0].count == 3);

  put_text(folder, "map.csv", "dataset,raw,harmonised\nmatek19,BAS,granulocyte\n*,EOS,\n");
  CHECK_THROWS_WITH_AS(load(folder / "mat", "matek19", folder / "map.csv"),
                       doctest::Contains("no row for class \"EBO\""), DataError);
}
