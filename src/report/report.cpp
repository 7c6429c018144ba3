#include "cytograd/train/report.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"

namespace cytograd {
namespace {

const char* const style = R"(
:root{color-scheme:light dark;--bg:#fff;--fg:#1c2430;--soft:#5b6778;--line:#dde2ea;--card:#f6f8fb;--a:#2563c9;--b:#d9662b;--hit:37,99,201}
@media(prefers-color-scheme:dark){:root{--bg:#12161d;--fg:#e6eaf0;--soft:#9aa6b8;--line:#2b3442;--card:#1a212c;--a:#6ea8ff;--b:#ffa066;--hit:110,168,255}}
*{box-sizing:border-box}body{margin:0 auto;max-width:1080px;padding:28px 22px 60px;background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif}
h1{font-size:26px;margin:0}h2{font-size:18px;margin:38px 0 12px}p{color:var(--soft);margin:4px 0 14px}
.facts{display:flex;flex-wrap:wrap;gap:12px;margin-top:20px}.facts div{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:10px 18px}
.facts b{display:block;font-size:24px}.facts span,figcaption{color:var(--soft);font-size:13px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:18px}figure{margin:0}svg{width:100%;height:auto}
svg text{fill:var(--soft);font-size:11px}.grid{stroke:var(--line)}polyline{fill:none;stroke-width:2}
.s0{stroke:var(--a)}.s1{stroke:var(--b)}circle.s0{fill:var(--a)}circle.s1{fill:var(--b)}line.s0,line.s1{stroke-width:3}
.wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:5px 10px;border-bottom:1px solid var(--line);text-align:right;font-weight:400;white-space:nowrap}
th{color:var(--soft);font-size:13px}td:first-child,th:first-child{text-align:left}.confusion td{text-align:center;min-width:44px;border:1px solid var(--bg)}.confusion td:first-child{text-align:left}
.confusion thead th{writing-mode:vertical-rl;transform:rotate(180deg);text-align:left;padding:8px 4px}.confusion thead th:first-child{writing-mode:horizontal-tb;transform:none;vertical-align:bottom}
.cells{display:grid;grid-template-columns:repeat(auto-fill,minmax(128px,1fr));gap:14px}.cells figure{background:var(--card);border:1px solid var(--line);border-radius:8px;overflow:hidden}
.cells img{width:100%;display:block;image-rendering:auto}.cells figcaption{padding:6px 8px;line-height:1.35;overflow-wrap:anywhere}.cells b{color:var(--fg)}
pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px;overflow-x:auto;font-size:12.5px}summary{cursor:pointer;color:var(--soft)}
)";

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

std::string table_html(const ReportTable& rows) {
  std::string out = "<div class=\"wide\"><table>";
  for (size_t r = 0; r < rows.size(); ++r) {
    const char* tag = r == 0 ? "th" : "td";
    out += "<tr>";
    for (const std::string& cell : rows[r])
      out += std::string("<") + tag + ">" + html_text(cell) + "</" + tag + ">";
    out += "</tr>";
  }
  return out + "</table></div>";
}

}  // namespace

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
  std::string out =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>" +
      html_text(r.title) + "</title><style>" + style + "</style></head><body><h1>" +
      html_text(r.title) + "</h1><p>" + html_text(r.subtitle) + "</p><div class=\"facts\">";
  for (const auto& [name, value] : r.facts)
    out += "<div><b>" + html_text(value) + "</b><span>" + html_text(name) + "</span></div>";
  out += "</div>" + charts(r.metrics_csv) + class_table(r) + confusion_table(r);
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
