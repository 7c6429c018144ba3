#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "cytograd/core/parallel.h"
#include "cytograd/io/image.h"
#include "data/layout.h"

/// @file
/// Acevedo_20 holds images of a visibly other colour. The published harmonisation finds them by
/// average linkage of the mean red and blue of every image, cut into two clusters.

namespace cytograd::layout {

namespace {

// Images whose means agree to half a grey level, in one place.
struct Place {
  double red = 0, blue = 0, weight = 0;
  std::vector<size_t> samples;
};

std::vector<Place> collect_places(const Dataset& dataset) {
  const auto n = static_cast<int64_t>(dataset.samples.size());
  std::vector<std::pair<int64_t, int64_t>> means(static_cast<size_t>(n), {-1, -1});
  parallel_for(n, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      ImageOptions options;
      options.min_side = 32;
      Image image;
      try {
        image = read_image(dataset.samples[static_cast<size_t>(i)].path, options);
      } catch (const IoError&) {
        continue;  // the scan names it
      }
      double red = 0, blue = 0;
      for (size_t p = 0; p < image.pixels.size(); p += 3) {
        red += image.pixels[p];
        blue += image.pixels[p + 2];
      }
      const double count = static_cast<double>(image.height * image.width);
      means[static_cast<size_t>(i)] = {std::llround(2 * red / count),
                                       std::llround(2 * blue / count)};
    }
  });
  std::map<std::pair<int64_t, int64_t>, Place> places;
  for (size_t i = 0; i < means.size(); ++i) {
    if (means[i].first < 0) continue;
    Place& p = places[means[i]];
    p.red = static_cast<double>(means[i].first) / 2;
    p.blue = static_cast<double>(means[i].second) / 2;
    p.weight += 1;
    p.samples.push_back(i);
  }
  std::vector<Place> out;
  for (auto& [key, place] : places) out.push_back(std::move(place));
  return out;
}

// Merges clusters that are each other's nearest, along chains, until two are left. Average linkage
// never puts a merged cluster nearer to a third one than its parts were, so the chain gives the
// same tree as merging the nearest pair each time; cutting it needs the heights, so all merges are
// kept.
struct Merge {
  size_t a, b;
  double height;
};

std::vector<Merge> link(const std::vector<Place>& places) {
  const size_t n = places.size();
  std::vector<float> distance(n * n);
  std::vector<double> weight;
  for (const Place& p : places) weight.push_back(p.weight);
  for (size_t i = 0; i < n; ++i)
    for (size_t j = 0; j < n; ++j)
      distance[i * n + j] = static_cast<float>(
          std::hypot(places[i].red - places[j].red, places[i].blue - places[j].blue));
  std::vector<bool> alive(n, true);
  std::vector<size_t> chain;
  std::vector<Merge> out;
  while (out.size() + 1 < n) {
    if (chain.empty())
      chain.push_back(
          static_cast<size_t>(std::find(alive.begin(), alive.end(), true) - alive.begin()));
    const size_t a = chain.back();
    // The one before wins ties, so that the chain ends.
    size_t b = chain.size() > 1 ? chain[chain.size() - 2] : n;
    float best = b < n ? distance[a * n + b] : std::numeric_limits<float>::infinity();
    for (size_t j = 0; j < n; ++j)
      if (alive[j] && j != a && distance[a * n + j] < best) {
        best = distance[a * n + j];
        b = j;
      }
    if (chain.size() < 2 || b != chain[chain.size() - 2]) {
      chain.push_back(b);
      continue;
    }
    chain.resize(chain.size() - 2);
    out.push_back({a, b, static_cast<double>(best)});
    for (size_t j = 0; j < n; ++j) {
      if (!alive[j] || j == a || j == b) continue;
      const double mean = (weight[a] * static_cast<double>(distance[a * n + j]) +
                           weight[b] * static_cast<double>(distance[b * n + j])) /
                          (weight[a] + weight[b]);
      distance[a * n + j] = distance[j * n + a] = static_cast<float>(mean);
    }
    weight[a] += weight[b];
    alive[b] = false;
  }
  return out;
}

}  // namespace

void keep_main_colours(Dataset& dataset) {
  constexpr size_t most_places = 12000;  // 576 MB of distances
  const std::vector<Place> places = collect_places(dataset);
  if (places.size() < 2) return;
  if (places.size() > most_places)
    throw DataError({"data.layout", "", "", std::to_string(places.size()) + " different colours",
                     "at most " + std::to_string(most_places) + " for --ace-subset main",
                     "pass --ace-subset full"});
  std::vector<Merge> merges = link(places);
  // All merges but the highest: two clusters.
  std::stable_sort(merges.begin(), merges.end(),
                   [](const Merge& x, const Merge& y) { return x.height < y.height; });
  std::vector<size_t> root(places.size());
  for (size_t i = 0; i < root.size(); ++i) root[i] = i;
  const auto find = [&](size_t i) {
    while (root[i] != i) i = root[i] = root[root[i]];
    return i;
  };
  for (size_t m = 0; m + 1 < merges.size(); ++m) root[find(merges[m].b)] = find(merges[m].a);
  std::map<size_t, double> size;
  for (size_t i = 0; i < places.size(); ++i) size[find(i)] += places[i].weight;
  const size_t main = std::max_element(size.begin(), size.end(), [](const auto& x, const auto& y) {
                        return x.second < y.second;
                      })->first;
  std::vector<bool> keep(dataset.samples.size(), true);
  for (size_t i = 0; i < places.size(); ++i)
    for (const size_t s : places[i].samples) keep[s] = find(i) == main;
  for (size_t i = 0; i < keep.size(); ++i)
    if (!keep[i])
      dataset.add_note("ace.subset", "images of the smaller cluster of colours left out",
                       dataset.samples[i].id);
  keep_samples(dataset, keep);
}

}  // namespace cytograd::layout
