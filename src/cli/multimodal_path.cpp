#include "cli/multimodal_path.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cytograd/core/parallel.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/text.h"
#include "cytograd/multimodal/morphology.h"
#include "cytograd/ops/shape.h"
#include "multimodal/table_text.h"
#include "multimodal/trajectory_parts.h"

namespace cytograd::cli {
namespace {

using multimodal::Driver;
using multimodal::Morphology;
using multimodal::Trajectory;

std::string number(double v) { return std::isfinite(v) ? format_float(static_cast<float>(v)) : ""; }

// [steps][scores] of frames [T, side, side, 3] and masks [T, side, side].
std::vector<std::vector<double>> measure(const Tensor& frames, const Tensor& masks,
                                         double microns_per_pixel = 1) {
  const int64_t steps = frames.size(0), side = frames.size(1), area = side * side;
  const std::vector<float> rgb = frames.to_vector<float>(), mask = masks.to_vector<float>();
  std::vector<std::vector<double>> out(static_cast<size_t>(steps));
  parallel_for(steps, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const auto values =
          multimodal::measure_morphology(
              {rgb.begin() + i * area * 3, rgb.begin() + (i + 1) * area * 3},
              {mask.begin() + i * area, mask.begin() + (i + 1) * area}, side, microns_per_pixel)
              .values();
      out[static_cast<size_t>(i)].assign(values.begin(), values.end());
    }
  });
  return out;
}

// A score per row.
cluster::Curves curves_of(const std::vector<std::vector<double>>& morphology, int64_t steps) {
  cluster::Curves out{
      morphology.empty() ? 0 : static_cast<int64_t>(Morphology::names.size()), steps, {}};
  for (int64_t m = 0; m < out.rows; ++m)
    for (const std::vector<double>& values : morphology)
      out.values.push_back(values[static_cast<size_t>(m)]);
  return out;
}

std::vector<std::string> driver_header() {
  std::vector<std::string> out = {"gene", "cluster", "change", "range", "half_time", "literature"};
  for (const char* what : {"along_", "across_", "p_", "q_"})
    for (const char* score : Morphology::names) out.push_back(std::string(what) + score);
  return out;
}

}  // namespace

std::vector<std::vector<double>> path_morphology(const Trajectory& path, double microns_per_pixel) {
  if (!path.masks.defined()) return {};
  return measure(path.frames, path.masks, microns_per_pixel > 0 ? microns_per_pixel : 1);
}

void note_missing_scores(const std::vector<std::vector<double>>& morphology,
                         std::vector<std::string>& notes) {
  for (size_t m = 0; m < Morphology::names.size(); ++m) {
    const auto missing =
        std::count_if(morphology.begin(), morphology.end(),
                      [m](const std::vector<double>& scores) { return std::isnan(scores[m]); });
    if (missing > 0)
      notes.push_back(std::string(Morphology::names[m]) + " cannot be measured at " +
                      std::to_string(missing) + " of " + std::to_string(morphology.size()) +
                      " steps");
  }
}

void note_order(const std::string& judge, const multimodal::StageOrder& order,
                std::vector<std::string>& notes) {
  for (const auto& [first, second] : order.inversions)
    notes.push_back(judge + " \"" + order.stages[static_cast<size_t>(second)] +
                    "\" comes before \"" + order.stages[static_cast<size_t>(first)] + "\"");
  for (size_t s = 1; s < order.stages.size(); ++s)
    if (order.peak_t[s] == order.peak_t[s - 1])
      notes.push_back(judge + " \"" + order.stages[s - 1] + "\" and \"" + order.stages[s] +
                      "\" come at once");
  for (size_t s = 0; s < order.stages.size(); ++s)
    if (std::isnan(order.peak_t[s]))
      notes.push_back(judge + " none is of \"" + order.stages[s] + "\"");
}

void note_elsewhere(const multimodal::StageOrder& order, std::vector<std::string>& notes) {
  const double sum = std::accumulate(order.shares.values.begin(), order.shares.values.end(), 0.0);
  const double elsewhere = 1 - sum / static_cast<double>(order.shares.length);
  if (elsewhere > 0.5)
    notes.push_back(
        "the classifier takes the decoded images for other classes than these stages (" +
        format_fixed(100 * elsewhere, 0) + " %): their order means little");
}

void note_samples(const Trajectory& path, std::vector<std::string>& notes) {
  const int64_t samples = path.samples.size(0);
  if (samples >= 20) return;
  notes.push_back(std::to_string(samples) + " drawn paths: p and q of drivers " +
                  (samples < 8 ? "need 8 and are left out" : "are rough below 20") +
                  " (--samples)");
}

std::vector<Driver> path_drivers(const multimodal::Run& run, const Trajectory& path,
                                 const std::vector<std::vector<double>>& morphology,
                                 int64_t permutations, uint64_t seed) {
  const auto steps = static_cast<int64_t>(path.t.size());
  std::vector<multimodal::PathCurves> paths;
  for (int64_t s = 0; !morphology.empty() && s < path.samples.size(0); ++s) {
    const Tensor z = squeeze(slice(path.samples, 0, s, s + 1), 0).contiguous();
    paths.push_back({multimodal::decode_curves(run, z),
                     curves_of(measure(multimodal::decode_frames(run, z), path.masks), steps)});
  }
  return multimodal::find_drivers(path.fold, curves_of(morphology, steps), path.t, paths,
                                  {.permutations = permutations, .seed = seed});
}

void write_morphology(const Trajectory& path, const std::vector<std::vector<double>>& morphology,
                      const std::string& file) {
  std::vector<std::string> row = {"t"};
  row.insert(row.end(), Morphology::names.begin(), Morphology::names.end());
  CsvWriter csv(file, row);
  for (size_t i = 0; i < morphology.size(); ++i) {
    row = {number(path.t[i])};
    for (const double v : morphology[i]) row.push_back(number(v));
    csv.row(row);
  }
  csv.commit();
}

void write_drivers(const Trajectory& path, const std::vector<Driver>& drivers,
                   const std::string& lineage, const std::string& file) {
  std::vector<std::string> row = driver_header();
  CsvWriter csv(file, row);
  for (const Driver& d : drivers) {
    const std::string& gene = path.genes[static_cast<size_t>(d.gene)];
    const int known = multimodal::literature_direction(lineage, gene);
    row = {multimodal::table_text(gene),
           multimodal::cluster_name(path, d.gene),
           number(d.change),
           number(d.range),
           number(d.half_time),
           known > 0   ? "up"
           : known < 0 ? "down"
                       : ""};
    for (const std::vector<double>* values : {&d.along, &d.across, &d.p, &d.q})
      for (size_t m = 0; m < Morphology::names.size(); ++m)
        row.push_back(m < values->size() ? number((*values)[m]) : "");
    csv.row(row);
  }
  csv.commit();
}

void write_stages(const Trajectory& path, const multimodal::StageReport& report,
                  const std::string& file) {
  std::vector<std::pair<std::string, const multimodal::StageOrder*>> orders = {
      {"vote_", &report.votes}};
  if (report.classified) orders.emplace_back("classifier_", &*report.classified);
  std::vector<std::string> row = {"t"};
  for (const auto& [prefix, order] : orders)
    for (const std::string& stage : order->stages)
      row.push_back(prefix + multimodal::table_text(stage));
  CsvWriter csv(file, row);
  for (size_t i = 0; i < path.t.size(); ++i) {
    row = {number(path.t[i])};
    for (const auto& [prefix, order] : orders)
      for (int64_t s = 0; s < order->shares.rows; ++s)
        row.push_back(number(order->shares.row(s)[i]));
    csv.row(row);
  }
  csv.commit();
}

}  // namespace cytograd::cli
