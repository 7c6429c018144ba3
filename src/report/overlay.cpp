#include "cytograd/report/overlay.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/report/detector_page.h"

namespace cytograd {
namespace {

using Colour = std::array<uint8_t, 3>;

// Told apart on the pinks and violets of stained smears, also with most kinds of colour blindness.
constexpr std::array<Colour, 6> colours{
    {{0, 114, 60}, {230, 159, 0}, {0, 92, 230}, {213, 30, 0}, {0, 158, 158}, {90, 90, 90}}};

void put(Image& image, int64_t y, int64_t x, const Colour& colour) {
  if (y < 0 || x < 0 || y >= image.height || x >= image.width) return;
  std::copy(colour.begin(), colour.end(), image.at(y, x));
}

// Pixels of the mask that are within two of a pixel outside it.
void outline(Image& image, const detection::MaskPiece& mask, const Colour& colour) {
  for (int64_t y = mask.y; y < mask.y + mask.height; ++y)
    for (int64_t x = mask.x; x < mask.x + mask.width; ++x) {
      if (!mask.at(y, x)) continue;
      const bool rim = !mask.at(y - 2, x) || !mask.at(y + 2, x) || !mask.at(y, x - 2) ||
                       !mask.at(y, x + 2) || !mask.at(y - 1, x - 1) || !mask.at(y - 1, x + 1) ||
                       !mask.at(y + 1, x - 1) || !mask.at(y + 1, x + 1);
      if (rim) put(image, y, x, colour);
    }
}

constexpr Colour violet{190, 0, 190}, yellow{255, 225, 0};

// Two pixels wide; with gaps every six pixels.
void frame(Image& image, const detection::Box& box, const Colour& colour, bool gaps = false) {
  const int64_t y1 = std::llround(box.y1), x1 = std::llround(box.x1), y2 = std::llround(box.y2) - 1,
                x2 = std::llround(box.x2) - 1;
  const auto drawn = [gaps](int64_t along) { return !gaps || along / 6 % 2 == 0; };
  for (int64_t k = 0; k < 2; ++k) {
    for (int64_t x = x1; x <= x2; ++x) {
      if (!drawn(x - x1)) continue;
      put(image, y1 + k, x, colour);
      put(image, y2 - k, x, colour);
    }
    for (int64_t y = y1; y <= y2; ++y) {
      if (!drawn(y - y1)) continue;
      put(image, y, x1 + k, colour);
      put(image, y, x2 - k, colour);
    }
  }
}

}  // namespace

Image draw_objects(const Image& image, const std::vector<detection::FoundObject>& objects) {
  check<ValueError>(image.channels == 3, "draw_objects", "expects 3 channels, got ",
                    image.channels);
  Image out = image;
  std::vector<const detection::FoundObject*> order;
  for (const detection::FoundObject& o : objects) order.push_back(&o);
  std::stable_sort(order.begin(), order.end(),
                   [](const auto* a, const auto* b) { return a->score < b->score; });
  for (const detection::FoundObject* o : order) {
    const Colour& colour =
        colours[static_cast<size_t>(std::max<int64_t>(o->label - 1, 0)) % colours.size()];
    if (o->mask.empty())
      frame(out, detection::clip(o->box, image.height, image.width), colour);
    else
      outline(out, o->mask, colour);
  }
  return out;
}

Image draw_judged(const Image& image, const Field& field,
                  const std::vector<detection::FoundObject>& found, const FieldJudgement& judgement,
                  float least) {
  std::vector<detection::FoundObject> shown;
  for (const detection::FoundObject& o : found)
    if (o.score >= least) shown.push_back(o);
  Image out = draw_objects(image, shown);
  for (const size_t i : judgement.alarms)
    frame(out, detection::clip(found[i].box, image.height, image.width), yellow);
  for (const size_t k : judgement.missed) frame(out, field.objects[k].box, violet, true);
  return out;
}

}  // namespace cytograd
