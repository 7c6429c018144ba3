#include <algorithm>
#include <cmath>
#include <limits>

#include "cli/embedding.h"
#include "cytograd/core/parallel.h"
#include "cytograd/data/transform.h"
#include "cytograd/io/text.h"

namespace cytograd::cli {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

// Every cell as the network sees it, small.
std::vector<Image> thumbnails(const TrainedModel& trained, const Dataset& dataset,
                              const std::vector<size_t>& chosen) {
  Preprocess preprocess = trained.preprocess;
  preprocess.size = thumbnail_side(static_cast<int64_t>(chosen.size()));
  std::vector<Image> out(chosen.size());
  parallel_for(static_cast<int64_t>(chosen.size()), 16, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Sample& sample = dataset.samples[chosen[static_cast<size_t>(i)]];
      out[static_cast<size_t>(i)] = preview(read_sample(sample, trained.config.max_pixels), sample,
                                            preprocess, Augmentation::none(), Rng(0));
    }
  });
  return out;
}

PageGroup domains_of(const Dataset& dataset, const std::vector<size_t>& chosen) {
  PageGroup out{"domain", dataset.domains, {}};
  for (const size_t i : chosen) out.codes.push_back(dataset.samples[i].domain);
  return out;
}

// The fold in which a cell is tested.
PageGroup folds_of(const Task& task, const std::vector<size_t>& chosen) {
  PageGroup out{"fold", {}, {}};
  std::vector<int64_t> fold(static_cast<size_t>(task.dataset.size()), -1);
  for (size_t f = 0; f < task.folds.size(); ++f) {
    out.values.push_back(std::to_string(f));
    for (const int64_t i : task.folds[f].test)
      fold[static_cast<size_t>(i)] = static_cast<int64_t>(f);
  }
  for (const size_t i : chosen) out.codes.push_back(fold[i]);
  return out;
}

}  // namespace

PageBuilder::PageBuilder(const std::string& title, const TrainedModel& trained, const Task& task) {
  const Dataset& dataset = task.dataset;
  const auto total = static_cast<size_t>(dataset.size());
  const size_t count = std::min(total, static_cast<size_t>(page_points));
  std::vector<size_t> chosen;
  for (size_t i = 0; i < count; ++i) chosen.push_back(i * total / count);
  page_.title = title;
  page_.subtitle = count < total ? std::to_string(count) + " of " + std::to_string(total) + " cells"
                                 : std::to_string(count) + " cells";
  page_.classes = trained.classes;
  page_.colors = class_colors(trained);
  page_.order = class_order(trained);
  for (const size_t i : chosen) {
    place_.emplace(escape_control(dataset.samples[i].id), page_.names.size());
    page_.names.push_back(dataset.samples[i].id);
    page_.labels.push_back(dataset.samples[i].label);
  }
  if (dataset.domains.size() > 1) page_.groups.push_back(domains_of(dataset, chosen));
  if (task.folds.size() > 1) page_.groups.push_back(folds_of(task, chosen));
  page_.thumbnails = thumbnails(trained, dataset, chosen);
}

void PageBuilder::add(const std::string& name, const EmbeddedCells& cells, const Plane& plane) {
  const size_t n = page_.names.size();
  PageMap map{name,
              plane.x_label,
              plane.y_label,
              std::vector<Point2>(n, {unknown, unknown}),
              std::vector<int64_t>(n, -1),
              std::vector<double>(n, unknown),
              std::vector<std::string>(n)};
  for (size_t i = 0; i < cells.names.size(); ++i) {
    const auto at = place_.find(cells.names[i]);
    if (at == place_.end()) continue;
    map.places[at->second] = plane.places[i];
    map.predicted[at->second] = cells.predicted[i];
    map.confidence[at->second] = cells.confidence[i];
    map.parts[at->second] = cells.parts[i];
  }
  page_.maps.push_back(std::move(map));
}

std::string PageBuilder::html() const { return embedding_page_html(page_); }

}  // namespace cytograd::cli
