#include "cytograd/multimodal/stages.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "cytograd/core/error.h"
#include "cytograd/io/text.h"
#include "cytograd/ops/index.h"
#include "cytograd/umap/neighbors.h"
#include "multimodal/trajectory_parts.h"

namespace cytograd::multimodal {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();

// Median of the t at which a curve is at its maximum; NaN if that is not above 0.
double peak_of(std::span<const double> share, const std::vector<double>& t) {
  const double largest = *std::max_element(share.begin(), share.end());
  if (!(largest > 0)) return none;
  std::vector<double> at;
  for (size_t i = 0; i < share.size(); ++i)
    if (share[i] == largest) at.push_back(t[i]);
  std::sort(at.begin(), at.end());
  return (at[(at.size() - 1) / 2] + at[at.size() / 2]) / 2;
}

cluster::Curves summed(const Tensor& probabilities, const std::vector<std::string>& classes,
                       const std::vector<std::string>& stages,
                       const std::vector<std::vector<std::string>>& of_stage) {
  const int64_t steps = probabilities.size(0), n = probabilities.size(1);
  const std::vector<double> p = probabilities.to_vector<double>();
  cluster::Curves out{static_cast<int64_t>(stages.size()), steps,
                      std::vector<double>(stages.size() * static_cast<size_t>(steps), 0.0)};
  for (size_t s = 0; s < stages.size(); ++s) {
    bool known = false;
    for (size_t c = 0; c < classes.size(); ++c) {
      if (std::find(of_stage[s].begin(), of_stage[s].end(), classes[c]) == of_stage[s].end())
        continue;
      known = true;
      for (int64_t i = 0; i < steps; ++i)
        out.row(static_cast<int64_t>(s))[static_cast<size_t>(i)] +=
            p[static_cast<size_t>(i * n) + c];
    }
    check<ValueError>(known, "stage_order", "the classifier has no class of the stage ", stages[s]);
  }
  return out;
}

}  // namespace

std::vector<std::vector<std::string>> stage_classes(const Run& run,
                                                    const std::vector<std::string>& stages) {
  std::vector<std::vector<std::string>> out;
  for (const std::string& stage : stages) {
    out.push_back(image_classes_of(run, stage));
    if (out.back().empty())
      throw DataError(Fault{"class.unknown", run.path, "",
                            "no images are of a stage \"" + stage + "\"", known_stations(run),
                            "stages are classes of images or names of the class map"});
  }
  return out;
}

bool StageOrder::in_order() const {
  for (size_t s = 0; s < peak_t.size(); ++s)
    if (std::isnan(peak_t[s]) || (s > 0 && !(peak_t[s] > peak_t[s - 1]))) return false;
  return true;
}

StageOrder stage_order(std::vector<std::string> stages, const std::vector<double>& t,
                       cluster::Curves shares) {
  check<ShapeError>(shares.rows == static_cast<int64_t>(stages.size()) && !t.empty() &&
                        shares.length == static_cast<int64_t>(t.size()),
                    "stage_order", "shares expect [", stages.size(), ", ", t.size(), "], got [",
                    shares.rows, ", ", shares.length, "]");
  cluster::check_curves("stage_order", shares);
  StageOrder out{std::move(stages), std::move(shares), {}, none, {}};
  std::vector<double> present;
  for (int64_t s = 0; s < out.shares.rows; ++s) {
    out.peak_t.push_back(peak_of(out.shares.row(s), t));
    if (std::isnan(out.peak_t.back())) continue;
    present.push_back(out.peak_t.back());
    for (int64_t before = 0; before < s; ++before)
      if (out.peak_t[static_cast<size_t>(before)] > present.back())
        out.inversions.emplace_back(before, s);
  }
  if (present.size() >= 2) out.spearman = cluster::rank_correlation_with_time(present);
  return out;
}

cluster::Curves stage_votes(const LatentCells& cells, const Tensor& path,
                            const std::vector<std::vector<std::string>>& stages, int64_t k) {
  check<ValueError>(k >= 1, "stage_votes", "k expects >= 1, got ", k);
  std::vector<std::vector<int64_t>> members;
  for (const std::vector<std::string>& classes : stages) members.push_back(cells.rows_of(classes));
  std::vector<int64_t> labelled;
  for (size_t i = 0; i < cells.labels.size(); ++i)
    if (cells.labels[i] >= 0) labelled.push_back(static_cast<int64_t>(i));
  if (labelled.empty())
    throw DataError(Fault{"class.missing", "", "", "no image cell has a label", "labelled cells",
                          "train with --image-labels"});
  const Tensor mu = index_select(cells_of(cells), 0, Tensor::from(labelled));
  const std::vector<float> z = path.to_vector<float>();
  const int64_t steps = path.size(0), near = std::min(k, mu.size(0));
  const umap::Neighbors found = umap::exact_neighbors({mu.data<float>(), mu.size(0), mu.size(1)},
                                                      {z.data(), steps, path.size(1)}, near);
  cluster::Curves out{static_cast<int64_t>(stages.size()), steps, {}};
  for (const std::vector<int64_t>& rows : members)
    for (int64_t i = 0; i < steps; ++i) {
      int64_t votes = 0;
      for (int64_t j = 0; j < near; ++j)
        votes += std::binary_search(
            rows.begin(), rows.end(),
            labelled[static_cast<size_t>(found.index[static_cast<size_t>(i * near + j)])]);
      out.values.push_back(static_cast<double>(votes) / static_cast<double>(near));
    }
  return out;
}

StageReport stage_order(const Run& run, const Trajectory& trajectory,
                        const std::vector<std::string>& stages, const Tensor& probabilities,
                        const std::vector<std::string>& classes) {
  const std::vector<std::vector<std::string>> of_stage = stage_classes(run, stages);
  StageReport out;
  out.votes =
      stage_order(stages, trajectory.t, stage_votes(run.image_cells, trajectory.mean, of_stage));
  if (!probabilities.defined()) return out;
  const Shape wanted = {static_cast<int64_t>(trajectory.t.size()),
                        static_cast<int64_t>(classes.size())};
  check<ShapeError>(probabilities.shape() == wanted, "stage_order", "probabilities expect ", wanted,
                    ", got ", probabilities.shape());
  out.classified =
      stage_order(stages, trajectory.t, summed(probabilities, classes, stages, of_stage));
  return out;
}

}  // namespace cytograd::multimodal
