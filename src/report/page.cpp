#include "report/page.h"

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
.picture{margin:14px 0}.picture img{max-width:100%;height:auto;border:1px solid var(--line);border-radius:8px;background:#fff}a{color:var(--a)}
.pair{display:grid;gap:14px}@media(min-width:1300px){.pair{grid-template-columns:1fr 1fr;width:min(95vw,1580px);margin-left:calc(50% - min(47.5vw,790px))}}.cells{display:grid;grid-template-columns:repeat(auto-fill,minmax(128px,1fr));gap:14px}.cells figure{background:var(--card);border:1px solid var(--line);border-radius:8px;overflow:hidden}
.cells img{width:100%;display:block;image-rendering:auto}.cells figcaption{padding:6px 8px;line-height:1.35;overflow-wrap:anywhere}.cells b{color:var(--fg)}
pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:12px;overflow-x:auto;font-size:12.5px}summary{cursor:pointer;color:var(--soft)}
)";

}  // namespace

std::string page_begin(const std::string& title, const std::string& subtitle,
                       const std::vector<std::pair<std::string, std::string>>& facts) {
  std::string out =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>" +
      html_text(title) + "</title><style>" + style + "</style></head><body><h1>" +
      html_text(title) + "</h1><p>" + html_text(subtitle) + "</p><div class=\"facts\">";
  for (const auto& [name, value] : facts)
    out += "<div><b>" + html_text(value) + "</b><span>" + html_text(name) + "</span></div>";
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

std::string markdown_table(const ReportTable& table) {
  std::string out;
  for (size_t r = 0; r < table.size(); ++r) {
    out += "|";
    for (std::string cell : table[r]) {
      for (size_t at = 0; (at = cell.find('|', at)) != std::string::npos; at += 2)
        cell.insert(at, "\\");
      out += " " + cell + " |";
    }
    out += "\n";
    if (r > 0) continue;
    out += "|";
    for (size_t c = 0; c < table[r].size(); ++c) out += " --- |";
    out += "\n";
  }
  return out;
}

std::string figure_html(const std::string& name, const std::string& svg) {
  return "<figure class=\"picture\"><img alt=\"" + html_text(name) +
         "\" src=\"data:image/svg+xml;base64," + base64(svg) + "\"></figure>";
}

}  // namespace cytograd
