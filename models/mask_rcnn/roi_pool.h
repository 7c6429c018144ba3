#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "cytograd/detection/boxes.h"
#include "cytograd/ops/index.h"
#include "cytograd/ops/roi_align.h"
#include "cytograd/ops/shape.h"

namespace cytograd::models {

/// Regions of one step: boxes in pixels of the network's input, with the image each lies in.
struct Regions {
  std::vector<detection::Box> boxes;
  std::vector<int64_t> images;
  void add(const detection::Box& box, size_t image) {
    boxes.push_back(box);
    images.push_back(static_cast<int64_t>(image));
  }
  int64_t size() const { return static_cast<int64_t>(boxes.size()); }
};

/// The pyramid level 0..3 that a region is pooled from: floor(4 + log2(sqrt(area) / 224)) - 2 (Lin
/// et al. 2017, equation 1), so that a side of 224 pixels reads level 2. Regions without area, or
/// with NaN, read level 0.
inline int region_level(const detection::Box& box) {
  const float k = std::floor(4 + std::log2(std::sqrt(box.area()) / 224) + 1e-6f);
  return k >= 3 ? static_cast<int>(std::min(k, 5.f)) - 2 : 0;
}

/// RoIAlign (ops/roi_align.h) of each region on its level, with strides 4, 8, 16, 32, two samples
/// per bin and axis, not aligned. The result keeps the order of the regions.
/// @param levels       at least four of the pyramid's, [N, h, w, C]
/// @param fixed_level  0..3 pools all regions there; -1: region_level
/// @return [R, size, size, C], also for R = 0. Gradient: levels.
/// @throws ValueError for another fixed_level
inline Tensor pool_regions(const std::vector<Tensor>& levels, const Regions& regions, int64_t size,
                           int fixed_level = -1) {
  check<ValueError>(fixed_level >= -1 && fixed_level <= 3, "pool_regions",
                    "fixed_level expects -1..3, got ", fixed_level);
  const Tensor& like = levels[0];
  const Dtype dtype = like.dtype() == Dtype::bfloat16 ? Dtype::float32 : like.dtype();
  std::array<std::vector<float>, 4> rois;
  std::array<std::vector<int64_t>, 4> members;
  for (size_t r = 0; r < regions.boxes.size(); ++r) {
    const detection::Box& box = regions.boxes[r];
    const auto l = static_cast<size_t>(fixed_level < 0 ? region_level(box) : fixed_level);
    for (const float v : {static_cast<float>(regions.images[r]), box.x1, box.y1, box.x2, box.y2})
      rois[l].push_back(v);
    members[l].push_back(static_cast<int64_t>(r));
  }
  Tensors pooled;
  std::vector<int64_t> place(regions.boxes.size());  // of each region in the concatenation
  int64_t next = 0;
  for (size_t l = 0; l < rois.size(); ++l) {
    if (members[l].empty() && !(l == 0 && regions.size() == 0)) continue;
    const Tensor boxes = Tensor::from(rois[l], {static_cast<int64_t>(members[l].size()), 5});
    pooled.push_back(roi_align(levels[l], boxes.to(dtype).to(like.device()),
                               {.height = size,
                                .width = size,
                                .spatial_scale = 1 / static_cast<double>(4 << l),
                                .sampling_ratio = 2,
                                .aligned = false}));
    for (const int64_t r : members[l]) place[static_cast<size_t>(r)] = next++;
  }
  if (pooled.size() == 1) return pooled[0];
  return index_select(concat(pooled, 0), 0, Tensor::from(place).to(like.device()));
}

}  // namespace cytograd::models
