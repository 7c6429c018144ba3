#include "cytograd/detection/measure.h"

#include <cmath>
#include <numbers>

namespace cytograd::detection {
namespace {

// The place in `cells` of the cell that holds most of a nucleus; as many as there are if none does.
size_t owner_of(const MaskPiece& nucleus, const std::vector<CellMeasures>& cells,
                const std::vector<FoundObject>& objects, const Box& field) {
  size_t best = cells.size();
  int64_t most = 0;
  for (size_t c = 0; c < cells.size(); ++c) {
    const int64_t inside = intersection(nucleus, objects[cells[c].object].mask, field);
    if (inside > most && 2 * inside >= area(nucleus)) {
      most = inside;
      best = c;
    }
  }
  return best;
}

// The part of a nucleus inside a cell.
MaskPiece inside_of(const MaskPiece& nucleus, const MaskPiece& cell) {
  MaskPiece out = nucleus;
  for (int64_t i = 0; i < out.height; ++i)
    for (int64_t j = 0; j < out.width; ++j)
      if (!cell.at(out.y + i, out.x + j)) out.values[static_cast<size_t>(i * out.width + j)] = 0;
  return tight(out);
}

}  // namespace

std::vector<CellMeasures> measure_cells(const std::vector<FoundObject>& objects,
                                        int64_t nucleus_label, int64_t height, int64_t width) {
  const Box field{0, 0, static_cast<float>(width), static_cast<float>(height)};
  std::vector<CellMeasures> out;
  for (size_t i = 0; i < objects.size(); ++i) {
    const FoundObject& o = objects[i];
    if (nucleus_label != 0 && o.label == nucleus_label) continue;
    CellMeasures cell;
    cell.object = i;
    cell.area = o.mask.empty() ? std::llround(o.box.area()) : area(o.mask);
    cell.diameter = 2 * std::sqrt(static_cast<double>(cell.area) / std::numbers::pi);
    cell.at_border =
        o.box.x1 <= 1 || o.box.y1 <= 1 || o.box.x2 >= field.x2 - 1 || o.box.y2 >= field.y2 - 1;
    out.push_back(cell);
  }
  if (nucleus_label == 0) return out;
  std::vector<MaskPiece> nuclei(out.size());
  for (const FoundObject& o : objects) {
    if (o.label != nucleus_label || o.mask.empty()) continue;
    const size_t c = owner_of(o.mask, out, objects, field);
    if (c < out.size())
      nuclei[c] = joined(nuclei[c], inside_of(o.mask, objects[out[c].object].mask));
  }
  for (size_t c = 0; c < out.size(); ++c) {
    out[c].nucleus_area = area(nuclei[c]);
    out[c].nucleus_parts = static_cast<int64_t>(connected_parts(nuclei[c]).size());
    if (out[c].area > 0)
      out[c].nucleus_share =
          static_cast<double>(out[c].nucleus_area) / static_cast<double>(out[c].area);
  }
  return out;
}

}  // namespace cytograd::detection
