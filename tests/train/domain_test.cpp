#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "cytograd/core/error.h"
#include "cytograd/core/random.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/train/domain_scores.h"
#include "cytograd/train/domain_summary.h"
#include "cytograd/train/drift.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

const std::vector<std::string> classes = {"a", "b", "c"};
const std::vector<std::string> names = {"north", "south", "west"};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// north: a 2 of 2 right, b 1 of 2; west: a 0 of 1 (taken for b), no b, c 1 of 1. south: nothing.
PartScores example(const std::vector<bool>& seen = {true, true, true}) {
  ScoredCells cells;
  cells.add(0, 0, 0, 0.9);
  cells.add(0, 0, 0, 0.8);
  cells.add(0, 1, 1, 0.7);
  cells.add(0, 1, 0, 0.6);
  cells.add(2, 0, 1, 0.5);
  cells.add(2, 2, 2, 0.95);
  return score_part("unseen", cells, names, seen);
}

DomainRun run_of(const std::string& cell, int64_t fold, int64_t seed, const std::string& unseen,
                 const PartScores& outside) {
  DomainRun run;
  run.cell = cell;
  run.method = cell;
  run.fold = fold;
  run.seed = seed;
  run.classes = classes;
  run.domains = names;
  run.unseen = {unseen};
  run.counts = {{1, 0, 3}, {1, 0, 0}, {0, 0, 2}};
  run.held = example();
  run.held.role = "val";
  run.outside = outside;
  return run;
}

// One domain with `right` of `n` cells of class a right.
PartScores outside_of(int64_t domain, int64_t right, int64_t n) {
  ScoredCells cells;
  for (int64_t i = 0; i < n; ++i) cells.add(domain, 0, i < right ? 0 : 1, 0.5);
  return score_part("unseen", cells, names, {true, true, true});
}

}  // namespace

// Oracle E2 of domain generalization.
TEST_CASE("domains: F1 macro and micro, mean and deviation over folds") {
  const std::vector<int64_t> truth = {0, 0, 0, 1, 1, 2, 2, 2, 2, 3},
                             guess = {0, 0, 1, 1, 2, 2, 2, 0, 2, 2};
  ScoredCells cells;
  for (size_t i = 0; i < truth.size(); ++i) cells.add(0, truth[i], guess[i], 1);
  const PartScores part = score_part("val", cells, {"x"}, std::vector<bool>(4, true));
  CHECK(*part.pooled.scores.f1_macro == doctest::Approx(0.458333).epsilon(1e-6));
  CHECK(*part.pooled.scores.f1_micro == doctest::Approx(0.6));
  const Spread s = spread_of({.43, .40, .49, .38, .45});
  CHECK(s.mean == doctest::Approx(0.43));
  CHECK(s.population == doctest::Approx(0.038471).epsilon(1e-5));
  CHECK(s.sample == doctest::Approx(0.043012).epsilon(1e-5));
}

TEST_CASE("domains: pooled and by domain; the worst group has its support") {
  const PartScores part = example();
  CHECK(part.pooled.scores.n == 6);
  REQUIRE(part.domains.size() == 2);  // south has no cell
  CHECK(part.domains[1].domain == "west");
  CHECK(*part.domains[0].scores.f1_micro == doctest::Approx(0.75));
  CHECK(*part.domains[0].scores.f1_macro == doctest::Approx((0.8 + 2.0 / 3) / 2));
  // a: 0 of 1 right; b: predicted, not there, so 0; c: right.
  CHECK(*part.domains[1].scores.f1_macro == doctest::Approx(1.0 / 3));
  CHECK(part.worst_domain == 1);
  REQUIRE(part.worst);
  CHECK(part.worst->domain == 1);
  CHECK(part.worst->label == 0);
  CHECK(part.worst->recall == 0);
  CHECK(part.worst->support == 1);
  CHECK_FALSE(part.domains[1].scores.per_class[1].recall);
  CHECK(*part.domains[1].ece() == doctest::Approx((0.5 + 0.05) / 2));
}

TEST_CASE("domains: classes that training lacked count 0 by themselves") {
  const PartScores part = example({true, true, false});
  CHECK(part.pooled.seen.classes == 2);
  CHECK(part.pooled.seen.n == 5);
  CHECK(part.pooled.missing.classes == 1);
  CHECK(*part.pooled.missing.f1_macro == 1);  // the example's network does know it
  CHECK(*part.pooled.seen.accuracy == doctest::Approx(3.0 / 5));
  const PartScores all = example();
  CHECK(all.pooled.missing.classes == 0);
  CHECK_FALSE(all.pooled.missing.f1_macro);
}

TEST_CASE("domains: what cannot be said is null or an empty field, never 0 or NaN") {
  const PartScores part = example();
  const auto json = nlohmann::json::parse(part_json(part, classes));
  const auto& west = json["domains"][1];
  CHECK(west["domain"] == "west");
  CHECK(west["per_class"]["b"]["recall"].is_null());
  CHECK(west["confusion_share"][1].is_null());
  CHECK(west["confusion_share"][0][1] == 1.0);
  CHECK(json["worst_group"]["class"] == "a");
  CHECK(json["worst_group"]["support"] == 1);
  CHECK_FALSE(has(json.dump(), "nan"));
  const CsvTable table(parts_csv({part}, classes), "domains.csv");
  CHECK(table.rows() == 3 * 4);
  const size_t f1 = table.column("f1"), recall = table.column("recall"),
               label = table.column("class"), domain = table.column("domain");
  int64_t blank = 0;
  for (size_t r = 0; r < table.rows(); ++r)
    if (table.at(r, domain) == "west" && table.at(r, label) == "b") {
      ++blank;
      CHECK(table.at(r, f1) == "");
      CHECK(table.at(r, recall) == "");
    }
  CHECK(blank == 1);
  CHECK(confusion_csv(part.domains[1].confusion, classes, true) ==
        "truth,a,b,c\na,0,1,0\nb,,,\nc,0,0,1\n");
  CHECK(confusion_csv(part.pooled.confusion, classes, false) ==
        "truth,a,b,c\na,2,1,0\nb,1,1,0\nc,0,0,1\n");
  const PartScores none = score_part("unseen", {}, names, {true, true, true});
  CHECK(nlohmann::json::parse(part_json(none, classes))["worst_domain"].is_null());
  CHECK(nlohmann::json::parse(part_json(none, classes))["pooled"]["ece"].is_null());
}

TEST_CASE("domains: runs add up, and come back from their file") {
  const PartScores part = example();
  const DomainScore twice = sum_of(part.pooled, part.pooled, {true, true, true});
  CHECK(twice.confusion.total() == 12);
  CHECK(*twice.scores.f1_macro == doctest::Approx(*part.pooled.scores.f1_macro));
  CHECK(*twice.ece() == doctest::Approx(*part.pooled.ece()));
  const TempFolder folder;
  const DomainRun run = run_of("ce", 2, 7, "west", part);
  write_file_atomically(folder / "domains.json", domain_run_json(run));
  const DomainRun back = read_domain_run(folder / "domains.json", "ce");
  CHECK(domain_run_json(back) == domain_run_json(run));
  CHECK(back.counts == run.counts);
  CHECK(back.seen() == std::vector<bool>{true, true, true});
  for (const char* bad : {"{}", "[1]", "{\"method\":\"ce\"}"}) {
    write_file_atomically(folder / "bad.json", bad);
    CHECK_THROWS_AS(read_domain_run(folder / "bad.json", "ce"), DataError);
  }
}

TEST_CASE("domains: mean over left-out domains, spread over seeds, minimum for the worst") {
  std::vector<DomainRun> runs;
  // Seed 0: west 8 of 10, south 4 of 10; seed 1: west 10 of 10, south 6 of 10.
  runs.push_back(run_of("ce", 0, 0, "west", outside_of(2, 8, 10)));
  runs.push_back(run_of("ce", 0, 0, "south", outside_of(1, 4, 10)));
  runs.push_back(run_of("ce", 0, 1, "west", outside_of(2, 10, 10)));
  runs.push_back(run_of("ce", 0, 1, "south", outside_of(1, 6, 10)));
  // The third seed lacks a domain: it says nothing about the mean.
  runs.push_back(run_of("ce", 0, 2, "west", outside_of(2, 1, 10)));
  const auto methods = summarise_domains(runs, 6, 2);
  REQUIRE(methods.size() == 1);
  const PartSummary& p = *methods[0].outside;
  CHECK(methods[0].replicates == 2);
  CHECK(methods[0].runs == 5);
  CHECK(p.f1_micro.count == 2);
  CHECK(p.f1_micro.mean == doctest::Approx(0.7));
  CHECK(p.f1_micro.population == doctest::Approx(0.1));
  CHECK(p.worst_group.mean == doctest::Approx(0.5));
  CHECK(p.domains.at("south").count == 2);
  CHECK(p.domains.at("west").count == 3);
  CHECK(p.lowest_domain == "south");
  CHECK(p.domain_sums[static_cast<size_t>(p.worst->domain)].domain == "south");
  CHECK(p.worst->support == 20);
  CHECK(p.per_class[1].count == 0);  // no cell of b was ever scored
  CHECK(p.sum.confusion.at(0, 0) == 29);
  const auto json = nlohmann::json::parse(domain_summary_json(methods, "leave-one-domain-out"));
  CHECK(json["methods"][0]["unseen"]["per_class_f1"]["b"].is_null());
  CHECK(json["methods"][0]["unseen"]["f1_micro"]["sd"].get<double>() == doctest::Approx(0.1));
  CHECK(json["methods"][0]["unseen"]["f1_micro"]["sd_sample"].get<double>() ==
        doctest::Approx(0.141421).epsilon(1e-5));
  CHECK(has(domain_summary_csv(methods), "unseen,ce,ce,,b,f1,,,,0\n"));
}

// Oracle C1 of domain generalization.
TEST_CASE("drift: distance of means and covariances") {
  const std::vector<double> z = {1, 2, 3, 0, 2, 1}, other = {0, 1, 2, 5};
  const MomentDistance d = moment_distance(z, other, 2);
  CHECK(d.mean == doctest::Approx(2.5));
  CHECK(d.covariance == doctest::Approx(25));
  CHECK(moment_distance(other, z, 2).sum() == doctest::Approx(27.5));
  CHECK(moment_distance(z, z, 2).sum() == doctest::Approx(0));
  CHECK(std::isnan(moment_distance(z, {1, 2}, 2).covariance));
  CHECK(moment_distance(z, {1, 2}, 2).mean == doctest::Approx(1));
  CHECK_THROWS_AS(moment_distance(z, {1, 2, 3}, 2), ShapeError);
}

namespace {

constexpr int64_t width = 8;

void add_rows(std::vector<float>& to, int64_t n, double shift, uint64_t seed) {
  Rng rng(seed, "rows");
  for (int64_t i = 0; i < n * width; ++i) to.push_back(static_cast<float>(rng.normal() + shift));
}

DriftReference reference() {
  DriftReference r;
  r.classes = classes;
  r.domains = {"north", "south"};
  r.width = width;
  r.counts = {{50, 0}, {30, 20}, {0, 0}};
  uint64_t seed = 0;
  for (const int64_t d : {0, 1})
    for (const uint8_t held : {uint8_t{0}, uint8_t{1}}) {
      add_rows(r.features, 100, static_cast<double>(d) * 2, ++seed);
      for (int i = 0; i < 100; ++i) {
        r.domain.push_back(d);
        r.held.push_back(held);
        r.confidence.push_back(i % 2 ? 0.9 : 0.7);
      }
    }
  return r;
}

Predictions images(int64_t n, double shift, uint64_t seed) {
  Predictions p;
  p.classes = 3;
  p.width = width;
  add_rows(p.embeddings, n, shift, seed);
  for (int64_t i = 0; i < n; ++i) {
    p.indices.push_back(i);
    p.labels.push_back(0);
    p.predicted.push_back(1);
    const bool low = i % 4 == 0;
    p.probabilities.insert(p.probabilities.end(), {0.2, low ? 0.45 : 0.8, 0.0});
  }
  return p;
}

}  // namespace

TEST_CASE("drift: nearest domain, what no drift looks like, confidence, mix of classes") {
  const DriftReference r = reference();
  const Drift same = measure_drift(r, images(40, 2, 77));
  REQUIRE(same.nearest == 1);
  CHECK(*same.domains[1].ratio() > 0.5);
  CHECK(*same.domains[1].ratio() < 2);
  CHECK(*same.domains[0].ratio() > 5);
  CHECK(*same.low_share == doctest::Approx(0.25));
  CHECK(*same.low_share_held == 0);
  CHECK(*same.mean_confidence_held == doctest::Approx(0.8));
  CHECK(same.predicted == std::vector<int64_t>{0, 40, 0});
  CHECK(*same.mix_distance == doctest::Approx(0.5));
  const Drift far = measure_drift(r, images(40, 6, 78));
  CHECK(far.nearest == 1);
  CHECK(*far.domains[1].ratio() > 10);
  // Few images are farther by chance, and so are few held-back cells.
  const Drift few = measure_drift(r, images(5, 2, 79));
  CHECK(*few.domains[1].ratio() < 3);
  const Drift one = measure_drift(r, images(1, 2, 80));
  CHECK(one.nearest == 1);
  CHECK_FALSE(one.domains[1].ratio());
  const auto json = nlohmann::json::parse(drift_json(one, classes));
  CHECK(json["domains"][0]["distance"].is_null());
  CHECK(json["nearest_domain"] == "south");
  CHECK(json["classes"]["c"]["training_share"] == 0.0);
  const Drift none = measure_drift(r, {});
  CHECK(none.nearest == -1);
  CHECK(nlohmann::json::parse(drift_json(none, classes))["mix_distance"].is_null());
  Predictions wrong = images(3, 0, 1);
  wrong.classes = 2;
  CHECK_THROWS_AS(measure_drift(r, wrong), ShapeError);
}

TEST_CASE("drift: the reference keeps to its file, and a damaged one is refused") {
  const TempFolder folder;
  const DriftReference r = reference();
  write_drift_reference(folder / "d.safetensors", r);
  const DriftReference back = read_drift_reference(folder / "d.safetensors");
  CHECK(back.features == r.features);
  CHECK(back.counts == r.counts);
  CHECK(back.held == r.held);
  CHECK(back.domains == r.domains);
  std::string bytes = read_file(folder / "d.safetensors");
  bytes[bytes.size() - 9] ^= 1;
  write_file_atomically(folder / "bad.safetensors", bytes);
  CHECK_THROWS_AS(read_drift_reference(folder / "bad.safetensors"), DataError);
  write_safetensors(folder / "other.safetensors", {{"x", Tensor::zeros({2})}});
  CHECK_THROWS_AS(read_drift_reference(folder / "other.safetensors"), DataError);
}
