#pragma once

#include <cstdint>
#include <numeric>
#include <string>
#include <vector>

#include "cytograd/data/loader.h"
#include "data/support.h"

/// @file
/// A small data set for tests of the loader, and what it delivers.

namespace cytograd {

/// 23 images in two classes.
inline Dataset make(const TempFolder& folder) {
  for (int i = 0; i < 23; ++i)
    put_image(folder, std::string(i % 3 ? "a/" : "b/") + std::to_string(i) + ".png", i * 10, 20 + i,
              30 - i);
  DatasetOptions o;
  o.path = folder.path().string();
  return load_dataset(o);
}

inline std::vector<int64_t> all_of(const Dataset& d) {
  std::vector<int64_t> indices(d.samples.size());
  std::iota(indices.begin(), indices.end(), 0);
  return indices;
}

inline LoaderOptions small_options() {
  LoaderOptions o;
  o.batch_size = 4;
  o.order = Order::shuffle;
  o.preprocess.size = 16;
  o.augmentation = Augmentation::full();
  o.seed = 5;
  o.threads = 3;
  return o;
}

/// Everything that an epoch delivers, as bytes.
inline std::vector<float> epoch(Loader& loader, int64_t number, int64_t first = 0) {
  loader.start_at(number, first);
  std::vector<float> values;
  Batch b;
  while (loader.next(b)) {
    for (const int64_t i : b.indices) values.push_back(static_cast<float>(i));
    for (const int64_t l : b.labels.to_vector<int64_t>()) values.push_back(static_cast<float>(l));
    Tensor images = b.images;
    if (b.raw.defined()) {
      images = Tensor::empty({b.size(), 16, 16, 3});
      prepare(b.raw, images);
    }
    const auto pixels = images.to_vector<float>();
    values.insert(values.end(), pixels.begin(), pixels.end());
  }
  return values;
}

}  // namespace cytograd
