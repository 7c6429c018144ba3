#include "cli/embedding.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>

#include "cytograd/autograd/grad_mode.h"
#include "cytograd/io/csv.h"
#include "cytograd/io/file.h"
#include "cytograd/io/text.h"
#include "cytograd/umap/umap.h"

namespace cytograd::cli {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();
constexpr int64_t region_neighbours = 15;

// The first two components of some cells.
LabelledRows plane_rows(const std::vector<Point2>& places, const LabelledRows& rows,
                        const std::vector<int64_t>& which) {
  LabelledRows out;
  out.width = 2;
  out.classes = rows.classes;
  for (const int64_t i : which) {
    const Point2& p = places[static_cast<size_t>(i)];
    if (!std::isfinite(p[0]) || !std::isfinite(p[1])) continue;
    out.values.insert(out.values.end(), {static_cast<float>(p[0]), static_cast<float>(p[1])});
    out.labels.push_back(rows.labels[static_cast<size_t>(i)]);
  }
  return out;
}

std::vector<float> flat(const std::vector<Point2>& places) {
  std::vector<float> out;
  for (const Point2& p : places)
    out.insert(out.end(), {static_cast<float>(p[0]), static_cast<float>(p[1])});
  return out;
}

using Regions = std::function<std::vector<int64_t>(const std::vector<Point2>&)>;

Regions regions_by(std::shared_ptr<const Classifier> classifier) {
  return
      [classifier](const std::vector<Point2>& places) { return classifier->predict(flat(places)); };
}

Regions regions_of_neighbours(const LabelledRows& rows) {
  if (rows.size() == 0) return {};
  ClassifierSpec spec;
  spec.k = std::min(region_neighbours, rows.size());
  return regions_by(fit_classifier(spec, rows, 0));
}

// What the network's own classifier makes of an embedding of two components.
Regions regions_of_head(const TrainedModel& trained) {
  return [&trained](const std::vector<Point2>& places) {
    const NoGrad no_grad;
    const Device device = trained.model->named_parameters().front().second.device();
    const Tensor logits = trained.model->classify(
        Tensor::from(flat(places), {static_cast<int64_t>(places.size()), 2}).to(device));
    const std::vector<float> values = logits.to_vector<float>();
    const auto classes = static_cast<size_t>(logits.size(1));
    std::vector<int64_t> out;
    for (size_t row = 0; row < values.size(); row += classes) {
      const float* v = values.data() + row;
      out.push_back(std::max_element(v, v + classes) - v);
    }
    return out;
  };
}

std::vector<Point2> first_two(const LabelledRows& rows) {
  std::vector<Point2> out;
  for (int64_t i = 0; i < rows.size(); ++i) out.push_back({rows.row(i)[0], rows.row(i)[1]});
  return out;
}

Tensor tensor_of(const LabelledRows& rows) {
  return Tensor::from(rows.values, {rows.size(), rows.width});
}

// T(guide) for the classes of these rows; undefined without a guide that spans the plane.
Tensor guide_start(const TrainedModel& trained, const LabelledRows& rows) {
  if (!trained.readout || trained.readout->rows.empty()) return {};
  const auto classes = static_cast<size_t>(rows.classes);
  std::vector<bool> present(classes);
  for (const int64_t y : rows.labels) present[static_cast<size_t>(y)] = true;
  std::vector<Point2> points;
  for (size_t c = 0; c < classes; ++c)
    if (present[c]) points.push_back(trained.readout->rows.at(c).point());
  for (const size_t k : {size_t{0}, size_t{1}}) {
    const auto [low, high] =
        std::minmax_element(points.begin(), points.end(),
                            [k](const Point2& a, const Point2& b) { return a[k] < b[k]; });
    if (!((*high)[k] > (*low)[k])) return {};
  }
  const std::vector<Point2> unit = unit_box(points);
  std::vector<size_t> place(classes);
  for (size_t c = 0, next = 0; c < classes; ++c)
    if (present[c]) place[c] = next++;
  std::vector<double> start;
  for (const int64_t y : rows.labels) {
    const Point2& p = unit[place[static_cast<size_t>(y)]];
    start.insert(start.end(), {p[0], p[1]});
  }
  return Tensor::from(start, {rows.size(), 2});
}

std::vector<Point2> map_of(const TrainedModel& trained, const EmbeddedCells& cells) {
  const std::vector<int64_t> base = cells.part("train");
  const LabelledRows fitted = cells.rows.subset(base);
  UmapOptions options;
  options.seed = static_cast<uint64_t>(trained.config.seed);
  Umap umap(options);
  const std::vector<double> at =
      umap.fit(tensor_of(fitted), {}, guide_start(trained, fitted)).to_vector<double>();
  std::vector<Point2> out(static_cast<size_t>(cells.size()), {unknown, unknown});
  std::vector<bool> done(out.size());
  for (size_t i = 0; i < base.size(); ++i) {
    out[static_cast<size_t>(base[i])] = {at[2 * i], at[2 * i + 1]};
    done[static_cast<size_t>(base[i])] = true;
  }
  std::vector<int64_t> rest;
  for (int64_t i = 0; i < cells.size(); ++i)
    if (!done[static_cast<size_t>(i)]) rest.push_back(i);
  if (rest.empty()) return out;
  const std::vector<double> more =
      umap.transform(tensor_of(cells.rows.subset(rest))).to_vector<double>();
  for (size_t i = 0; i < rest.size(); ++i)
    out[static_cast<size_t>(rest[i])] = {more[2 * i], more[2 * i + 1]};
  return out;
}

// Places of the cells that scores are about.
std::vector<int64_t> scored(const EmbeddedCells& cells) {
  for (const char* part : {"test", "val"}) {
    const std::vector<int64_t> places = cells.part(part);
    if (cells.parts[static_cast<size_t>(places.front())] == part) return places;
  }
  return cells.part("");
}

}  // namespace

std::vector<int64_t> EmbeddedCells::part(const std::string& name) const {
  std::vector<int64_t> out;
  for (int64_t i = 0; i < size(); ++i)
    if (parts[static_cast<size_t>(i)] == name) out.push_back(i);
  if (out.empty())
    for (int64_t i = 0; i < size(); ++i) out.push_back(i);
  return out;
}

void add_cells(EmbeddedCells& cells, const Evaluation& evaluation, const Dataset& dataset) {
  const Predictions& p = evaluation.predictions;
  for (size_t i = 0; i < p.indices.size(); ++i) {
    cells.names.push_back(escape_control(dataset.samples[static_cast<size_t>(p.indices[i])].id));
    cells.parts.push_back(evaluation.role);
    cells.predicted.push_back(p.predicted[i]);
    cells.confidence.push_back(p.confidence(i));
  }
  cells.agreement.insert(cells.agreement.end(), p.agreement.begin(), p.agreement.end());
  cells.anchor_confidence.insert(cells.anchor_confidence.end(), p.anchor_confidence.begin(),
                                 p.anchor_confidence.end());
  cells.rows.width = p.width;
  cells.rows.classes = p.classes;
  cells.rows.values.insert(cells.rows.values.end(), p.embeddings.begin(), p.embeddings.end());
  cells.rows.labels.insert(cells.rows.labels.end(), p.labels.begin(), p.labels.end());
}

EmbeddedCells read_cells(const std::string& run, const std::vector<std::string>& classes) {
  const CsvTable table = read_csv(run + "/report/embeddings.csv");
  std::map<std::string, int64_t, std::less<>> index;
  for (const std::string& name : classes) index.emplace(name, static_cast<int64_t>(index.size()));
  const auto class_at = [&](size_t row, size_t column) {
    const auto found = index.find(table.at(row, column));
    if (found == index.end())
      table.fail(row, "class " + std::string(table.at(row, column)), "a class of the run", "",
                 "class.unknown");
    return found->second;
  };
  std::vector<size_t> components;
  for (size_t c = 0; c < table.columns(); ++c)
    if (const std::string& name = table.header()[c];
        name.size() > 1 && name[0] == 'e' && parse_int(name.substr(1)))
      components.push_back(c);
  const size_t sample = table.column("sample"), role = table.column("role"),
               truth = table.column("class"), predicted = table.column("predicted");
  const auto confidence = table.find_column("confidence"),
             agreement = table.find_column("agreement"),
             anchor = table.find_column("anchor_confidence");
  EmbeddedCells out;
  out.rows.width = static_cast<int64_t>(components.size());
  out.rows.classes = static_cast<int64_t>(classes.size());
  for (size_t row = 0; row < table.rows(); ++row) {
    out.names.emplace_back(table.at(row, sample));
    out.parts.emplace_back(table.at(row, role));
    out.rows.labels.push_back(class_at(row, truth));
    out.predicted.push_back(class_at(row, predicted));
    out.confidence.push_back(confidence ? table.number(row, *confidence) : unknown);
    if (agreement) out.agreement.push_back(table.number(row, *agreement));
    if (anchor) out.anchor_confidence.push_back(table.number(row, *anchor));
    for (const size_t c : components)
      out.rows.values.push_back(static_cast<float>(table.number(row, c)));
  }
  if (out.size() == 0 || out.rows.width < 2)
    throw DataError(Fault{"run.checkpoint", run + "/report/embeddings.csv", "",
                          "no embeddings of two components or more", "the file of cyto train", ""});
  return out;
}

Plane plane_of(const TrainedModel& trained, const EmbeddedCells& cells) {
  Plane out;
  const bool guided = trained.config.method == "guide2d";
  out.x_label = "component 1";
  out.y_label = "component 2";
  if (cells.rows.width == 2 || guided) {
    out.places = first_two(cells.rows);
    if (cells.rows.width == 2 && trained.by_head && trained.model->embedding_count() == 2) {
      out.regions = regions_of_head(trained);
      out.note = "regions: the network's classifier";
      return out;
    }
    if (cells.rows.width == 2 && trained.readout) {
      out.regions = regions_by(trained.readout->classifier);
      out.note = "regions: " + trained.readout->classifier->spec().text();
      return out;
    }
    if (cells.rows.width > 2)
      out.note = "the first 2 of " + std::to_string(cells.rows.width) + " components; ";
  } else {
    out.places = map_of(trained, cells);
    out.x_label = "UMAP 1";
    out.y_label = "UMAP 2";
    out.note = "UMAP of " + std::to_string(cells.rows.width) + " components; ";
  }
  out.regions = regions_of_neighbours(plane_rows(out.places, cells.rows, cells.part("train")));
  out.note += "regions: " + std::to_string(region_neighbours) + " neighbours in the plane";
  return out;
}

std::vector<std::array<uint8_t, 3>> class_colors(const TrainedModel& trained) {
  std::vector<GuideClass> rows;
  if (trained.readout) rows = trained.readout->rows;
  rows.resize(trained.classes.size());
  std::vector<std::array<uint8_t, 3>> out;
  for (size_t c = 0; c < rows.size(); ++c) out.push_back(class_color(rows[c], c));
  return out;
}

std::vector<size_t> class_order(const TrainedModel& trained) {
  std::vector<size_t> out(trained.classes.size());
  std::iota(out.begin(), out.end(), size_t{0});
  if (!trained.readout || trained.readout->rows.size() != out.size()) return out;
  const auto key = [&](size_t c) {
    const GuideClass& row = trained.readout->rows[c];
    return std::tuple(row.lineage == "none" ? std::string() : row.lineage, row.stage.value_or(0));
  };
  std::stable_sort(out.begin(), out.end(), [&](size_t a, size_t b) { return key(a) < key(b); });
  return out;
}

std::string embedding_figure(const std::string& title, const TrainedModel& trained,
                             const EmbeddedCells& cells, const Plane& plane) {
  EmbeddingFigure figure;
  figure.title = title;
  figure.x_label = plane.x_label;
  figure.y_label = plane.y_label;
  figure.classes = trained.classes;
  figure.colors = class_colors(trained);
  figure.order = class_order(trained);
  figure.regions = plane.regions;
  const std::vector<int64_t> places = scored(cells);
  const std::string& part = cells.parts[static_cast<size_t>(places.front())];
  figure.note = std::to_string(places.size()) + (part == "all" ? "" : " " + part) + " cells; " +
                plane.note + "; ellipses: 95 % of a class";
  for (const int64_t i : places) {
    const auto at = static_cast<size_t>(i);
    figure.points.push_back(plane.places[at]);
    figure.labels.push_back(cells.rows.labels[at]);
    figure.wrong.push_back(cells.predicted[at] != cells.rows.labels[at]);
  }
  return embedding_svg(figure);
}

std::vector<ReliabilityPanel> reliability_panels(const TrainedModel& trained,
                                                 const EmbeddedCells& cells) {
  const std::vector<int64_t> places = scored(cells);
  std::vector<uint8_t> correct;
  for (const int64_t i : places)
    correct.push_back(cells.predicted[static_cast<size_t>(i)] ==
                      cells.rows.labels[static_cast<size_t>(i)]);
  std::vector<ReliabilityPanel> out;
  const auto panel = [&](const std::string& name, const std::vector<double>& values) {
    if (values.size() != cells.names.size()) return;
    std::vector<double> picked;
    for (const int64_t i : places) {
      const double v = values[static_cast<size_t>(i)];
      if (std::isnan(v)) return;
      picked.push_back(v);
    }
    out.push_back({name, reliability_of(picked, correct)});
  };
  panel(trained.by_head ? "softmax" : "probability of the classifier", cells.confidence);
  const bool guide = trained.config.method == "guide2d" || trained.config.method == "guide-umap";
  panel(guide ? "distance to the guide" : "distance to the class mean", cells.anchor_confidence);
  panel("agreement of 15 neighbours", cells.agreement);
  return out;
}

std::vector<std::string> write_embedding_pages(const std::string& run, const TrainedModel& trained,
                                               const Task& task, const std::string& role) {
  EmbeddedCells cells;
  if (role == "all") {
    std::vector<int64_t> all;
    for (int64_t i = 0; i < task.dataset.size(); ++i) all.push_back(i);
    add_cells(cells, evaluate(trained, task.dataset, all, role, true), task.dataset);
  } else {
    const std::pair<const char*, const std::vector<int64_t>*> parts[] = {
        {"train", &task.split.train},
        {"val", &task.split.val},
        {"test", &task.split.test},
        {"unseen", &task.split.unseen}};
    for (const auto& entry : parts)
      if (!entry.second->empty())
        add_cells(cells, evaluate(trained, task.dataset, *entry.second, entry.first, true),
                  task.dataset);
  }
  if (cells.size() == 0 || cells.rows.width < 2) return {};
  const std::string name = run.substr(run.find_last_of('/') + 1);
  const Plane plane = plane_of(trained, cells);
  const std::string figure = run + "/report/embedding.svg", page = run + "/report/embedding.html";
  write_file_atomically(figure,
                        embedding_figure("Embedding of run " + name, trained, cells, plane));
  PageBuilder builder("Embedding of run " + name, trained, task);
  builder.add(name, cells, plane);
  write_file_atomically(page, builder.html());
  return {figure, page};
}

}  // namespace cytograd::cli
