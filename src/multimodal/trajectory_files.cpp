#include <algorithm>
#include <cmath>
#include <filesystem>

#include "cytograd/core/error.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/image.h"
#include "cytograd/io/text.h"
#include "cytograd/multimodal/trajectory.h"
#include "multimodal/table_text.h"

namespace cytograd::multimodal {
namespace {

constexpr int64_t strip_frames = 10;
constexpr size_t most_sample_bytes = 5'000'000;

std::string number(double v) { return std::isfinite(v) ? format_float(static_cast<float>(v)) : ""; }

void write_path(const Trajectory& p, const std::string& path) {
  const auto all = static_cast<double>(p.path.t.size(0) - 1);
  const std::vector<double> covariance = p.path.standard.covariance.to_vector<double>(),
                            scale = p.path.scale.to_vector<double>();
  const std::vector<float> z = p.mean.to_vector<float>();
  const size_t d = scale.size();
  std::vector<std::string> row = {"t", "sd"};
  for (const char* prefix : {"z", "sd"})
    for (size_t k = 0; k < d; ++k) row.push_back(prefix + std::to_string(k + 1));
  double squares = 0;
  for (const double s : scale) squares += s * s / static_cast<double>(d);
  CsvWriter csv(path, row);
  for (size_t i = 0; i < p.t.size(); ++i) {
    const auto step = static_cast<size_t>(std::lround(p.t[i] * all));
    const auto steps = static_cast<size_t>(p.path.t.size(0));
    const double sd = std::sqrt(std::max(0.0, covariance[step * steps + step]));
    row = {number(p.t[i]), number(sd * std::sqrt(squares))};
    for (size_t k = 0; k < d; ++k) row.push_back(number(z[i * d + k]));
    for (size_t k = 0; k < d; ++k) row.push_back(number(sd * scale[k]));
    csv.row(row);
  }
  csv.commit();
}

void write_curves(const Trajectory& p, const cluster::Curves& curves, const std::string& path) {
  std::vector<std::string> row = {"gene"};
  for (const double t : p.t) row.push_back(number(t));
  CsvWriter csv(path, row);
  for (int64_t i = 0; i < curves.rows; ++i) {
    row = {table_text(p.genes[static_cast<size_t>(i)])};
    for (const double v : curves.row(i)) row.push_back(number(v));
    csv.row(row);
  }
  csv.commit();
}

void write_clusters(const Trajectory& p, const std::string& path) {
  const std::vector<std::string> header = {"gene", "cluster", "change", "range", "discordant"};
  CsvWriter csv(path, header);
  for (int64_t i = 0; i < p.fold.rows; ++i) {
    const auto f = p.fold.row(i);
    const auto [least, largest] = std::minmax_element(f.begin(), f.end());
    const int64_t label = p.clusters.labels[static_cast<size_t>(i)];
    bool discordant = false;
    if (label >= 0) {
      const std::vector<int64_t>& against =
          p.clusters.clusters[static_cast<size_t>(label)].discordant;
      discordant = std::find(against.begin(), against.end(), i) != against.end();
    }
    const std::vector<std::string> row = {table_text(p.genes[static_cast<size_t>(i)]),
                                          cluster_name(p, i), number(cluster::rise(f)),
                                          number(*largest - *least), discordant ? "1" : "0"};
    csv.row(row);
  }
  csv.commit();
}

void write_support(const Trajectory& p, const std::string& path) {
  const std::vector<std::string> header = {"t", "image", "rna"};
  CsvWriter csv(path, header);
  for (size_t i = 0; i < p.t.size(); ++i) {
    const std::vector<std::string> row = {number(p.t[i]), number(p.support.image[i]),
                                          number(p.support.rna[i])};
    csv.row(row);
  }
  csv.commit();
}

// Frames side by side, those nearest to equal distances in t.
void write_strip(const Trajectory& p, const std::string& path) {
  const int64_t height = p.frames.size(1), width = p.frames.size(2);
  const std::vector<float> pixels = p.frames.to_vector<float>();
  Image strip(height, width * strip_frames, 3);
  for (int64_t n = 0; n < strip_frames; ++n) {
    const double at = static_cast<double>(n) / static_cast<double>(strip_frames - 1);
    size_t step = 0;
    for (size_t i = 1; i < p.t.size(); ++i)
      if (std::abs(p.t[i] - at) < std::abs(p.t[step] - at)) step = i;
    for (int64_t y = 0; y < height; ++y)
      for (int64_t x = 0; x < width; ++x)
        for (int64_t c = 0; c < 3; ++c) {
          const float v = pixels[static_cast<size_t>(
              ((static_cast<int64_t>(step) * height + y) * width + x) * 3 + c)];
          strip.at(y, n * width + x)[c] =
              static_cast<uint8_t>(std::lround(255 * std::clamp(v, 0.0f, 1.0f)));
        }
  }
  write_png(path, strip);
}

// @return whether they were small enough
bool write_samples(const Trajectory& p, const std::string& path) {
  const int64_t steps = p.samples.size(1), d = p.samples.size(2);
  std::vector<std::string> row = {"sample", "t"};
  for (int64_t k = 0; k < d; ++k) row.push_back("z" + std::to_string(k + 1));
  std::string text = csv_row(row);
  const std::vector<float> z = p.samples.to_vector<float>();
  size_t at = 0;
  for (int64_t s = 0; s < p.samples.size(0); ++s)
    for (int64_t i = 0; i < steps; ++i) {
      row = {std::to_string(s), number(p.t[static_cast<size_t>(i)])};
      for (int64_t k = 0; k < d; ++k) row.push_back(number(z[at++]));
      text += csv_row(row);
      if (text.size() <= most_sample_bytes) continue;
      std::filesystem::remove(path);  // an older one would be taken for this path's
      return false;
    }
  write_file_atomically(path, text);
  return true;
}

}  // namespace

std::string table_text(const std::string& name) {
  const std::string out = escape_control(name);
  return !out.empty() && std::string("=+-@").find(out[0]) != std::string::npos ? "'" + out : out;
}

std::string cluster_name(const Trajectory& p, int64_t gene) {
  const int64_t label = p.clusters.labels[static_cast<size_t>(gene)];
  return label < 0 ? "flat" : p.clusters.clusters[static_cast<size_t>(label)].name;
}

std::vector<std::string> write_frames(const Trajectory& p, const std::string& folder) {
  namespace fs = std::filesystem;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    throw FileError(Fault{"file.io", folder, "", error.message(), "a folder to write into", ""});
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().extension() == ".png") fs::remove(entry.path());
  const int64_t height = p.frames.size(1), width = p.frames.size(2), pixels = height * width;
  const std::vector<float> frames = p.frames.to_vector<float>();
  const std::vector<float> masks =
      p.masks.defined() ? p.masks.to_vector<float>() : std::vector<float>();
  std::vector<std::string> out;
  for (int64_t i = 0; i < p.frames.size(0); ++i) {
    const std::string digits = std::to_string(i);
    out.push_back(folder + "/" + std::string(digits.size() < 3 ? 3 - digits.size() : 0, '0') +
                  digits + ".png");
    write_png(out.back(),
              image_of(frames.data() + i * pixels * 3,
                       masks.empty() ? nullptr : masks.data() + i * pixels, height, width));
  }
  return out;
}

std::vector<std::string> write_trajectory(const Trajectory& p, const std::string& folder) {
  const auto file = [&folder](const char* name) { return folder + "/" + name; };
  write_path(p, file("path.csv"));
  write_curves(p, p.expression, file("expression.csv"));
  write_curves(p, p.fold, file("fold.csv"));
  write_curves(p, p.fold_low, file("fold_low.csv"));
  write_curves(p, p.fold_high, file("fold_high.csv"));
  write_clusters(p, file("clusters.csv"));
  write_support(p, file("support.csv"));
  write_strip(p, file("frames.png"));
  if (write_samples(p, file("samples.csv"))) return {};
  return {"samples.csv is left out: it would be larger than 5 MB"};
}

}  // namespace cytograd::multimodal
