#pragma once

#include <string>
#include <vector>

#include "cytograd/train/drift.h"
#include "cytograd/train/report.h"

namespace cytograd {

/// Training domains with their distance, the nearest first.
ReportTable drift_table(const Drift& drift);
/// Classes: images, share, share in training.
ReportTable mix_table(const Drift& drift, const std::vector<std::string>& classes);
/// One sentence: how many images, which domain is nearest, how far beyond it.
std::string drift_sentence(const Drift& drift);
/// For a terminal.
std::string drift_text(const Drift& drift, const std::vector<std::string>& classes);
/// One page without script that loads nothing from elsewhere.
std::string drift_html(const std::string& title, const Drift& drift,
                       const std::vector<std::string>& classes);

}  // namespace cytograd
