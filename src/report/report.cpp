#include "cytograd/train/report.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"
#include "report/page.h"

namespace cytograd {
namespace {

// Columns of metrics.csv by name; "n/a" becomes a gap.
std::vector<double> column(const CsvTable& table, const char* name) {
  std::vector<double> out;
  const auto c = table.find_column(name);
  for (size_t r = 0; c && r < table.rows(); ++r)
    out.push_back(parse_double(table.at(r, *c)).value_or(std::numeric_limits<double>::quiet_NaN()));
  return out;
}

std::string charts(const std::string& metrics_csv) {
  if (metrics_csv.empty()) return "";
  const CsvTable table(metrics_csv, "metrics.csv");
  return "<h2>Training</h2><div class=\"charts\">" +
         line_chart_svg("Loss", {{"training", column(table, "loss")},
                                 {"validation", column(table, "val_loss")}}) +
         line_chart_svg("Accuracy and macro-F1",
                        {{"training accuracy", column(table, "train_accuracy")},
                         {"validation macro-F1", column(table, "val_f1_macro")}}) +
         "</div>";
}

std::string class_table(const Report& r) {
  std::string out =
      "<h2>Classes</h2><div class=\"wide\"><table><thead><tr><th>class</th><th>images</th>"
      "<th>precision</th><th>recall</th><th>F1</th></tr></thead><tbody>";
  for (size_t c = 0; c < r.classes.size(); ++c) {
    const ClassScore& s = r.scores.per_class[c];
    out += "<tr><td>" + html_text(r.classes[c]) + "</td><td>" + std::to_string(s.support) +
           "</td><td>" + score_text(s.precision, 3) + "</td><td>" + score_text(s.recall, 3) +
           "</td><td>" + score_text(s.f1, 3) + "</td></tr>";
  }
  return out + "</tbody></table></div>";
}

std::string confusion_table(const Report& r) {
  std::string out =
      "<h2>Confusion</h2><p>Rows are the truth, columns the prediction; shade is the share of the "
      "row.</p><div class=\"wide\"><table class=\"confusion\"><thead><tr><th>truth</th>";
  for (const std::string& name : r.classes) out += "<th>" + html_text(name) + "</th>";
  out += "</tr></thead><tbody>";
  const int64_t n = r.confusion.classes();
  for (int64_t t = 0; t < n; ++t) {
    out += "<tr><td>" + html_text(r.classes[static_cast<size_t>(t)]) + "</td>";
    const double total = static_cast<double>(std::max<int64_t>(1, r.confusion.truth_count(t)));
    for (int64_t p = 0; p < n; ++p) {
      const int64_t count = r.confusion.at(t, p);
      const double share = static_cast<double>(count) / total;
      out += "<td style=\"background:rgba(var(--hit)," + format_fixed(0.75 * share, 3) + ")\">" +
             (count ? std::to_string(count) : "") + "</td>";
    }
    out += "</tr>";
  }
  return out + "</tbody></table></div>";
}

std::string gallery(const char* title, const char* text, const std::vector<ReportImage>& images) {
  if (images.empty()) return "";
  std::string out = std::string("<h2>") + title + "</h2><p>" + text + "</p><div class=\"cells\">";
  for (const ReportImage& i : images)
    out += "<figure><img alt=\"" + html_text(i.name) + "\" src=\"data:image/jpeg;base64," +
           base64(encode_jpeg(i.picture, 85)) + "\"><figcaption><b>" + html_text(i.predicted) +
           "</b> " + format_fixed(100 * i.confidence, 0) + "&nbsp;%<br>truth " +
           html_text(i.truth) + "<br>" + html_text(i.name) + "</figcaption></figure>";
  return out + "</div>";
}

}  // namespace

std::string aligned(const ReportTable& table) {
  // Letters, not bytes: "±" is one.
  const auto letters = [](const std::string& text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
    }));
  };
  std::vector<size_t> width;
  for (const auto& row : table)
    for (size_t i = 0; i < row.size(); ++i) {
      if (i == width.size()) width.push_back(0);
      width[i] = std::max(width[i], letters(row[i]));
    }
  std::string out;
  for (const auto& row : table) {
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string pad(width[i] - letters(row[i]), ' ');
      out += i == 0 ? row[i] + pad : "  " + pad + row[i];
    }
    out += "\n";
  }
  return out;
}

std::string html_text(const std::string& text) {
  std::string out;
  for (const char c : escape_control(text)) switch (c) {
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '&':
        out += "&amp;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  return out;
}

std::string report_html(const Report& r) {
  // Line by line, so that the line ends of a file survive the escaping of control characters.
  const auto block = [](const std::string& text) {
    std::string out;
    for (size_t begin = 0; begin < text.size();) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      out += html_text(text.substr(begin, end - begin)) + "\n";
      begin = end + 1;
    }
    return out;
  };
  std::string out = page_begin(r.title, r.subtitle, r.facts) + charts(r.metrics_csv) +
                    class_table(r) + confusion_table(r);
  if (r.domains.size() > 1)
    out +=
        "<h2>Domains</h2><p>Each domain by itself; the lowest recall with its class and the "
        "number of its images there.</p>" +
        table_html(r.domains);
  if (!r.reliability.empty())
    out +=
        "<h2>Confidence</h2><p>How often predictions of a confidence are right. On the dashed "
        "line they are as often right as they say; below, how many cells each bin has.</p>" +
        figure_html("Reliability of the confidences",
                    reliability_svg("Reliability, " + r.role, r.reliability));
  out += gallery("Confident and wrong", "The model was surest about these mistakes.", r.worst);
  out += gallery("Confident and right", "One image of each class that the model was surest about.",
                 r.best);
  out += "<h2>Data</h2>" + table_html(r.data);
  out += "<h2>Run</h2><details><summary>Environment</summary><pre>" + block(r.environment) +
         "</pre></details><details><summary>Settings (config.toml)</summary><pre>" +
         block(r.config) + "</pre></details></body></html>\n";
  return out;
}

}  // namespace cytograd
