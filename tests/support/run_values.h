#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "cytograd/io/csv.h"

namespace cytograd::test {

/// A column of a run's metrics.csv; NaN where it says n/a.
inline std::vector<double> metrics_column(const std::string& run, const std::string& name) {
  const CsvTable table = read_csv(run + "/metrics.csv");
  std::vector<double> out;
  for (size_t row = 0; row < table.rows(); ++row) {
    const std::string text(table.at(row, table.column(name)));
    out.push_back(text == "n/a" ? std::nan("") : std::stod(text));
  }
  return out;
}

}  // namespace cytograd::test
