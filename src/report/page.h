#pragma once

#include <string>
#include <utility>
#include <vector>

#include "cytograd/train/report.h"

/// @file
/// What the pages of reports are made of.

namespace cytograd {

/// From the doctype to the large figures at the top; `</body></html>` is left to the caller.
std::string page_begin(const std::string& title, const std::string& subtitle,
                       const std::vector<std::pair<std::string, std::string>>& facts);
std::string table_html(const ReportTable& rows);
/// The same as Markdown; bars in cells are escaped.
std::string markdown_table(const ReportTable& table);
/// A picture that keeps its own colours and fonts. @param name for readers who cannot see it
std::string figure_html(const std::string& name, const std::string& svg);

}  // namespace cytograd
