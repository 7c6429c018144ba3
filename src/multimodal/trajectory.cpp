#include "cytograd/multimodal/trajectory.h"

#include <algorithm>
#include <cmath>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/core/error.h"
#include "cytograd/core/parallel.h"
#include "cytograd/io/text.h"
#include "cytograd/ops/index.h"
#include "cytograd/ops/shape.h"
#include "multimodal/trajectory_parts.h"

namespace cytograd::multimodal {
namespace {

constexpr const char* op = "make_trajectory";
constexpr double most_values = 2.5e8;  // of the genes of all samples: 2 GB

void check_options(const Run& run, const TrajectoryOptions& o) {
  check<ValueError>(run.image && run.rna, op, "expects a run with both models");
  check<ValueError>(o.stations.size() >= 2, op, "expects at least two stations, got ",
                    o.stations.size());
  check<ValueError>(o.kind == PathKind::anchored || o.stations.size() == 2, op,
                    "a path from one cell to another expects two stations, got ", o.stations.size(),
                    "; anchored paths take several");
  check<ValueError>(o.points >= 2, op, "points expects >= 2, got ", o.points);
  check<ValueError>(o.samples >= 1, op, "samples expects >= 1, got ", o.samples);
  check<ValueError>(o.anchors >= 1, op, "anchors expects >= 1, got ", o.anchors);
  check<ValueError>(o.clusters >= 0, op, "clusters expects >= 0, got ", o.clusters);
  check<ValueError>(std::isfinite(o.thin) && o.thin >= 0, op, "thin expects >= 0, got ", o.thin);
  const double values = static_cast<double>(o.samples) * static_cast<double>(o.points) *
                        static_cast<double>(run.genes.size());
  check<ValueError>(values <= most_values, op, "samples * points * genes expects at most ",
                    most_values, ", got ", values);
}

// What decodes badly from mu is no ground for a path.
void check_collapse(const Run& run, bool force, std::vector<std::string>& notes) {
  std::string which;
  if (run.image_quality.collapsed) which = "the image model";
  if (run.rna_quality.collapsed) which += which.empty() ? "the RNA model" : " and the RNA model";
  if (which.empty()) return;
  if (!force)
    throw DataError(Fault{"run.collapsed", run.path, "", which + " collapsed in training",
                          "10 or more active latents, and an R2 from mu of at least 0.9 of that "
                          "from samples",
                          "train again, or --force"});
  notes.push_back(which + " collapsed in training: what is decoded along the path means little");
}

// "group 1 has ..." of the path as "cells of NAME: ...".
std::string with_station(const std::string& note, const std::vector<Station>& stations) {
  for (size_t i = 0; i < stations.size(); ++i) {
    const std::string group = "group " + std::to_string(i) + " ";
    if (note.starts_with(group)) return "\"" + stations[i].name + "\" " + note.substr(group.size());
  }
  return note;
}

gp::Path path_through(const Run& run, const std::vector<Station>& stations,
                      const TrajectoryOptions& o) {
  const Station &from = stations.front(), &to = stations.back();
  if (o.kind == PathKind::two_point)
    return gp::two_point_path(centre_of(run, from), centre_of(run, to), o.points);
  if (o.kind == PathKind::straight) {
    std::vector<double> variances = class_variances(run, from);
    const std::vector<double> last = class_variances(run, to);
    for (size_t k = 0; k < variances.size(); ++k) variances[k] = (variances[k] + last[k]) / 2;
    return gp::straight_path(centre_of(run, from), centre_of(run, to), Tensor::from(variances),
                             o.points);
  }
  Tensors groups;
  for (const Station& s : stations) groups.push_back(latents_of(run, s));
  return gp::anchored_path(groups, {.anchors = o.anchors,
                                    .points = o.points,
                                    .seed = o.seed,
                                    .fit = {.optimizer = o.optimizer}});
}

void note_stations(const Run& run, const std::vector<Station>& stations, Trajectory& out) {
  for (size_t i = 0; i < stations.size(); ++i) {
    out.stations.push_back(stations[i].name);
    out.station_t.push_back(static_cast<double>(i) / static_cast<double>(stations.size() - 1));
    out.notes.push_back(stations[i].note);
    if (i > 0 && stations[i].image == stations[i - 1].image &&
        stations[i].rows == stations[i - 1].rows)
      out.notes.push_back("\"" + stations[i - 1].name + "\" and \"" + stations[i].name +
                          "\" are the same cells: between them the path goes nowhere");
  }
  for (const std::string& note : out.path.notes) out.notes.push_back(with_station(note, stations));
  for (std::string& note :
       order_notes(run, stations, out.path.mean, out.path.t.to_vector<double>()))
    out.notes.push_back(std::move(note));
}

// The steps to keep, of all T.
std::vector<int64_t> kept_steps(const cluster::Curves& fold, double thin,
                                std::vector<std::string>& notes) {
  std::vector<int64_t> all;
  for (int64_t i = 0; i < fold.length; ++i) all.push_back(i);
  if (thin <= 0) return all;
  const std::vector<int64_t> kept = cluster::thinned_steps(fold, thin);
  if (kept.size() < 2) {
    notes.push_back("no step changes genes by more than " + format_double(thin) +
                    ": all steps are kept");
    return all;
  }
  notes.push_back(std::to_string(kept.size()) + " of " + std::to_string(all.size()) +
                  " steps are kept; t is not even any more");
  return kept;
}

// Value at a share of the way through sorted values, between neighbours in proportion.
double percentile(const std::vector<double>& sorted, double share) {
  const double at = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<size_t>(at);
  const size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

// Percentiles over samples of their fold changes at the kept steps.
void add_bands(const Run& run, const Tensor& samples, const std::vector<int64_t>& kept,
               Trajectory& out) {
  std::vector<cluster::Curves> folds;
  for (int64_t s = 0; s < samples.size(0); ++s) {
    const Tensor path = squeeze(slice(samples, 0, s, s + 1), 0).contiguous();
    folds.push_back(columns(cluster::fold_changes(decode_curves(run, path)), kept));
  }
  out.fold_low = out.fold_high = out.fold;
  parallel_for(static_cast<int64_t>(out.fold.values.size()), 1024, [&](int64_t begin, int64_t end) {
    std::vector<double> values(folds.size());
    for (auto i = static_cast<size_t>(begin); i < static_cast<size_t>(end); ++i) {
      for (size_t s = 0; s < folds.size(); ++s) values[s] = folds[s].values[i];
      std::sort(values.begin(), values.end());
      out.fold_low.values[i] = percentile(values, 0.05);
      out.fold_high.values[i] = percentile(values, 0.95);
    }
  });
}

cluster::GeneClusterOptions cluster_options(const TrajectoryOptions& o) {
  return {.shape = {.k = o.clusters, .seed = o.seed}};
}

// Before the samples are decoded, which takes long.
void check_clusters(const Run& run, const TrajectoryOptions& o, const cluster::Curves& fold) {
  const auto moving =
      static_cast<int64_t>(cluster::moving_genes(fold, cluster_options(o).flat_range).size());
  check<ValueError>(moving == 0 || o.clusters <= moving, op, escape_control(run.path),
                    ": clusters: k expects at most ", moving,
                    ", the genes that are not flat along the path, got ", o.clusters,
                    "; fewer clusters, or auto");
}

void decode(const Run& run, const TrajectoryOptions& o, Trajectory& out) {
  const NoGrad no_grad;
  const Tensor mean = out.path.mean.to(Dtype::float32);
  const cluster::Curves expression = decode_curves(run, mean);
  check<ShapeError>(expression.rows == static_cast<int64_t>(run.genes.size()), op, "expects ",
                    run.genes.size(), " decoded genes, got ", expression.rows);
  const cluster::Curves fold = cluster::fold_changes(expression);
  const std::vector<int64_t> kept = kept_steps(fold, o.thin, out.notes);
  const Tensor index = Tensor::from(kept);
  const std::vector<double> t = out.path.t.to_vector<double>();
  for (const int64_t k : kept) out.t.push_back(t[static_cast<size_t>(k)]);
  out.expression = columns(expression, kept);
  out.fold = columns(fold, kept);
  check_clusters(run, o, out.fold);
  const Tensor samples = gp::draw(out.path, o.samples, o.seed).to(Dtype::float32);
  add_bands(run, samples, kept, out);
  out.mean = index_select(mean, 0, index);
  out.samples = index_select(samples, 1, index);
  out.frames = decode_frames(run, out.mean);
  out.masks = masks_along(run, out.mean, out.notes);
}

void add_clusters(const TrajectoryOptions& o, Trajectory& out) {
  out.clusters = cluster::cluster_genes(out.fold, cluster_options(o));
  if (out.clusters.clusters.empty())
    out.notes.push_back("all genes are flat along the path: there are no clusters");
  for (const cluster::GeneCluster& c : out.clusters.clusters)
    if (!c.discordant.empty())
      out.notes.push_back("cluster " + c.name + ": " + std::to_string(c.discordant.size()) +
                          " of " + std::to_string(c.members.size()) +
                          " genes change against its name");
}

void add_support(const Run& run, Trajectory& out) {
  for (const bool image : {true, false}) {
    std::vector<double>& support = image ? out.support.image : out.support.rna;
    const std::string cells = image ? "image" : "RNA";
    const Tensor own = cells_of(image ? run.image_cells : run.rna_cells);
    support = support_percentiles(own, out.mean);
    if (own.size(0) < 16)
      out.notes.push_back("only " + std::to_string(own.size(0)) + " " + cells +
                          " cells: support among them says little");
    const auto outside =
        std::count_if(support.begin(), support.end(), [](double share) { return share > 99; });
    if (outside > 0)
      out.notes.push_back(std::to_string(outside) + " of " + std::to_string(support.size()) +
                          " steps are outside the " + cells + " cells (support above 99)");
  }
}

}  // namespace

Trajectory make_trajectory(const Run& run, const TrajectoryOptions& options) {
  check_options(run, options);
  Trajectory out;
  check_collapse(run, options.force, out.notes);
  std::vector<Station> stations;
  for (const std::string& name : options.stations) stations.push_back(find_station(run, name));
  out.name = options.name.empty() ? options.stations.front() + "-to-" + options.stations.back()
                                  : options.name;
  out.genes = run.genes;
  out.path = path_through(run, stations, options);
  note_stations(run, stations, out);
  decode(run, options, out);
  add_clusters(options, out);
  add_support(run, out);
  return out;
}

}  // namespace cytograd::multimodal
