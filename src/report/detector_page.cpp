#include "cytograd/report/detector_page.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "report/page.h"
#include "report/svg.h"

namespace cytograd {
namespace {

using detection::FoundObject;

// Okabe and Ito, without the yellow, which white paper swallows.
constexpr std::array<const char*, 7> colors = {"#0072b2", "#e69f00", "#009e73", "#d55e00",
                                               "#cc79a7", "#56b4e9", "#555555"};

detection::Box whole_of(const Field& field) {
  return {0, 0, static_cast<float>(field.width), static_cast<float>(field.height)};
}

double overlap_of(const FieldObject& object, const FoundObject& found,
                  const detection::Box& whole) {
  if (object.mask.empty() || found.mask.empty())
    return static_cast<double>(detection::overlap(object.box, found.box));
  const auto both = static_cast<double>(detection::intersection(object.mask, found.mask, whole));
  return both /
         (static_cast<double>(detection::area(object.mask) + detection::area(found.mask)) - both);
}

// The share of a finding's box that lies in a group.
float share_inside(const FoundObject& found, const FieldObject& group) {
  const float w = std::min(found.box.x2, group.box.x2) - std::max(found.box.x1, group.box.x1),
              h = std::min(found.box.y2, group.box.y2) - std::max(found.box.y1, group.box.y1);
  return w > 0 && h > 0 ? w * h / found.box.area() : 0;
}

bool in_group(const FoundObject& found, const Field& field) {
  return std::any_of(field.objects.begin(), field.objects.end(), [&found](const FieldObject& o) {
    return o.crowd && o.label + 1 == found.label && share_inside(found, o) >= 0.5f;
  });
}

}  // namespace

double FieldJudgement::share() const {
  const auto all = static_cast<double>(missed.size() + alarms.size()) + static_cast<double>(hits);
  return all > 0 ? static_cast<double>(hits) / all : 1;
}

FieldJudgement judge_field(const Field& field, const std::vector<FoundObject>& found, float least) {
  std::vector<size_t> order;
  for (size_t i = 0; i < found.size(); ++i)
    if (found[i].score >= least) order.push_back(i);
  std::stable_sort(order.begin(), order.end(),
                   [&found](size_t a, size_t b) { return found[a].score > found[b].score; });
  FieldJudgement out;
  std::vector<bool> taken(field.objects.size(), false);
  for (const size_t i : order) {
    size_t match = field.objects.size();
    double best = 0.5;
    for (size_t k = 0; k < field.objects.size(); ++k) {
      const FieldObject& object = field.objects[k];
      if (object.crowd || taken[k] || object.label + 1 != found[i].label) continue;
      const double overlap = overlap_of(object, found[i], whole_of(field));
      if (overlap < best) continue;
      best = overlap;
      match = k;
    }
    if (match < field.objects.size()) {
      taken[match] = true;
      ++out.hits;
    } else if (!in_group(found[i], field)) {
      out.alarms.push_back(i);
    }
  }
  for (size_t k = 0; k < field.objects.size(); ++k)
    if (!taken[k] && !field.objects[k].crowd) out.missed.push_back(k);
  return out;
}

namespace {

constexpr double side = 260, left = 54, gap = 60, top = 62;

// A frame of axes from 0 to 1 with the curves of all classes.
void draw_curves(svg::Picture& picture, double x0, const std::string& name,
                 const std::vector<std::string>& classes, const detection::CocoReport& report) {
  const auto x = [x0](double v) { return x0 + side * v; };
  const auto y = [](double v) { return top + side * (1 - v); };
  picture.rect(x0, top, side, side, "none", "stroke=\"#999999\"");
  for (const double v : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    picture.line(x(0), y(v), x(1), y(v), svg::rule, 1);
    picture.text(x(0) - 7, y(v) + 4, svg::tick_text(v, 0.25), "end", 12);
    picture.text(x(v), y(0) + 17, svg::tick_text(v, 0.25), "middle", 12);
  }
  picture.text(x(0.5), top - 10, name, "middle", 13, "font-weight=\"bold\"");
  picture.text(x(0.5), y(0) + 36, "recall", "middle");
  double below = y(0) + 58;
  for (size_t c = 0; c < classes.size(); ++c) {
    const auto scores = report.categories.find(static_cast<int64_t>(c) + 1);
    const char* color = colors[c % colors.size()];
    const bool known = scores != report.categories.end() && scores->second.ap50 >= 0;
    picture.line(x(0), below - 4, x(0) + 22, below - 4, color, 3);
    picture.text(x(0) + 28, below,
                 classes[c] + (known ? ", AP50 " + format_fixed(scores->second.ap50, 3)
                                     : std::string(", none annotated")));
    below += 20;
    if (!known) continue;
    std::string points;
    const std::vector<double>& precision = scores->second.precision50;
    for (size_t k = 0; k < precision.size(); ++k)
      points +=
          svg::number(x(static_cast<double>(k) / 100)) + "," + svg::number(y(precision[k])) + " ";
    picture.add("<polyline fill=\"none\" stroke-width=\"2.4\" stroke=\"" + std::string(color) +
                "\" points=\"" + points + "\"/>");
  }
}

std::string fixed_or_none(double value) { return value >= 0 ? format_fixed(value, 3) : "n/a"; }

ReportTable class_rows(const DetectorScores& s, const std::vector<std::string>& classes) {
  ReportTable out(1,
                  {"class", "box AP", "AP50", "AP75", "AR100", "mask AP", "AP50", "AP75", "IoU"});
  const auto row = [&out](const std::string& name, const detection::CocoScores& box,
                          const detection::CocoScores& mask, double iou) {
    out.push_back({name, fixed_or_none(box.ap), fixed_or_none(box.ap50), fixed_or_none(box.ap75),
                   fixed_or_none(box.ar100), fixed_or_none(mask.ap), fixed_or_none(mask.ap50),
                   fixed_or_none(mask.ap75), fixed_or_none(iou)});
  };
  const auto of = [](const detection::CocoReport& report, int64_t label) {
    const auto at = report.categories.find(label);
    return at == report.categories.end() ? detection::CocoScores{} : at->second;
  };
  for (size_t c = 0; c < classes.size(); ++c) {
    const auto label = static_cast<int64_t>(c) + 1;
    const auto iou = s.class_iou.find(label);
    row(classes[c], of(s.box, label), s.mask ? of(*s.mask, label) : detection::CocoScores{},
        iou == s.class_iou.end() ? -1 : iou->second);
  }
  row("all", s.box.all, s.mask ? s.mask->all : detection::CocoScores{}, s.mean_iou);
  return out;
}

std::string pictures(const std::string& heading, const std::vector<PageField>& fields) {
  if (fields.empty()) return {};
  std::string out = "<h2>" + html_text(heading) + "</h2><div class=\"pair\">";
  for (const PageField& f : fields)
    out += "<figure class=\"picture\"><img alt=\"" + html_text(f.name) +
           "\" src=\"data:image/jpeg;base64," + base64(encode_jpeg(f.picture, 88)) +
           "\"><figcaption>" + html_text(f.name) + ": " + std::to_string(f.judgement.hits) +
           " found, " + std::to_string(f.judgement.missed.size()) + " missed, " +
           std::to_string(f.judgement.alarms.size()) + " false alarms</figcaption></figure>";
  return out + "</div>";
}

}  // namespace

std::string precision_recall_svg(const DetectorScores& scores,
                                 const std::vector<std::string>& classes) {
  const double panels = scores.mask ? 2 : 1;
  svg::Picture picture(left + panels * side + (panels - 1) * gap + 24,
                       top + side + 62 + 20 * static_cast<double>(classes.size()),
                       "Precision by recall at an overlap of 0.5");
  picture.text(12, 26, "Precision by recall at an overlap of 0.5", "start", 15,
               "font-weight=\"bold\"");
  draw_curves(picture, left, "boxes", classes, scores.box);
  if (scores.mask) draw_curves(picture, left + side + gap, "masks", classes, *scores.mask);
  return picture.finish();
}

std::string detector_page_html(const DetectorPage& page) {
  const DetectorScores& s = page.scores;
  std::string out = page_begin(page.title, page.subtitle,
                               {{"fields", std::to_string(s.fields)},
                                {"objects", std::to_string(s.objects)},
                                {"box AP50", fixed_or_none(s.box.all.ap50)},
                                {"mask AP50", fixed_or_none(s.mask ? s.mask->all.ap50 : -1)},
                                {"mean overlap of masks", fixed_or_none(s.mean_iou)}});
  out += "<h2>Classes</h2>" + table_html(class_rows(s, page.classes)) +
         figure_html("precision by recall", precision_recall_svg(s, page.classes));
  out += pictures("Fields with most misses and false alarms", page.worst);
  out += pictures("Fields with fewest", page.best);
  if (!page.worst.empty() || !page.best.empty())
    out +=
        "<p>Outlines: what was found, with a score of at least 0.5. Violet frames with gaps: "
        "annotated and missed. Yellow frames: found and not annotated.</p>";
  return out + "</body></html>\n";
}

}  // namespace cytograd
