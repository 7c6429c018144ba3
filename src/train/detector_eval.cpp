#include <algorithm>
#include <cmath>

#include "cytograd/core/error.h"
#include "cytograd/data/loader.h"
#include "cytograd/io/text.h"
#include "cytograd/train/detector.h"

namespace cytograd {

using detection::CocoKind;
using detection::FoundObject;

Tensor pixels_of(const Image& image, const detection::Tile& tile) {
  check<ValueError>(tile.y >= 0 && tile.x >= 0 && tile.y + tile.height <= image.height &&
                        tile.x + tile.width <= image.width,
                    "pixels_of", "expects a tile inside ", image.width, " x ", image.height,
                    " pixels");
  Tensor out = Tensor::empty({tile.height, tile.width, image.channels});
  float* to = out.data<float>();
  for (int64_t i = 0; i < tile.height; ++i) {
    const uint8_t* from = image.at(tile.y + i, tile.x);
    for (int64_t k = 0; k < tile.width * image.channels; ++k)
      *to++ = static_cast<float>(from[k]) / 255.f;
  }
  return out;
}

Tensor pixels_of(const Image& image) { return pixels_of(image, {0, 0, image.height, image.width}); }

models::Target target_of(const FieldView& view, const std::string& name) {
  models::Target out;
  out.name = name;
  std::vector<const FieldObject*> objects;
  bool any = false;
  for (const FieldObject& o : view.objects) {
    if (o.crowd) continue;
    objects.push_back(&o);
    out.boxes.push_back(o.box);
    out.labels.push_back(o.label + 1);
    out.has_mask.push_back(o.has_mask() ? 1 : 0);
    any = any || o.has_mask();
  }
  if (!any) {
    out.has_mask.clear();
    return out;
  }
  const int64_t height = view.image.height, width = view.image.width;
  out.masks = Tensor::zeros({static_cast<int64_t>(objects.size()), height, width}, Dtype::uint8);
  for (size_t n = 0; n < objects.size(); ++n) {
    const detection::MaskPiece& m = objects[n]->mask;
    uint8_t* plane = out.masks.data<uint8_t>() + static_cast<int64_t>(n) * height * width;
    for (int64_t i = 0; i < m.height; ++i)
      std::copy_n(m.values.data() + i * m.width, m.width, plane + (m.y + i) * width + m.x);
  }
  return out;
}

detection::TileOptions tiles_for(const TrainedDetector& trained, int64_t height, int64_t width,
                                 int64_t side, double overlap) {
  detection::TileOptions out;
  out.overlap = overlap;
  out.side = std::max<int64_t>(side, 0);
  const auto shorter = static_cast<double>(std::min(height, width));
  if (side == 0 && trained.field_side > 0 &&
      shorter > 1.5 * static_cast<double>(trained.field_side))
    out.side = trained.field_side;
  return out;
}

std::vector<FoundObject> find_objects(const models::MaskRcnn& model, const Image& image,
                                      const detection::TileOptions& tiles, const std::string& name,
                                      int64_t* not_finite) {
  return models::detect_in_tiles(
      model, [&image](const detection::Tile& tile) { return pixels_of(image, tile); }, image.height,
      image.width, tiles, name, not_finite);
}

void DetectorScorer::add(const Field& field, const std::vector<FoundObject>& found) {
  detection::CocoImage boxes, masks;
  boxes.objects = coco_objects(field, CocoKind::box);
  if (masks_) masks.objects = coco_objects(field, CocoKind::mask);
  for (const FoundObject& f : found) {
    detection::CocoResult result;
    result.category = f.label;
    result.box = {f.box.x1, f.box.y1, f.box.width(), f.box.height()};
    result.score = f.score;
    boxes.results.push_back(result);
    if (!masks_) continue;
    result.mask = detection::rle_of(f.mask, field.height, field.width);
    masks.results.push_back(std::move(result));
  }
  const detection::Box whole{0, 0, static_cast<float>(field.width),
                             static_cast<float>(field.height)};
  for (const FieldObject& o : field.objects) {
    if (o.crowd) continue;
    ++objects_;
    if (!o.has_mask()) continue;
    ++annotated_masks_;
    const auto pixels = static_cast<double>(detection::area(o.mask));
    double iou = 0, dice = 0;
    for (const FoundObject& f : found) {
      if (f.label != o.label + 1 || f.score < 0.5f) continue;
      const auto both = static_cast<double>(detection::intersection(o.mask, f.mask, whole));
      const double sum = pixels + static_cast<double>(detection::area(f.mask));
      if (both / (sum - both) <= iou) continue;
      iou = both / (sum - both);
      dice = 2 * both / sum;
    }
    Sum& all = sums_[o.label + 1];
    all.iou += iou;
    all.dice += dice;
    ++all.count;
  }
  box_images_.push_back(std::move(boxes));
  if (masks_) mask_images_.push_back(std::move(masks));
}

DetectorScores DetectorScorer::scores() const {
  DetectorScores out;
  out.fields = static_cast<int64_t>(box_images_.size());
  out.objects = objects_;
  out.masks = annotated_masks_;
  out.box = detection::evaluate_coco(box_images_, CocoKind::box);
  if (!masks_ || annotated_masks_ == 0) return out;
  out.mask = detection::evaluate_coco(mask_images_, CocoKind::mask);
  Sum all;
  for (const auto& [label, sum] : sums_) {
    out.class_iou[label] = sum.iou / static_cast<double>(sum.count);
    all.iou += sum.iou;
    all.dice += sum.dice;
    all.count += sum.count;
  }
  out.mean_iou = all.iou / static_cast<double>(all.count);
  out.mean_dice = all.dice / static_cast<double>(all.count);
  return out;
}

DetectorScores score_fields(const models::MaskRcnn& model, const FieldSet& fields,
                            const std::vector<int64_t>& part, const detection::TileOptions& tiles,
                            int64_t max_pixels, const ProgressCallback& progress,
                            const FoundCallback& found) {
  DetectorScorer scorer(model.options().masks);
  int64_t done = 0;
  for (const int64_t i : part) {
    const Sample& sample = fields.index.samples[static_cast<size_t>(i)];
    const Image image = read_sample(sample, max_pixels);
    const std::vector<FoundObject> objects = find_objects(model, image, tiles, sample.path);
    scorer.add(fields.fields[static_cast<size_t>(i)], objects);
    if (found) found(i, objects);
    if (progress) progress(++done, static_cast<int64_t>(part.size()));
  }
  return scorer.scores();
}

namespace {

std::string number(double value) { return value >= 0 ? format_double(value) : "null"; }

std::string scores_object(const detection::CocoScores& s) {
  std::string out = "{";
  const std::pair<const char*, double> values[] = {
      {"AP", s.ap},        {"AP50", s.ap50},     {"AP75", s.ap75},
      {"APs", s.ap_small}, {"APm", s.ap_medium}, {"APl", s.ap_large},
      {"AR1", s.ar1},      {"AR10", s.ar10},     {"AR100", s.ar100}};
  for (const auto& [name, value] : values)
    out += (out.size() > 1 ? ",\"" : "\"") + std::string(name) + "\":" + number(value);
  return out + "}";
}

// The scores of one class; all "nothing to find" where the report lacks it.
detection::CocoScores of_class(const detection::CocoReport& report, int64_t label) {
  const auto at = report.categories.find(label);
  return at == report.categories.end() ? detection::CocoScores{} : at->second;
}

}  // namespace

std::string detector_json(const DetectorScores& s, const std::vector<std::string>& classes,
                          const std::string& role) {
  std::string out = "{\"split\":" + json_text(role) + ",\"fields\":" + std::to_string(s.fields) +
                    ",\"objects\":" + std::to_string(s.objects) +
                    ",\"masks\":" + std::to_string(s.masks) +
                    ",\"box\":" + scores_object(s.box.all) +
                    ",\"mask\":" + (s.mask ? scores_object(s.mask->all) : "null") +
                    ",\"mean_mask_iou\":" + number(s.mean_iou) +
                    ",\"mean_mask_dice\":" + number(s.mean_dice) + ",\"per_class\":{";
  for (size_t c = 0; c < classes.size(); ++c) {
    const auto label = static_cast<int64_t>(c) + 1;
    const auto iou = s.class_iou.find(label);
    out += (c > 0 ? "," : "") + json_text(classes[c]) +
           ":{\"box\":" + scores_object(of_class(s.box, label)) +
           ",\"mask\":" + (s.mask ? scores_object(of_class(*s.mask, label)) : "null") +
           ",\"mean_mask_iou\":" + (iou == s.class_iou.end() ? "null" : number(iou->second)) + "}";
  }
  return out + "}}";
}

std::string detector_text(const DetectorScores& s, const std::vector<std::string>& classes,
                          const std::string& role) {
  const auto cell = [](double value) {
    const std::string text = value >= 0 ? format_fixed(value, 3) : "n/a";
    return std::string(8 > text.size() ? 8 - text.size() : 1, ' ') + text;
  };
  size_t width = 5;
  for (const std::string& name : classes) width = std::max(width, escape_control(name).size());
  const auto row = [&](const std::string& name, const detection::CocoScores& box,
                       const detection::CocoScores& mask, double iou) {
    return name + std::string(width - name.size(), ' ') + cell(box.ap) + cell(box.ap50) +
           cell(box.ar100) + cell(mask.ap) + cell(mask.ap50) + cell(iou) + "\n";
  };
  std::string out = role + " part, " + std::to_string(s.fields) + " fields, " +
                    std::to_string(s.objects) + " objects, " + std::to_string(s.masks) +
                    " with masks\n\n" + std::string(width, ' ') +
                    "  box AP    AP50   AR100 mask AP    AP50     IoU\n";
  const detection::CocoScores none;
  for (size_t c = 0; c < classes.size(); ++c) {
    const auto label = static_cast<int64_t>(c) + 1;
    const auto iou = s.class_iou.find(label);
    out +=
        row(escape_control(classes[c]), of_class(s.box, label),
            s.mask ? of_class(*s.mask, label) : none, iou == s.class_iou.end() ? -1 : iou->second);
  }
  return out + row("all", s.box.all, s.mask ? s.mask->all : none, s.mean_iou);
}

}  // namespace cytograd
