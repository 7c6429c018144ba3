#pragma once

#include <string>
#include <vector>

#include "cytograd/data/domains.h"
#include "cytograd/io/image.h"
#include "cytograd/train/report.h"

namespace cytograd {

/// What `cyto domains -o page.html` shows.
struct DomainPage {
  std::string title, subtitle;
  ClassTable counts;
  ReportTable domains;  ///< name, stain, scale, ...
  ReportTable labels;   ///< domain, raw label, class, images
  std::vector<Note> notes;
  /// [class][domain]: a strip of images; an empty one where there is no such image. May be empty.
  std::vector<std::vector<Image>> pictures;
};
/// One self-contained page: no script, nothing loaded from elsewhere.
std::string domain_page_html(const DomainPage& page);
/// Images per class, a bar per domain, on a logarithmic scale.
std::string domain_counts_svg(const ClassTable& counts);

}  // namespace cytograd
