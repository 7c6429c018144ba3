#include "cytograd/detection/coco_eval.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

#include "cytograd/core/error.h"

namespace cytograd::detection {
namespace {

constexpr size_t kThresholds = 10, kRecalls = 101, kAreas = 4, kLimits = 3, kMost = 100;
constexpr std::array<size_t, kLimits> kCounts{1, 10, kMost};

struct AreaRange {
  double low, high;
  bool contains(double area) const { return !(area < low || area > high); }
};
constexpr std::array<AreaRange, kAreas> kRanges{
    {{0, 1e10}, {0, 32. * 32}, {32. * 32, 96. * 96}, {96. * 96, 1e10}}};

// As numpy's linspace makes them: overlaps equal to a threshold must compare as elsewhere.
double threshold(size_t k) {
  constexpr double step = (0.95 - 0.5) / (kThresholds - 1);
  return k + 1 == kThresholds ? 0.95 : static_cast<double>(k) * step + 0.5;
}
double recall_point(size_t k) {
  return k + 1 == kRecalls ? 1 : static_cast<double>(k) * (1. / (kRecalls - 1));
}

double box_overlap(const CocoBox& d, const CocoBox& g, bool crowd) {
  const double w = std::min(d.x + d.w, g.x + g.w) - std::max(d.x, g.x),
               h = std::min(d.y + d.h, g.y + g.h) - std::max(d.y, g.y);
  if (!(w > 0 && h > 0)) return 0;
  const double both = w * h;
  return both / (crowd ? d.w * d.h : d.w * d.h + g.w * g.h - both);
}

double mask_overlap(const Rle& d, const Rle& g, bool crowd) {
  const auto both = static_cast<double>(intersection(d, g));
  if (both == 0) return 0;
  const auto of_d = static_cast<double>(area(d));
  return both / (crowd ? of_d : of_d + static_cast<double>(area(g)) - both);
}

// Objects and the best detections of one category in one image.
struct Case {
  std::vector<const CocoObject*> objects;
  std::vector<const CocoResult*> results;     // falling score, at most kMost
  std::vector<double> areas;                  // of the results
  std::vector<std::vector<double>> overlaps;  // [result][object]
};

Case make_case(const CocoImage& image, int64_t category, CocoKind kind) {
  Case out;
  for (const CocoObject& object : image.objects)
    if (object.category == category) out.objects.push_back(&object);
  for (const CocoResult& result : image.results)
    if (result.category == category) out.results.push_back(&result);
  std::stable_sort(out.results.begin(), out.results.end(),
                   [](const auto* a, const auto* b) { return a->score > b->score; });
  if (out.results.size() > kMost) out.results.resize(kMost);
  for (const CocoResult* d : out.results) {
    out.areas.push_back(kind == CocoKind::box ? d->box.w * d->box.h
                                              : static_cast<double>(area(d->mask)));
    std::vector<double>& row = out.overlaps.emplace_back();
    for (const CocoObject* g : out.objects)
      row.push_back(kind == CocoKind::box ? box_overlap(d->box, g->box, g->crowd)
                                          : mask_overlap(d->mask, g->mask, g->crowd));
  }
  return out;
}

enum class Verdict : uint8_t { hit, miss, ignored };

// What becomes of the detections of one image at one range of areas.
struct Judged {
  std::vector<std::array<Verdict, kThresholds>> results;
  int64_t objects = 0;  // that count
};

Judged judge(const Case& c, const AreaRange& range) {
  Judged out;
  out.results.resize(c.results.size());
  std::vector<uint8_t> ignored(c.objects.size());
  for (size_t g = 0; g < c.objects.size(); ++g)
    ignored[g] = c.objects[g]->crowd || !range.contains(c.objects[g]->area);
  out.objects = std::count(ignored.begin(), ignored.end(), uint8_t{0});
  std::vector<size_t> order(c.objects.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return ignored[a] < ignored[b]; });
  for (size_t t = 0; t < kThresholds; ++t) {
    std::vector<uint8_t> used(c.objects.size(), 0);
    for (size_t d = 0; d < c.results.size(); ++d) {
      double best = std::min(threshold(t), 1 - 1e-10);
      size_t match = c.objects.size();  // none
      for (const size_t g : order) {
        if (used[g] && !c.objects[g]->crowd) continue;
        if (match < c.objects.size() && !ignored[match] && ignored[g]) break;
        if (c.overlaps[d][g] < best) continue;
        best = c.overlaps[d][g];
        match = g;
      }
      Verdict& verdict = out.results[d][t];
      if (match == c.objects.size()) {
        verdict = range.contains(c.areas[d]) ? Verdict::miss : Verdict::ignored;
      } else {
        verdict = ignored[match] ? Verdict::ignored : Verdict::hit;
        used[match] = 1;
      }
    }
  }
  return out;
}

struct Curve {
  std::vector<double> precision = std::vector<double>(kRecalls, 0.);
  double recall = 0;
};

// One threshold over all images: verdicts in order of falling score.
Curve curve_of(const std::vector<Verdict>& verdicts, int64_t objects) {
  Curve out;
  std::vector<double> precision, recall;
  double hits = 0, misses = 0;
  for (const Verdict v : verdicts) {
    hits += v == Verdict::hit ? 1 : 0;
    misses += v == Verdict::miss ? 1 : 0;
    recall.push_back(hits / static_cast<double>(objects));
    precision.push_back(hits / (hits + misses + std::numeric_limits<double>::epsilon()));
  }
  if (recall.empty()) return out;
  out.recall = recall.back();
  for (size_t i = precision.size() - 1; i > 0; --i)
    precision[i - 1] = std::max(precision[i - 1], precision[i]);
  for (size_t k = 0; k < kRecalls; ++k) {
    const auto at = std::lower_bound(recall.begin(), recall.end(), recall_point(k));
    if (at != recall.end()) out.precision[k] = precision[static_cast<size_t>(at - recall.begin())];
  }
  return out;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.) / static_cast<double>(values.size());
}

// Curves [threshold] for one range and limit; none if there is no object.
std::vector<Curve> curves_of(const std::vector<Case>& cases, const std::vector<Judged>& judged,
                             size_t limit) {
  struct Entry {
    double score;
    const std::array<Verdict, kThresholds>* verdicts;
  };
  std::vector<Entry> entries;
  int64_t objects = 0;
  for (size_t n = 0; n < cases.size(); ++n) {
    objects += judged[n].objects;
    for (size_t d = 0; d < std::min(limit, cases[n].results.size()); ++d)
      entries.push_back({cases[n].results[d]->score, &judged[n].results[d]});
  }
  if (objects == 0) return {};
  std::stable_sort(entries.begin(), entries.end(),
                   [](const Entry& a, const Entry& b) { return a.score > b.score; });
  std::vector<Curve> out;
  for (size_t t = 0; t < kThresholds; ++t) {
    std::vector<Verdict> verdicts;
    for (const Entry& entry : entries) verdicts.push_back((*entry.verdicts)[t]);
    out.push_back(curve_of(verdicts, objects));
  }
  return out;
}

double mean_precision(const std::vector<Curve>& curves) {
  if (curves.empty()) return -1;
  double sum = 0;
  for (const Curve& curve : curves) sum += mean(curve.precision);
  return sum / static_cast<double>(curves.size());
}
double mean_recall(const std::vector<Curve>& curves) {
  if (curves.empty()) return -1;
  double sum = 0;
  for (const Curve& curve : curves) sum += curve.recall;
  return sum / static_cast<double>(curves.size());
}

CocoScores score(const std::vector<CocoImage>& images, int64_t category, CocoKind kind) {
  std::vector<Case> cases;
  for (const CocoImage& image : images) cases.push_back(make_case(image, category, kind));
  CocoScores out;
  const std::array<double*, kAreas> ap{&out.ap, &out.ap_small, &out.ap_medium, &out.ap_large},
      ar{&out.ar100, &out.ar_small, &out.ar_medium, &out.ar_large};
  for (size_t a = 0; a < kAreas; ++a) {
    std::vector<Judged> judged;
    for (const Case& c : cases) judged.push_back(judge(c, kRanges[a]));
    const std::vector<Curve> curves = curves_of(cases, judged, kMost);
    *ap[a] = mean_precision(curves);
    *ar[a] = mean_recall(curves);
    if (a > 0 || curves.empty()) continue;
    out.ap50 = mean(curves[0].precision);
    out.ap75 = mean(curves[5].precision);
    out.precision50 = curves[0].precision;
    out.ar1 = mean_recall(curves_of(cases, judged, kCounts[0]));
    out.ar10 = mean_recall(curves_of(cases, judged, kCounts[1]));
  }
  return out;
}

void check_images(const std::vector<CocoImage>& images, CocoKind kind) {
  constexpr const char* op = "evaluate_coco";
  for (size_t n = 0; n < images.size(); ++n) {
    const Rle* first = nullptr;
    const auto check_mask = [&](const Rle& mask) {
      if (kind == CocoKind::box) return;
      if (!first) first = &mask;
      check<ValueError>(!mask.empty() && mask.height == first->height && mask.width == first->width,
                        op, "image ", n, " expects masks of one size");
    };
    for (const CocoObject& object : images[n].objects) check_mask(object.mask);
    for (const CocoResult& result : images[n].results) {
      check<ValueError>(!std::isnan(result.score), op, "image ", n, " has a score that is NaN");
      check_mask(result.mask);
    }
  }
}

}  // namespace

CocoReport evaluate_coco(const std::vector<CocoImage>& images, CocoKind kind) {
  check_images(images, kind);
  std::set<int64_t> categories;
  for (const CocoImage& image : images) {
    for (const CocoObject& object : image.objects) categories.insert(object.category);
    for (const CocoResult& result : image.results) categories.insert(result.category);
  }
  CocoReport out;
  for (const int64_t category : categories)
    out.categories.emplace(category, score(images, category, kind));
  for (double CocoScores::*member :
       {&CocoScores::ap, &CocoScores::ap50, &CocoScores::ap75, &CocoScores::ap_small,
        &CocoScores::ap_medium, &CocoScores::ap_large, &CocoScores::ar1, &CocoScores::ar10,
        &CocoScores::ar100, &CocoScores::ar_small, &CocoScores::ar_medium, &CocoScores::ar_large}) {
    std::vector<double> values;
    for (const auto& [category, scores] : out.categories)
      if (scores.*member > -1) values.push_back(scores.*member);
    if (!values.empty()) out.all.*member = mean(values);
  }
  return out;
}

}  // namespace cytograd::detection
