// MatrixMarket files and tables of counts, as Cell Ranger and GEO give them.
#include <cmath>
#include <cstring>
#include <filesystem>

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/io/file.h"
#include "cytograd/io/single_cells.h"
#include "io/expect_fault.h"
#include "io/gzip.h"
#include "support/data.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

using Words = std::vector<std::string>;

std::vector<float> filled(const CsrMatrix& x) {
  std::vector<float> out(static_cast<size_t>(x.rows * x.columns), 0.0f);
  for (size_t i = 0; i < static_cast<size_t>(x.rows); ++i)
    for (auto e = static_cast<size_t>(x.indptr[i]); e < static_cast<size_t>(x.indptr[i + 1]); ++e)
      out[i * static_cast<size_t>(x.columns) + static_cast<size_t>(x.indices[e])] = x.values[e];
  return out;
}

const Column& column(const AnnTable& table, const std::string& name) {
  for (const auto& [key, values] : table.columns)
    if (key == name) return values;
  throw std::runtime_error("no column " + name);
}

std::string replaced(std::string text, const std::string& what, const std::string& with) {
  const size_t at = text.find(what);
  if (at == std::string::npos) throw std::runtime_error("nothing to replace");
  return text.replace(at, what.size(), with);
}

// Four genes, three cells: (1, 0, 4, 0), (0, 0, 0, 0), (0, 10, 0, 2), in no order.
const std::string market =
    "%%MatrixMarket matrix coordinate integer general\n% a remark\n4 3 4\n"
    "3 1 4\n1 1 1\n4 3 2\n2 3 10\n";
const std::vector<float> values = {1, 0, 4, 0, 0, 0, 0, 0, 0, 10, 0, 2};
const std::string barcodes = "AAA-1\nCCC-1\nGGG-1\n";
const std::string features =
    "E1\tMPO\tGene Expression\nE2\tELANE\tGene Expression\nE3\tMPO\tGene Expression\n"
    "E4\tCD3\tAntibody Capture\n";

void write_market(const TempFolder& folder, const std::string& matrix,
                  const std::string& start = "") {
  write_file_atomically(folder / (start + "matrix.mtx"), matrix);
  write_file_atomically(folder / (start + "barcodes.tsv"), barcodes);
  write_file_atomically(folder / (start + "genes.tsv"), "E1\tMPO\nE2\tELANE\nE3\tCD34\nE4\tCD3\n");
}

const std::string counts =
    "Gene\tBM1_A\tBM1_C\tBM1_G\nMPO\t1\t0\t0\nELANE\t0\t0\t10\nCD34\t4\t0\t0\nCD3\t0\t0\t2\n";
const std::string about =
    "Cell\tReads\tScore\tPlate\tCellType\tNone\n"
    "BM1_G\t12\t0.5\tP1\tMono\t\nBM1_A\t9\tNA\tP2\tHSC\t\nBM1_C\t7\t-1\tP1\t\t\n";

}  // namespace

TEST_CASE("MatrixMarket: a folder, plain and gzip, and its file") {
  const TempFolder folder;
  write_market(folder, market);
  for (const std::string& path : {folder.path().string(), folder / "matrix.mtx"}) {
    const SingleCells c = read_single_cells(path);
    CHECK(filled(c.x) == values);
    CHECK(c.obs.names == Words{"AAA-1", "CCC-1", "GGG-1"});
    CHECK(c.var.names == Words{"MPO", "ELANE", "CD34", "CD3"});
    CHECK(std::get<Words>(column(c.var, "gene_ids"))[1] == "E2");
    CHECK(c.obs.columns.empty());
    CHECK(c.notes == Words{"2 cells had unsorted genes"});
    CHECK(c.stored[0].name == "X");
  }
  const TempFolder packed;
  write_file_atomically(packed / "matrix.mtx.gz", gzipped(market));
  write_file_atomically(packed / "barcodes.tsv.gz", gzipped(barcodes));
  write_file_atomically(packed / "features.tsv.gz", gzipped(features));
  const SingleCells c = read_single_cells(packed.path());
  CHECK(c.var.names == Words{"MPO", "ELANE", "MPO-1"});
  CHECK(filled(c.x) == std::vector<float>{1, 0, 4, 0, 0, 0, 0, 10, 0});
  CHECK(c.notes[0] == "2 cells had unsorted genes");
  CHECK(c.notes[1] == "1 genes have the name of another");
  CHECK(c.notes[2] == "1 features are left out: they are no gene expression");
  expect_fault<DataError>("cells.form", [&] { read_single_cells(packed.path(), "layers/counts"); });
}

TEST_CASE("MatrixMarket: cells in the rows, real numbers, entries met again, CRLF, other blanks") {
  const TempFolder folder;
  write_market(folder,
               "%%matrixmarket MATRIX coordinate real general\r\n3 4 5\r\n"
               "1\t3\t1.5\r\n1 1 1e0\r\n 3  4  2 \r\n\r\n3 2 10\r\n1 3 2.5\r\n");
  const SingleCells c = read_single_cells(folder.path());
  CHECK(filled(c.x) == values);
  CHECK(c.notes[0] == "matrix.mtx has cells in its rows");
  CHECK(c.notes[2] == "1 values of a gene met again in a cell were summed");
  write_market(folder, "%%MatrixMarket matrix coordinate integer general\n4 3 0\n");
  CHECK(read_single_cells(folder.path()).x.values.empty());
}

TEST_CASE("MatrixMarket: what is wrong names file and line") {
  const TempFolder folder;
  const auto refused = [&](const std::string& matrix, const std::string& text) {
    write_market(folder, matrix);
    const std::string message =
        expect_fault<DataError>("cells.form", [&] { read_single_cells(folder.path()); });
    CAPTURE(message);
    CHECK(message.find((folder / "matrix.mtx") + ": " + text) != std::string::npos);
  };
  const auto with = [](const std::string& what, const std::string& other) {
    return replaced(market, what, other);
  };
  refused(with("4 3 4", "4 3 5"), "ends after 4 entries; expected 5, as the header says");
  refused(with("4 3 4", "4 3 3"), "line 7: more entries; expected 3, as the header says");
  refused(with("4 3 4", "4 3 13"), "line 3: 13 entries; expected at most 12 in 4 x 3");
  refused(with("4 3 4", "4 3"), "line 3: \"4 3\"; expected rows, columns");
  refused(with("4 3 4", "4 3000000000 4"), "line 3: \"4 3000000000 4\"");
  refused(with("4 3 4", "-4 3 4"), "line 3: \"-4 3 4\"");
  refused(with("4 3 4", "5 3 4"),
          "5 rows and 3 columns; expected 4 genes of genes.tsv and 3 cells");
  refused(with("3 1 4", "5 1 4"), "line 4: row 5; expected 1 to 4");
  refused(with("3 1 4", "0 1 4"), "line 4: row 0; expected 1 to 4");
  refused(with("4 3 2", "4 4 2"), "line 6: column 4; expected 1 to 3");
  refused(with("4 3 2", "4 x 2"), "line 6: column x; expected 1 to 3");
  refused(with("4 3 2", "4 3"), "line 6: \"4 3\"; expected a row, a column and a value");
  refused(with("4 3 2", "4 3 2 1"), "line 6: \"4 3 2 1\"; expected a row");
  for (const std::string v : {"nan", "-2", "1.5", "inf", "1e300", "two", "99999999999999999999x"})
    refused(with("4 3 2", "4 3 " + v), "line 6: value " + v + "; expected a whole number of at");
  refused(with("integer", "complex"), "line 1: \"%%MatrixMarket matrix coordinate complex");
  refused(with("general", "symmetric"), "line 1: ");
  refused(with("coordinate", "array"), "line 1: ");
  refused(with("4 3 4\n3 1 4\n1 1 1\n4 3 2\n2 3 10\n", ""), "no line of sizes");
  refused("", "an empty file");
  refused("1 2 3\n", "line 1: another first line");
  refused(market + std::string("\0\n", 2), "zero bytes; expected text");
}

TEST_CASE("MatrixMarket: gzip that ends early or is damaged, lists that are missing or ragged") {
  const TempFolder folder;
  std::string large = "%%MatrixMarket matrix coordinate integer general\n4 3 12\n";
  for (int g = 1; g <= 4; ++g)
    for (int i = 1; i <= 3; ++i)
      large += std::to_string(g) + " " + std::to_string(i) + " " + std::to_string(g * i) + "\n";
  const std::string whole = gzipped(large);
  write_market(folder, market);
  std::filesystem::remove(folder / "matrix.mtx");
  const auto message = [&](const std::string& bytes) {
    write_file_atomically(folder / "matrix.mtx.gz", bytes);
    return expect_fault<DataError>("cells.form", [&] { read_single_cells(folder.path()); });
  };
  for (const size_t cut : {size_t{2}, size_t{12}, whole.size() / 2, whole.size() - 1})
    CHECK(message(whole.substr(0, cut)).find("matrix.mtx.gz: gzip data ends early") !=
          std::string::npos);
  std::string damaged = whole;
  damaged[damaged.size() - 6] ^= 1;  // the checksum
  CHECK(message(damaged).find("matrix.mtx.gz: damaged gzip data") != std::string::npos);
  CHECK(message(whole + "more").find("damaged gzip data") != std::string::npos);
  // Members behind each other are one text.
  write_file_atomically(folder / "matrix.mtx.gz",
                        gzipped(large.substr(0, 60)) + gzipped(large.substr(60)));
  CHECK(read_single_cells(folder.path()).x.values.size() == 12);
  write_file_atomically(folder / "barcodes.tsv", "AAA-1\nCCC-1\textra\nGGG-1\n");
  CHECK(expect_fault<DataError>("cells.form", [&] {
          read_single_cells(folder.path());
        }).find("barcodes.tsv: line 2: 2 fields; expected 1") != std::string::npos);
  std::filesystem::remove(folder / "barcodes.tsv");
  CHECK(expect_fault<DataError>("cells.form", [&] {
          read_single_cells(folder.path());
        }).find("no barcodes.tsv beside it") != std::string::npos);
  const TempFolder nothing;
  CHECK(expect_fault<DataError>("cells.form", [&] {
          read_single_cells(nothing.path());
        }).find("0 files, none with cells; expected .h5ad, 10x .h5") != std::string::npos);
}

TEST_CASE("tables of counts: genes below each other, what is known of the cells beside") {
  const TempFolder folder;
  write_file_atomically(folder / "GSM17_BM1.dem.txt.gz", gzipped(counts));
  write_file_atomically(folder / "GSM18_BM1.anno.txt", about);
  for (const std::string& path : {folder.path().string(), folder / "GSM17_BM1.dem.txt.gz"}) {
    const SingleCells c = read_single_cells(path);
    CHECK(filled(c.x) == values);
    CHECK(c.var.names == Words{"MPO", "ELANE", "CD34", "CD3"});
    CHECK(c.obs.names == Words{"BM1_A", "BM1_C", "BM1_G"});
    REQUIRE(c.obs.columns.size() == 4);
    CHECK(std::get<std::vector<int64_t>>(column(c.obs, "Reads")) == std::vector<int64_t>{9, 7, 12});
    CHECK(std::isnan(std::get<std::vector<double>>(column(c.obs, "Score"))[0]));
    CHECK(std::get<std::vector<double>>(column(c.obs, "Score"))[1] == -1);
    const auto& type = std::get<Categorical>(column(c.obs, "CellType"));
    CHECK(type.categories == Words{"HSC", "Mono"});
    CHECK(type.codes == std::vector<int32_t>{0, -1, 1});
    CHECK(c.notes == Words{"obs/None is left out: it is empty"});
  }
}

TEST_CASE(
    "tables of counts: other corners, quotes, commas, cells below each other, no annotation") {
  const TempFolder folder;
  const auto read = [&](const std::string& text) {
    write_file_atomically(folder / "counts.csv", text);
    const SingleCells c = read_single_cells(folder / "counts.csv");
    CHECK(c.obs.names == Words{"a", "b"});
    CHECK(c.var.names == Words{"x", "y", "z"});
    CHECK(c.obs.columns.empty());
    return filled(c.x);
  };
  const std::vector<float> two = {1, 0, 2.5, 0, 3, 0};
  CHECK(read("gene,a,b\nx,1,0\ny,0,3\nz,2.5,0\n") == two);
  CHECK(read("a,b\nx,1,0\ny,0,3\nz,2.5,0") == two);
  CHECK(read("\"\",\"a\",\"b\"\r\n\"x\",1,0\r\n\"y\",0,3\r\n\"z\",2.5,0\r\n") == two);
  CHECK(read("\xEF\xBB\xBF"
             "cell,x,y,z\na,1,0,2.5\nb,0,3,0\n") == two);
  CHECK(read("\ta\tb\nx\t1\t0\ny\t0\t3\nz\t2.5\t0\n") == two);
}

TEST_CASE("tables of counts: what is wrong names file and line") {
  const TempFolder folder;
  const auto refused = [&](const std::string& table, const std::string& text) {
    write_file_atomically(folder / "BM1.dem.txt", table);
    const std::string message =
        expect_fault<DataError>("cells.form", [&] { read_single_cells(folder / "BM1.dem.txt"); });
    CAPTURE(message);
    CHECK(message.find((folder / "BM1.dem.txt") + ": " + text) != std::string::npos);
  };
  const auto with = [](const std::string& what, const std::string& other) {
    return replaced(counts, what, other);
  };
  refused(with("\t10\n", "\n"), "line 3: 3 fields; expected 4, as in the lines before");
  refused(with("\t10\n", "\t10\t0\n"), "line 3: 5 fields; expected 4");
  refused(with("\t10\n", "\t-10\n"),
          "line 3: \"-10\" in column BM1_G; expected a finite number of at least 0");
  refused(with("CD34\t4", "CD34\tNaN"), "line 4: \"NaN\" in column BM1_A");
  refused(with("CD34\t4", "CD34\tfour"), "line 4: \"four\" in column BM1_A");
  refused(with("CD34\t4", "CD34\t"), "line 4: \"\" in column BM1_A");
  refused(with("CD34\t4", "\t4"), "line 4: a row without a name");
  refused(with("MPO\t1\t0\t0\n", "MPO\t1\n"), "line 2: 2 fields; expected 4");
  refused("Gene\tA\n", "a header alone; expected a row per gene");
  refused("", "an empty file");
  refused(with("MPO", std::string("M\0O", 3)), "zero bytes");
  const std::string packed = gzipped(counts);
  write_file_atomically(folder / "BM2.dem.txt.gz", packed.substr(0, packed.size() / 2));
  CHECK(expect_fault<DataError>("cells.form", [&] {
          read_single_cells(folder / "BM2.dem.txt.gz");
        }).find("gzip data ends early") != std::string::npos);
  write_file_atomically(folder / "text.txt", "no table\nat all\n");
  CHECK(expect_fault<DataError>("cells.form", [&] {
          read_single_cells(folder / "text.txt");
        }).find("a file without cells; expected .h5ad") != std::string::npos);
}

TEST_CASE("tables about cells: other cells, some without a row, ragged, cells and columns twice") {
  const TempFolder folder;
  write_file_atomically(folder / "BM1.dem.txt", counts);
  const auto annotate = [&](const std::string& text) {
    write_file_atomically(folder / "BM1.anno.txt", text);
  };
  const auto refused = [&](const std::string& text, const std::string& found) {
    annotate(text);
    const std::string message =
        expect_fault<DataError>("cells.form", [&] { read_single_cells(folder.path()); });
    CAPTURE(message);
    CHECK(message.find("BM1.anno.txt: " + found) != std::string::npos);
  };
  annotate("Cell\tType\nBM1_G\tMono\nBM1_X\tHSC\n");
  const SingleCells c = read_single_cells(folder.path());
  CHECK(std::get<Categorical>(c.obs.columns[0].second).codes == std::vector<int32_t>{-1, -1, 0});
  CHECK(c.notes == Words{"2 cells of BM1 have no row in BM1.anno.txt",
                         "1 rows of BM1.anno.txt belong to no cell"});
  refused("Cell\tType\nX\tMono\n", "none of the cells of");
  refused("Cell\tType\nBM1_A\n", "line 2: 1 fields; expected 2");
  refused("Cell\tType\nBM1_A\tHSC\nBM1_A\tMono\n", "line 3: cell BM1_A again; expected each");
  refused("Cell\tType\tType\nBM1_A\tHSC\tHSC\n", "line 1: column Type twice");
  refused("", "an empty file");
}

TEST_CASE("several samples of a folder are one, with their names") {
  const TempFolder folder;
  write_file_atomically(folder / "GSM1_BM1.dem.txt", counts);
  write_file_atomically(folder / "GSM2_BM1.anno.txt", about);
  // Other cells, genes in another order.
  write_file_atomically(folder / "GSM3_BM2.dem.txt.gz",
                        gzipped("Gene\tBM2_T\nCD3\t7\nELANE\t0\nMPO\t5\nCD34\t0\n"));
  write_file_atomically(folder / "notes.txt", "not cells\n");
  const SingleCells c = read_single_cells(folder.path());
  CHECK(c.x.rows == 4);
  std::vector<float> all = values;
  all.insert(all.end(), {5, 0, 0, 7});
  CHECK(filled(c.x) == all);
  CHECK(c.obs.names == Words{"BM1_A", "BM1_C", "BM1_G", "BM2_T"});
  const auto& sample = std::get<Categorical>(column(c.obs, "sample"));
  CHECK(sample.categories == Words{"BM1", "BM2"});
  CHECK(sample.codes == std::vector<int32_t>{0, 0, 0, 1});
  CHECK(std::get<Categorical>(column(c.obs, "CellType")).codes.back() == -1);
  CHECK(std::isnan(std::get<std::vector<double>>(column(c.obs, "Score")).back()));
  // Whole numbers with a gap are reals.
  CHECK(std::get<std::vector<double>>(column(c.obs, "Reads"))[2] == 12);
  const auto differ = [&](const std::string& table, const std::string& text) {
    write_file_atomically(folder / "GSM3_BM2.dem.txt.gz", gzipped(table));
    const std::string message =
        expect_fault<DataError>("h5ad.genes", [&] { read_single_cells(folder.path()); });
    CAPTURE(message);
    CHECK(message.find(text) != std::string::npos);
  };
  differ("Gene\tBM2_T\nCD3\t7\nMPO\t5\nCD8\t0\n", "2 of the 4 genes of");
  differ("Gene\tBM2_T\nCD3\t7\nMPO\t5\nCD8\t0\n", "and 1 others, first CD8; expected the same");
  differ("Gene\tBM2_T\nCD3\t7\nMPO\t5\nMPO\t0\nCD34\t1\n", "4 of the 4 genes");
}

TEST_CASE("several MatrixMarket samples of a folder: cells of one name get that of the sample") {
  const TempFolder folder;
  write_market(folder, market, "GSM1_young_");
  write_market(folder, market, "GSM2_old_");
  const SingleCells c = read_single_cells(folder.path());
  CHECK(c.obs.names ==
        Words{"young_AAA-1", "young_CCC-1", "young_GGG-1", "old_AAA-1", "old_CCC-1", "old_GGG-1"});
  CHECK(std::get<Categorical>(column(c.obs, "sample")).categories == Words{"young", "old"});
  CHECK(c.notes.back() == "cells have the name of their sample in front: some are alike");
}

TEST_CASE("cells of real tables and of Cell Ranger: sizes, types, one set") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  const std::string mini = *data / "tenx_v3_mini";
  const SingleCells h5 = read_single_cells(mini + "/filtered_feature_bc_matrix.h5"),
                    mtx = read_single_cells(mini + "/filtered_feature_bc_matrix");
  CHECK(h5.x.rows == 1107);
  CHECK(h5.x.columns == 507);
  CHECK(h5.x.values.size() == 23866);
  CHECK(h5.x.values == mtx.x.values);
  CHECK(h5.x.indices == mtx.x.indices);
  CHECK(h5.x.indptr == mtx.x.indptr);
  CHECK(h5.obs.names == mtx.obs.names);
  CHECK(h5.var.names == mtx.var.names);
  CHECK(std::get<Words>(column(h5.var, "gene_ids")) ==
        std::get<Words>(column(mtx.var, "gene_ids")));
  CHECK(std::get<Categorical>(column(h5.var, "genome")).categories.size() == 1);
  const SingleCells geo = read_single_cells(*data / "GSE116256_RAW");
  CHECK(geo.x.rows == 108 + 643 + 1431 + 756 + 1136);
  CHECK(geo.x.columns == 27899);
  const auto& sample = std::get<Categorical>(column(geo.obs, "sample"));
  CHECK(sample.categories == Words{"AML1012-D0", "AML371-D0", "BM1", "BM3", "BM5-34p"});
  const auto& type = std::get<Categorical>(column(geo.obs, "CellType"));
  int64_t gmp = 0;
  for (size_t i = 0; i < type.codes.size(); ++i)
    gmp += type.codes[i] >= 0 && type.categories[static_cast<size_t>(type.codes[i])] == "GMP";
  CHECK(gmp == 7 + 49 + 116 + 110 + 51);
  CHECK(std::get<std::vector<double>>(column(geo.obs, "Score_GMP")).size() == 4074);
}
