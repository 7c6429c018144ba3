#include "cytograd/io/csv.h"

#include <doctest/doctest.h>

#include <cmath>

#include <string>
#include <vector>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "expect_fault.h"
#include "support/data.h"
#include "support/temp_folder.h"

using namespace cytograd;

namespace {

std::string fault_of(const std::string& text) {
  return expect_fault<DataError>("csv.form", [&] { CsvTable(text, "t.csv"); });
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("csv.form") {
  const CsvTable t(
      "\xEF\xBB\xBF"
      "path,label\r\na.png,\"x, \"\"y\"\"\"\r\n\r\n\"two\nlines\",\nlast,z",
      "t.csv");
  REQUIRE(t.rows() == 3);
  CHECK(t.header() == std::vector<std::string>{"path", "label"});
  CHECK(t.at(0, 0) == "a.png");
  CHECK(t.at(0, 1) == "x, \"y\"");
  CHECK(t.at(1, 0) == "two\nlines");
  CHECK(t.at(1, 1) == "");
  CHECK_FALSE(t.value(1, 1).has_value());
  CHECK(t.at(2, 1) == "z");
  CHECK(t.line(0) == 2);
  CHECK(t.line(1) == 4);
  CHECK(t.line(2) == 6);
  CHECK(t.column("label") == 1);
  CHECK_FALSE(t.find_column("Label").has_value());
  const std::string message = expect_fault<DataError>("csv.form", [&] { t.column("lable"); });
  CHECK(contains(message, "did you mean \"label\"?"));

  CHECK(contains(fault_of("a,b\n1,2,3\n"), "line 2: row of 3 fields; expected 2"));
  CHECK(contains(fault_of("a,b\n1\n"), "line 2"));
  CHECK(contains(fault_of("a,b\n1,\"2\n3,4\n"), "line 2: quote that is never closed"));
  CHECK(contains(fault_of("a\nx\"y\n"), "quote inside an unquoted field"));
  CHECK(contains(fault_of("a\n\"x\"y\n"), "text after a closing quote"));
  CHECK(contains(fault_of("a\rb\r"), "carriage return"));
  CHECK(contains(fault_of(std::string("a\nx\0y\n", 6)), "zero byte"));
  CHECK(contains(fault_of("a,b,a\n"), "appears twice"));
  CHECK(contains(fault_of("\xFF\xFE"
                          "a"),
                 "UTF-16"));
  CHECK(contains(fault_of(""), "no header"));
  CHECK(contains(fault_of("\n\n"), "no header"));
  CHECK(contains(fault_of("a\n" + std::string(max_csv_field_bytes + 1, 'x')), "field of 1048577"));
  CHECK(contains(fault_of(std::string(max_csv_columns + 1, ',')), "fields in a row"));
}

TEST_CASE("csv writes what it reads") {
  TempFolder folder;
  const std::string path = folder / "t.csv";
  const std::vector<std::vector<std::string>> rows = {
      {"plain", "with, comma"}, {"\"quoted\"", "line\r\nbreak"}, {"", " blank "}, {"\xff", "é"}};
  CsvWriter writer(path, std::vector<std::string>{"a", "b"});
  for (const auto& row : rows) writer.row(row);
  CHECK_THROWS_AS(writer.row(std::vector<std::string>{"one"}), ValueError);
  writer.commit();
  const CsvTable t = read_csv(path);
  REQUIRE(t.rows() == rows.size());
  for (size_t i = 0; i < rows.size(); ++i)
    for (size_t j = 0; j < 2; ++j) CHECK(t.at(i, j) == rows[i][j]);
  const CsvTable one(csv_row(std::vector<std::string>{"h"}) + csv_row(std::vector<std::string>{""}),
                     "");
  CHECK(one.rows() == 1);
}

TEST_CASE("csv of the blood cell labels") {
  const auto data = shared_data();
  if (!data) {
    MESSAGE("skipped: no shared data");
    return;
  }
  const CsvTable t = read_csv((*data / "BCCD_subtype_labels/labels.csv").string());
  CHECK(t.rows() == 320);
  CHECK(t.columns() == 3);
  CHECK(t.number(0, t.column("Image")) >= 0);
}

TEST_CASE("locale: numbers as text") {
  CHECK(parse_double("1.5e3") == 1500.0);
  CHECK(parse_double("-0") == 0.0);
  for (const char* bad : {"", " 1", "1 ", "1,5", "0x10", "+1", "1e999", "--1", "1.5f"})
    CHECK_FALSE_MESSAGE(parse_double(bad).has_value(), bad);
  CHECK(parse_int("-12") == -12);
  for (const char* bad : {"", "1.0", "99999999999999999999", "1 "})
    CHECK_FALSE_MESSAGE(parse_int(bad).has_value(), bad);
  CHECK(format_double(0.1) == "0.1");
  CHECK(format_double(std::copysign(std::nan(""), -1.0)) == "nan");
  CHECK(format_double(1e-5) == "1e-05");
  CHECK(format_float(0.1f) == "0.1");
  CHECK(format_fixed(2.0 / 3, 4) == "0.6667");
  CHECK(is_valid_utf8("é€😀"));
  for (const char* bad :
       {"\xff", "\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xc3"})
    CHECK_FALSE(is_valid_utf8(bad));
  CHECK(trim(" \ta b\r\n") == "a b");
}

TEST_CASE("the nearest name is suggested") {
  const std::vector<std::string> names = {"neutrophil", "eosinophil", "basophil", "monocyte"};
  CHECK(nearest_name("neutrofil", names) == "neutrophil");
  CHECK(nearest_name("BASOPHIL", names) == "basophil");
  CHECK(nearest_name("monoctye", names) == "monocyte");
  CHECK(nearest_name("platelet", names) == "");
  CHECK(nearest_name("x", names) == "");
}
