#include "cytograd/multimodal/rna_cells.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>
#include <numeric>
#include <set>

#include <doctest/doctest.h>

#include "cytograd/core/parallel.h"
#include "cytograd/io/file.h"
#include "cytograd/io/h5ad.h"
#include "cytograd/io/single_cells.h"
#include "io/expect_fault.h"
#include "support/data.h"
#include "support/temp_folder.h"

using namespace cytograd;
using namespace cytograd::multimodal;

namespace {

using Texts = std::vector<std::string>;
using Rows = std::vector<int64_t>;

Rows all_of(const RnaCells& head) {
  Rows rows(static_cast<size_t>(head.size()));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

std::vector<float> dense(const CsrMatrix& x) {
  std::vector<float> out(static_cast<size_t>(x.rows * x.columns), 0.f);
  for (int64_t i = 0; i < x.rows; ++i)
    for (auto e = static_cast<size_t>(x.indptr[static_cast<size_t>(i)]);
         e < static_cast<size_t>(x.indptr[static_cast<size_t>(i) + 1]); ++e)
      out[static_cast<size_t>(i * x.columns + x.indices[e])] = x.values[e];
  return out;
}

// Seven cells, four genes; the fifth cell has no counts, the sixth no label.
AnnData seven() {
  AnnData data;
  data.X = DenseMatrix{
      7, 4, {1, 0, 3, 0, 0, 4, 0, 0, 2, 2, 1, 0, 5, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 1, 0, 0, 2, 8}};
  data.obs.names = {"a", "b", "c", "d", "e", "f", "g"};
  data.obs.columns = {
      {"cell_type", Categorical{{2, 2, 0, 0, 2, -1, 0}, {"mono", "unused", "blast"}, false}},
      {"organ", Texts{"lung", "blood", "lung", "lung", "blood", "lung", "lung"}},
      {"donor", std::vector<int64_t>{1, 1, 2, 2, 3, 3, 3}},
      {"score", std::vector<double>{.5, 1, 2, 3, 4, 5, 6}}};
  data.var.names = {"G1", "G2", "G3", "G4"};
  DenseMatrix latent{7, 50, std::vector<float>(350)};
  for (size_t i = 0; i < latent.values.size(); ++i) latent.values[i] = static_cast<float>(i);
  data.obsm["X_scvi"] = latent;
  data.obsm["X_pca"] = DenseMatrix{7, 2, std::vector<float>(14, 1)};
  return data;
}

std::string put(const TempFolder& folder, const AnnData& data) {
  write_h5ad(folder / "cells.h5ad", data);
  return folder / "cells.h5ad";
}

RnaCellOptions all_genes() {
  RnaCellOptions options;
  options.variable = std::nullopt;
  return options;
}

bool has(const std::string& text, const std::string& part) {
  CAPTURE(text);
  return text.find(part) != std::string::npos;
}

bool has(const Texts& notes, const std::string& part) {
  std::string all;
  for (const std::string& note : notes) all += note + "\n";
  return has(all, part);
}

template <class E = DataError>
std::string refusal(const std::string& id, const AnnData& data, const RnaCellOptions& options) {
  const TempFolder folder;
  const std::string path = put(folder, data);
  return expect_fault<E>(id, [&] { read_rna_cells(path, options, all_of); });
}

}  // namespace

TEST_CASE("RNA cells: labels, donors, reference, logarithms") {
  const TempFolder folder;
  RnaCellOptions options = all_genes();
  options.group_column = "donor";
  options.reference = "X_scvi";
  int calls = 0;
  const RnaCells cells =
      read_rna_cells(put(folder, seven()), options, [&calls](const RnaCells& head) {
        ++calls;
        CHECK(head.size() == 6);
        CHECK(head.genes.empty());
        CHECK(head.groups == Texts{"1", "1", "2", "2", "3", "3"});
        return all_of(head);
      });
  CHECK(calls == 1);
  CHECK(cells.names == Texts{"a", "b", "c", "d", "e", "g"});
  CHECK(cells.classes == Texts{"mono", "blast"});
  CHECK(cells.labels == Rows{1, 1, 0, 0, 1, 0});
  CHECK(cells.genes == Texts{"G1", "G2", "G3", "G4"});
  CHECK(cells.reference.shape() == Shape{6, 50});
  CHECK(cells.reference.to_vector<float>()[5 * 50] == 300);  // that of g
  CHECK(has(cells.notes, "1 cell without a label in obs/cell_type left out"));
  CHECK(has(cells.notes, "1 cell without counts"));
  const std::vector<float> x = dense(cells.x);
  CHECK(x[0] == doctest::Approx(std::log1p(1e4 / 4)));
  CHECK(x[2] == doctest::Approx(std::log1p(3e4 / 4)));
  CHECK(x[5 * 4 + 3] == doctest::Approx(std::log1p(8e4 / 10)));
  for (size_t g = 0; g < 4; ++g) CHECK(x[4 * 4 + g] == 0);
  const Tensor batch = cells.batch({5, 0});
  CHECK(batch.shape() == Shape{2, 4});
  for (size_t g = 0; g < 4; ++g) {
    const auto gene = static_cast<int64_t>(g);
    CHECK(batch.to_vector<float>()[g] ==
          doctest::Approx(cells.scale.unit(static_cast<double>(x[5 * 4 + g]), gene)));
  }
  CHECK_THROWS_AS(cells.batch({6}), ValueError);
}

TEST_CASE("RNA cells: genes and scale are those of the training cells") {
  const TempFolder folder;
  const std::string path = put(folder, seven());
  // Without cell g, gene G4 is in one training cell only.
  const RnaCells cells = read_rna_cells(path, all_genes(), [](const RnaCells&) {
    return Rows{3, 0, 1, 2, 0};
  });
  AnnData first = seven();
  for (auto& [name, column] : first.obs.columns)
    if (name == "cell_type") std::get<Categorical>(column).codes = {2, 2, 0, 0, -1, -1, -1};
  const TempFolder other;
  const RnaCells alone = read_rna_cells(put(other, first), all_genes(), all_of);
  CHECK(cells.size() == 6);
  CHECK(alone.size() == 4);
  CHECK(cells.scale.deviation == alone.scale.deviation);
  CHECK(cells.scale.low == alone.scale.low);
  CHECK(cells.scale.high == alone.scale.high);
  const RnaCells whole = read_rna_cells(path, all_genes(), all_of);
  CHECK(whole.scale.deviation != cells.scale.deviation);
  CHECK(dense(whole.x) == dense(cells.x));
  CHECK(has(cells.steps, "genes and scale of 4 of 6 cells"));
  for (const Rows& bad : {Rows{}, Rows{6}, Rows{-1, 2}})
    CHECK_THROWS_AS(read_rna_cells(path, all_genes(), [&](const RnaCells&) { return bad; }),
                    ValueError);
}

TEST_CASE("RNA cells: tissues, classes that are not wanted") {
  AnnData data = seven();
  for (auto& [name, column] : data.obs.columns)
    if (name == "cell_type") std::get<Categorical>(column).codes = {2, 2, 0, 0, 2, 0, 2};
  const TempFolder folder;
  const std::string path = put(folder, data);
  RnaCellOptions options = all_genes();
  options.tissue_column = "organ";
  const RnaCells cells = read_rna_cells(path, options, all_of);
  CHECK(cells.classes == Texts{"mono_lung", "blast_lung", "blast_blood"});
  CHECK(cells.labels == Rows{1, 2, 0, 0, 2, 0, 1});
  options.drop_classes = {"mono"};
  CHECK(read_rna_cells(path, options, all_of).classes == Texts{"blast_lung", "blast_blood"});
  options.drop_classes = {"blast_lung"};
  const RnaCells fewer = read_rna_cells(path, options, all_of);
  CHECK(fewer.classes == Texts{"mono_lung", "blast_blood"});
  CHECK(has(fewer.notes, "2 cells of classes that are not wanted left out"));
  options.drop_classes = {"moon"};
  CHECK(has(refusal("class.unknown", data, options), "mono_lung"));
}

TEST_CASE("RNA cells: what is missing is an error that lists what there is") {
  const auto refused = [](const auto& change) {
    RnaCellOptions options = all_genes();
    change(options);
    return refusal("h5ad.form", seven(), options);
  };
  CHECK(has(refused([](auto& o) { o.label_column = "celltypes"; }),
            "obs/celltypes: no such column; expected one of the columns of obs: cell_type, organ, "
            "donor, score"));
  CHECK(has(refused([](auto& o) { o.tissue_column = "tissue"; }), "obs/tissue"));
  CHECK(has(refused([](auto& o) { o.group_column = "patient"; }), "obs/patient"));
  CHECK(has(refused([](auto& o) { o.label_column = "score"; }), "measurements, such as 0.5"));
  CHECK(has(refused([](auto& o) { o.reference = "X_umap"; }), "one of obsm: X_pca, X_scvi"));
  CHECK(has(refused([](auto& o) { o.reference = "obsm/X_pca"; }), "2 columns; expected 50"));
  CHECK(has(refused([](auto& o) { o.matrix = "raw/X"; }), "raw"));
  AnnData bare = seven();
  bare.obs.columns.erase(bare.obs.columns.begin());
  CHECK(has(refusal("h5ad.form", bare, all_genes()), "organ, donor, score"));
  RnaCellOptions state = all_genes();
  state.state = "logs";
  const TempFolder folder;
  const std::string path = put(folder, seven());
  CHECK_THROWS_AS(read_rna_cells(path, state, all_of), ValueError);
  write_file_atomically(folder / "half.h5ad", read_file(path).substr(0, 3000));
  CHECK_THROWS_AS(read_rna_cells(folder / "half.h5ad", all_genes(), all_of), DataError);
  expect_fault<FileError>("file.missing",
                          [&] { read_rna_cells(folder / "none.h5ad", all_genes(), all_of); });
}

TEST_CASE("RNA cells: values that are none, classes of one cell") {
  for (const float bad :
       {-1.f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    AnnData data = seven();
    std::get<DenseMatrix>(data.X).values[1 * 4 + 2] = bad;
    CHECK(has(refusal("rna.values", data, all_genes()), "X, cell b, gene G3"));
  }
  AnnData data = seven();
  for (auto& [name, column] : data.obs.columns)
    if (name == "cell_type") std::get<Categorical>(column).codes = {2, 2, 0, -1, 2, -1, -1};
  CHECK(has(refusal("class.missing", data, all_genes()), "one cell of RNA class mono"));
  for (auto& [name, column] : data.obs.columns)
    if (name == "cell_type") std::get<Categorical>(column).codes.assign(7, -1);
  CHECK(has(refusal("data.empty", data, all_genes()), "no cell that is labelled"));
  data = seven();
  data.obsm["X_scvi"].values[120] = std::numeric_limits<float>::infinity();
  RnaCellOptions options = all_genes();
  options.reference = "X_scvi";
  CHECK(has(refusal("h5ad.form", data, options), "obsm/X_scvi, cell c"));
}

TEST_CASE("RNA cells: scaled values choose no genes") {
  AnnData data = seven();
  for (float& v : std::get<DenseMatrix>(data.X).values) v = v > 4 ? 10 : v * 0.4f;
  data.var.columns = {{"std", std::vector<double>{1, 1, 1, 1}}};
  CHECK(has(refusal("rna.values", data, {}), "divided by the deviation"));
  const TempFolder folder;
  const RnaCells cells = read_rna_cells(put(folder, data), all_genes(), all_of);
  CHECK(has(cells.steps, "input: divided by the deviation of each gene"));
  RnaCellOptions logs = all_genes();
  logs.state = "lognorm";
  CHECK(has(read_rna_cells(folder / "cells.h5ad", logs, all_of).steps, "input: logarithms"));
  CHECK(has(expect_fault<DataError>("rna.values",
                                    [&] {
                                      read_rna_cells(folder / "cells.h5ad", all_genes(),
                                                     cells.genes, cells.scale);
                                    }),
            "divided by the deviation"));
}

TEST_CASE("RNA cells: a file of cyto rna preprocess is taken as logarithms") {
  AnnData data = seven();
  // By their values alone these would be taken as scaled.
  for (float& v : std::get<DenseMatrix>(data.X).values) v = v > 4 ? 10 : v * 0.4f;
  data.var.columns = {{"std", std::vector<double>{1, 1, 1, 1}}};
  data.layers["unit"] = CsrMatrix{7, 4, {}, {}, std::vector<int64_t>(8, 0)};
  data.uns["cyto_steps"] = Texts{"log1p base=e", "highly_variable_genes flavour=seurat"};
  const TempFolder folder;
  const RnaCells cells = read_rna_cells(put(folder, data), all_genes(), all_of);
  CHECK(dense(cells.x)[0] == 0.4f);
  CHECK(has(cells.steps, "earlier: log1p base=e"));
  CHECK(has(cells.steps, "input: logarithms"));
  CHECK(has(cells.notes, "chose the genes of this file by all of its cells"));
}

TEST_CASE("RNA cells: new ones in the order of a model's genes") {
  AnnData data = seven();
  data.var.names = {"ENSG01.3", "ENSG02.1", "ENSG03.7", "ENSG04.2"};
  data.var.columns = {{"feature_name", Texts{"MPO", "ELANE", "MPO", "CD14"}}};
  const TempFolder folder;
  const std::string path = put(folder, data);
  const RnaCells trained = read_rna_cells(path, all_genes(), all_of);
  CHECK(trained.genes == Texts{"MPO", "ELANE", "MPO-1", "CD14"});
  const std::vector<float> x = dense(trained.x);
  rna::ExpressionScale scale{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 10, 0, 9};
  const Texts genes = {"ENSG04.9", "ENSG01", "nine"};
  RnaCellOptions options;  // `variable` does not count
  options.drop_classes = {"blast"};
  CHECK(has(expect_fault<DataError>("h5ad.genes",
                                    [&] {
                                      read_rna_cells(path, options, genes, {{1, 2, 3}, 10, 0, 9});
                                    }),
            "1 of the model's 3 genes are missing: nine"));
  const RnaCells symbols =
      read_rna_cells(path, {}, Texts{"CD14", "MPO-1", "ELANE"}, {{1, 2, 3}, 10, 0, 9});
  CHECK(symbols.size() == 7);  // the one without a label too
  CHECK(symbols.labels == Rows{1, 1, 0, 0, 1, -1, 0});
  const std::vector<float> turned = dense(symbols.x);
  CHECK(turned[0] == x[3]);
  CHECK(turned[1] == x[2]);
  CHECK(turned[2] == x[1]);
  CHECK(turned[6 * 3] == x[5 * 4 + 3]);
  CHECK(symbols.scale.deviation == std::vector<double>{1, 2, 3});
  CHECK(symbols.batch({6}).to_vector<float>()[1] ==
        doctest::Approx(symbols.scale.unit(static_cast<double>(x[5 * 4 + 2]), 1)));
  const RnaCells versions =
      read_rna_cells(path, {}, Texts{"ENSG04.9", "ENSG01"}, {{1, 2}, 10, 0, 9});
  CHECK(dense(versions.x)[0] == x[3]);
  CHECK(dense(versions.x)[1] == x[0]);
  CHECK_THROWS_AS(read_rna_cells(path, {}, genes, scale), ValueError);
  // Nothing is asked of new cells but their genes.
  data.obs.columns.clear();
  const RnaCells bare = read_rna_cells(put(folder, data), {}, Texts{"CD14"}, {{1}, 10, 0, 9});
  CHECK(bare.labels == Rows(7, -1));
  CHECK(bare.classes.empty());
  CHECK(has(bare.notes, "no column of labels in obs"));
}

TEST_CASE("RNA cells: up to a tenth of the genes may be missing") {
  AnnData data = seven();
  const TempFolder folder;
  data.X = DenseMatrix{7, 9, std::vector<float>(63, 1)};
  data.var.names = {"A", "B", "C", "D", "E", "F", "G", "H", "I"};
  const std::string path = put(folder, data);
  const rna::ExpressionScale scale{std::vector<double>(10, 1), 10, 0, 10};
  const RnaCells cells =
      read_rna_cells(path, {}, Texts{"I", "H", "absent", "G", "F", "E", "D", "C", "B", "A"}, scale);
  CHECK(has(cells.notes, "1 of the model's 10 genes are missing: absent; they count 0"));
  const std::vector<float> x = dense(cells.x);
  CHECK(x[2] == 0);
  CHECK(x[1] > 0);
  CHECK(cells.batch({0}).to_vector<float>()[2] == 0);
  CHECK(has(expect_fault<DataError>(
                "h5ad.genes",
                [&] {
                  read_rna_cells(path, {}, Texts{"I", "H", "x", "y", "F", "E", "D", "C", "B", "A"},
                                 scale);
                }),
            "2 of the model's 10 genes are missing: x, y"));
}

TEST_CASE("RNA cells: paul15 and pbmc68k") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  const std::string path = *data / "paul15_subset/paul15_240genes.h5ad";
  RnaCellOptions options;
  options.variable->n_top = 100;
  const auto even = [](const RnaCells& head) {
    Rows rows;
    for (int64_t i = 0; i < head.size(); i += 2) rows.push_back(i);
    return rows;
  };
  const RnaCells paul = read_rna_cells(path, options, even);
  CHECK(paul.size() == 1995);
  CHECK(paul.genes.size() == 100);
  CHECK(paul.classes.size() == 7);
  std::vector<int64_t> count(7);
  for (const int64_t label : paul.labels) ++count[static_cast<size_t>(label)];
  const auto cells_of = [&](const std::string& name) {
    const auto at = std::find(paul.classes.begin(), paul.classes.end(), name);
    REQUIRE(at != paul.classes.end());
    return count[static_cast<size_t>(at - paul.classes.begin())];
  };
  CHECK(cells_of("Erythrocyte") == 825);
  CHECK(cells_of("Neutrophils") == 141);
  const auto values = paul.batch({0, 1994}).to_vector<float>();
  CHECK(*std::min_element(values.begin(), values.end()) >= 0);
  CHECK(*std::max_element(values.begin(), values.end()) <= 1);
  const int threads = num_threads();
  set_num_threads(1);
  CHECK(read_rna_cells(path, options, even).hash == paul.hash);
  set_num_threads(threads);
  CHECK(read_rna_cells(path, options, all_of).hash != paul.hash);

  const std::string pbmc = *data / "pbmc68k_reduced/10x_pbmc68k_reduced.h5ad";
  options.label_column = "bulk_labels";
  CHECK(has(expect_fault<DataError>("rna.values", [&] { read_rna_cells(pbmc, options, all_of); }),
            "negative"));
  options.matrix = "raw/X";
  const RnaCells blood = read_rna_cells(pbmc, options, all_of);
  CHECK(blood.size() == 700);
  CHECK(blood.classes.size() == 10);
  CHECK(has(blood.steps, "input: logarithms"));
}

TEST_CASE("RNA cells: bone marrow of GSE116256 in another order of genes") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  const std::string path = *data / "GSE116256_RAW/GSM3587996_BM1.dem.txt.gz";
  const SingleCells file = read_single_cells(path);
  const auto all = static_cast<int64_t>(file.var.names.size());
  CHECK(all == 27899);
  Texts genes;
  Rows columns;
  for (int64_t g = all - 1; g >= 0; g -= 1000) {
    genes.push_back(file.var.names[static_cast<size_t>(g)]);
    columns.push_back(g);
  }
  const rna::ExpressionScale scale{std::vector<double>(genes.size(), 1), 10, 0, 10};
  const RnaCells cells = read_rna_cells(path, {}, genes, scale);
  CHECK(cells.size() == 108);
  CsrMatrix logs = file.x;
  rna::normalise_total(logs);
  rna::log1p(logs);
  CHECK(dense(cells.x) == dense(rna::columns_of(logs, columns)));
  CHECK(std::set<std::string>(cells.classes.begin(), cells.classes.end()).count("Mono") == 1);
}
