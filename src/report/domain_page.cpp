#include "cytograd/report/domain_page.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "report/page.h"
#include "report/svg.h"

namespace cytograd {
namespace {

// Okabe and Ito, without the yellow, which white paper swallows.
constexpr std::array<const char*, 7> colors = {"#0072b2", "#e69f00", "#009e73", "#d55e00",
                                               "#cc79a7", "#56b4e9", "#555555"};

int64_t pair_count(const ClassTable& t, size_t c, size_t d) {
  int64_t n = 0;
  for (size_t s = 0; s < t.splits.size(); ++s) n += t.at(c, d, s);
  return n;
}

ReportTable count_rows(const ClassTable& t) {
  ReportTable out(1, {"class"});
  for (const std::string& d : t.domains) out[0].push_back(d);
  out[0].push_back("all");
  for (size_t c = 0; c < t.classes.size(); ++c) {
    out.push_back({t.classes[c]});
    int64_t all = 0;
    for (size_t d = 0; d < t.domains.size(); ++d) {
      const int64_t n = pair_count(t, c, d);
      out.back().push_back(n > 0 ? std::to_string(n) : "–");
      all += n;
    }
    out.back().push_back(std::to_string(all));
  }
  return out;
}

std::string picture_table(const DomainPage& page) {
  std::string out = "<h2>Images</h2><div class=\"wide\"><table><tr><th>class</th>";
  for (const std::string& d : page.counts.domains) out += "<th>" + html_text(d) + "</th>";
  out += "</tr>";
  for (size_t c = 0; c < page.pictures.size(); ++c) {
    out += "<tr><td>" + html_text(page.counts.classes[c]) + "</td>";
    for (size_t d = 0; d < page.pictures[c].size(); ++d) {
      const Image& strip = page.pictures[c][d];
      out += "<td>";
      if (!strip.pixels.empty())
        out += "<img alt=\"" + html_text(page.counts.classes[c] + " of " + page.counts.domains[d]) +
               "\" src=\"data:image/jpeg;base64," + base64(encode_jpeg(strip, 88)) + "\">";
      out += "</td>";
    }
    out += "</tr>";
  }
  return out + "</table></div>";
}

}  // namespace

std::string domain_counts_svg(const ClassTable& t) {
  constexpr double left = 60, top = 40, plot = 220, bar = 14, between = 22, bottom = 96;
  const auto domains = static_cast<double>(t.domains.size());
  const double group = domains * bar + between;
  int64_t most = 10;
  for (size_t c = 0; c < t.classes.size(); ++c)
    for (size_t d = 0; d < t.domains.size(); ++d) most = std::max(most, pair_count(t, c, d));
  const double decades = std::ceil(std::log10(static_cast<double>(most)));
  const auto y = [&](double n) { return top + plot * (1 - std::log10(n) / decades); };
  double legend = left;
  for (const std::string& d : t.domains) legend += svg::text_width(d, 13) + 36;
  const double width = std::max(legend, left + static_cast<double>(t.classes.size()) * group) + 20;
  svg::Picture picture(width, top + plot + bottom, "Images per class and domain");
  for (double decade = 0; decade <= decades; ++decade) {
    const double n = std::pow(10, decade);
    picture.line(left, y(n), width - 10, y(n), svg::rule, 1);
    picture.text(left - 8, y(n) + 4, std::to_string(static_cast<int64_t>(n)), "end", 12);
  }
  double x = left;
  for (size_t d = 0; d < t.domains.size(); ++d) {
    picture.rect(x, 10, 12, 12, colors[d % colors.size()]);
    picture.text(x + 17, 21, t.domains[d]);
    x += svg::text_width(t.domains[d], 13) + 36;
  }
  for (size_t c = 0; c < t.classes.size(); ++c) {
    const double from = left + static_cast<double>(c) * group + between / 2;
    for (size_t d = 0; d < t.domains.size(); ++d) {
      const auto n = static_cast<double>(pair_count(t, c, d));
      const double at = from + static_cast<double>(d) * bar;
      // One image has a height, too; none is a cross on the ground.
      const double high = n > 0 ? std::min(y(n), top + plot - 2) : 0;
      if (n > 0)
        picture.rect(at, high, bar - 2, top + plot - high, colors[d % colors.size()]);
      else
        picture.text(at + bar / 2 - 1, top + plot - 3, "×", "middle", 12);
    }
    const std::string middle = svg::number(from + domains * bar / 2),
                      below = svg::number(top + plot + 14);
    picture.text(from + domains * bar / 2, top + plot + 14, t.classes[c], "end", 12,
                 "transform=\"rotate(-35 " + middle + " " + below + ")\"");
  }
  return picture.finish();
}

std::string domain_page_html(const DomainPage& page) {
  int64_t images = 0;
  for (const int64_t n : page.counts.counts) images += n;
  std::string out = page_begin(page.title, page.subtitle,
                               {{"images", std::to_string(images)},
                                {"classes", std::to_string(page.counts.classes.size())},
                                {"domains", std::to_string(page.counts.domains.size())}});
  out += "<h2>Classes and domains</h2>" + table_html(count_rows(page.counts)) +
         figure_html("images per class and domain", domain_counts_svg(page.counts));
  out += "<h2>Domains</h2>" + table_html(page.domains);
  if (!page.pictures.empty()) out += picture_table(page);
  out += "<h2>Labels</h2>" + table_html(page.labels);
  if (!page.notes.empty()) {
    ReportTable notes(1, {"note", "count", "such as"});
    for (const Note& n : page.notes) {
      std::string examples;
      for (const std::string& e : n.examples) examples += (examples.empty() ? "" : ", ") + e;
      notes.push_back({n.text, std::to_string(n.count), examples});
    }
    out += "<h2>Notes</h2>" + table_html(notes);
  }
  return out + "</body></html>\n";
}

}  // namespace cytograd
