#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "cytograd/io/image.h"
#include "cytograd/report/trajectory_figure.h"

/// @file
/// What the figure and the page of a path share.

namespace cytograd::trajectory {

inline constexpr int64_t strip_frames = 10, most_panels = 12, most_bands = 300;
inline constexpr double outside_percentile = 99;

/// @throws ShapeError naming `op` and what does not fit
void check_figure(const char* op, const multimodal::Trajectory& path,
                  const TrajectoryFigure& figure);

/// Rows of the heat map from top to bottom: by the name of the cluster, then the time of the
/// maximum, then the symbol. Flat genes are left out: their z-scores are noise.
std::vector<int64_t> heat_order(const multimodal::Trajectory& path);

/// z-scores (divisor n; a constant row gives 0) clipped to +-2; NaN stays.
std::vector<double> clipped_scores(std::span<const double> row);

/// Blue, white, red for -2 to 2 (ColorBrewer's RdBu, safe for colour-blind readers); NaN grey.
std::array<uint8_t, 3> score_color(double z);
/// Light to dark blue for percentiles of 0 to 100; NaN grey.
std::array<uint8_t, 3> support_color(double percentile);

/// Up green, down blue, flat grey, transient orange; clusters of one trend in lighter shades.
/// @param cluster  -1: flat genes
std::array<uint8_t, 3> cluster_color(const multimodal::Trajectory& path, int64_t cluster);
/// Of a gene: -1 where it is flat or nothing was clustered.
int64_t cluster_of(const multimodal::Trajectory& path, int64_t gene);
std::string cluster_name(const multimodal::Trajectory& path, int64_t gene);

/// Range of a curve without its NaN, 0 for none.
double range_of(std::span<const double> curve);

/// Genes to draw as lines. @param missing  symbols that the path has not, if wanted
std::vector<int64_t> highlighted(const multimodal::Trajectory& path, const TrajectoryFigure& figure,
                                 std::vector<std::string>* missing = nullptr);

/// The steps nearest to `count` equidistant places from 0 to 1.
std::vector<int64_t> frame_steps(const std::vector<double>& t, int64_t count = strip_frames);
/// A decoded frame as 8-bit pixels; what is not a number is black.
Image frame_image(const Tensor& frames, int64_t step);

/// Where the mask is 0.5, as the data of an SVG path: closed loops, in pixels times `scale` from
/// (x, y). Empty for an empty mask.
std::string outline_path(const std::vector<float>& mask, int64_t side, double x = 0, double y = 0,
                         double scale = 1);
/// One step of [T, side, side].
std::vector<float> mask_at(const Tensor& masks, int64_t step);

/// "nucleus area" and so on, as titles, and their units ("" for most).
extern const std::array<const char*, 6> morphology_titles;
std::array<std::string, 6> morphology_units(const TrajectoryFigure& figure);

}  // namespace cytograd::trajectory
