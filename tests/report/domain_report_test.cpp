#include "cytograd/report/domain_report.h"

#include <doctest/doctest.h>

#include "cytograd/core/error.h"
#include "cytograd/report/drift_report.h"

using namespace cytograd;

namespace {

const std::vector<std::string> classes = {"a", "b"};

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

PartScores part_of(const std::string& role, int64_t domain, int64_t right) {
  ScoredCells cells;
  for (int64_t i = 0; i < 10; ++i) cells.add(domain, 0, i < right ? 0 : 1, 0.6);
  return score_part(role, cells, {"north", "so<uth"}, {true, true});
}

std::vector<MethodSummary> methods() {
  std::vector<DomainRun> runs;
  const auto add = [&](const char* method, int64_t fold, int64_t held, int64_t outside) {
    DomainRun r;
    r.cell = r.method = method;
    r.fold = fold;
    r.classes = classes;
    r.domains = {"north", "so<uth"};
    r.unseen = {"so<uth"};
    r.counts = {{5, 0}, {5, 0}};
    r.held = part_of("val", 0, held);
    r.outside = part_of("unseen", 1, outside);
    runs.push_back(r);
  };
  add("erm", 0, 10, 5);
  add("erm", 1, 8, 5);
  add("coral", 0, 9, 7);
  add("boda", 0, 9, 8);
  add("boda", 1, 9, 7);
  return summarise_domains(runs, 2, 1);
}

}  // namespace

TEST_CASE("tables 1 and 2: methods as rows; runs that are missing are told") {
  const auto m = methods();
  CHECK(method_labels(m) == std::vector<std::string>{"ERM", "CORAL", "BoDA"});
  const ReportTable second = domain_table(m, true);
  REQUIRE(second.size() == 4);
  CHECK(second[0][1] == "F1 micro");
  CHECK(second[1][0] == "ERM");
  CHECK(second[1][1] == "0.500 ± 0.000");
  CHECK(second[2][1] == "0.700");  // one run has no deviation
  CHECK(second[3][1] == "0.750 ± 0.050");
  CHECK(worst_table(m, true)[1] ==
        std::vector<std::string>{"ERM", "so<uth", "0.333 ± 0.000", "so<uth, a", "0.500", "20"});
  CHECK(second[2].back() == "1/2");
  CHECK(second[3].back() == "2");
  CHECK(domain_table(m, false)[1][1] == "0.900 ± 0.100");
  const ReportTable by = by_class_table(m, true);
  CHECK(by[2][1] == "n/a");  // no cell of b
  CHECK(by[1].back() == "20");
  CHECK(by_domain_table(m, true)[0] == std::vector<std::string>{"method", "so<uth"});
  CHECK(methods_to_compare(m) == std::vector<size_t>{0, 2});
  CHECK(has(domain_text(m), "Table 2: unseen domains"));
  CHECK(domain_text({}) == "no run is finished\n");
}

TEST_CASE("the page of a protocol shows what files hold as text") {
  DomainReport r;
  r.title = "t";
  r.plan.protocol = "fixed-unseen";
  r.methods = methods();
  const std::string page = domain_report_html(r);
  CHECK(has(page, "so&lt;uth"));
  CHECK_FALSE(has(page, "so<uth"));
  CHECK_FALSE(has(page, "http:"));
  CHECK(has(domain_markdown(r.methods, r.plan), "| ERM | 0.500 ± 0.000 |"));
  const BarChart chart = domain_chart(r.methods);
  CHECK(chart.series.size() == 3);
  CHECK(chart.panels.size() == 2);
  CHECK(has(bar_chart_svg(chart), "CORAL"));
}

TEST_CASE("confusion matrices side by side: shares, counts, rows without a cell") {
  Confusion m(2);
  m.add(0, 0, 3);
  m.add(0, 1, 1);
  const std::string svg = confusion_svg("two", classes, {{"one", m}, {"other", m}});
  CHECK(has(svg, ">75<"));
  CHECK(has(svg, ">25<"));
  CHECK(has(svg, "n/a"));
  CHECK(has(svg, "other"));
  CHECK_THROWS_AS(confusion_svg("x", {"a"}, {{"one", m}}), ShapeError);
}

TEST_CASE("drift as a table: the nearest domain first, and n/a where nothing is known") {
  Drift d;
  d.n = 4;
  d.predicted = {3, 1};
  d.training_share = {0.5, 0.5};
  d.mix_distance = 0.25;
  d.low_share = 0.5;
  DomainDrift near{"near", 10, {0.5, 0.25}, 0.25}, far{"far", 10, {2, 1}, {}};
  d.domains = {far, near};
  d.nearest = 1;
  const ReportTable table = drift_table(d);
  CHECK(table[1][0] == "near");
  CHECK(table[1].back() == "3.0");
  CHECK(table[2].back() == "n/a");
  CHECK(has(drift_sentence(d), "near, 3.0 times as far"));
  CHECK(has(drift_text(d, classes), "50.0 %"));
  CHECK(has(drift_html("t", d, classes), "Predicted classes"));
  CHECK(drift_sentence(Drift{}) == "0 images");
}
