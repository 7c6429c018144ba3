#pragma once

#include <string>
#include <vector>

#include "cytograd/multimodal/drivers.h"
#include "cytograd/multimodal/run.h"
#include "cytograd/multimodal/stages.h"
#include "cytograd/multimodal/trajectory.h"

/// @file
/// What `cyto multimodal trajectory` measures on a path, and its tables.

namespace cytograd::cli {

/// Morphology of every decoded frame with its mask: [steps][scores]; empty without masks.
/// @param microns_per_pixel  of the decoded images; 0: areas are in pixels
std::vector<std::vector<double>> path_morphology(const multimodal::Trajectory& path,
                                                 double microns_per_pixel);
/// Scores that steps of the path do not have.
void note_missing_scores(const std::vector<std::vector<double>>& morphology,
                         std::vector<std::string>& notes);
/// Drivers are called across drawn paths, of which there should be twenty.
void note_samples(const multimodal::Trajectory& path, std::vector<std::string>& notes);
/// Stages out of order, at once or absent, as `judge` sees them.
void note_order(const std::string& judge, const multimodal::StageOrder& order,
                std::vector<std::string>& notes);
/// A classifier may take most frames for something that is no stage of the path.
void note_elsewhere(const multimodal::StageOrder& order, std::vector<std::string>& notes);

/// Genes beside morphology over the sampled paths; without masks, changes and times only.
std::vector<multimodal::Driver> path_drivers(const multimodal::Run& run,
                                             const multimodal::Trajectory& path,
                                             const std::vector<std::vector<double>>& morphology,
                                             int64_t permutations, uint64_t seed);

/// t and the scores, a step per row; a score without a value is empty.
void write_morphology(const multimodal::Trajectory& path,
                      const std::vector<std::vector<double>>& morphology, const std::string& file);
/// @param lineage  as of `multimodal::literature_direction`, or ""
void write_drivers(const multimodal::Trajectory& path,
                   const std::vector<multimodal::Driver>& drivers, const std::string& lineage,
                   const std::string& file);
/// Per step the shares of all stages, of votes and of a classifier.
void write_stages(const multimodal::Trajectory& path, const multimodal::StageReport& report,
                  const std::string& file);

}  // namespace cytograd::cli
