// Segments a blood smear with the library alone: draws smears, trains Mask R-CNN on their white
// cells for a few dozen steps, outlines the white cells of smears that it has not seen, and writes
// one with its outlines as segmented.png. Expected: at least seven of ten cells found, with a mask
// that overlaps the drawn one by half and more. A quarter of a minute on one core.

#include <cytograd/autograd/record.h>
#include <cytograd/models/mask_rcnn/tiled.h>
#include <cytograd/optim/adam.h>
#include <cytograd/report/detector_page.h>
#include <cytograd/synth/smears.h>
#include <cytograd/train/detector.h>

#include <iostream>

using namespace cytograd;

namespace {

constexpr uint64_t kTrain = 40, kSteps = 120, kTest = 8;
constexpr size_t kBatch = 2;

// A smear, and its white cells as a detector learns them.
FieldView draw(uint64_t index) {
  const synth::Smear smear = synth::draw_smear({.seed = 1,
                                                .index = index,
                                                .width = 160,
                                                .height = 128,
                                                .microns_per_pixel = 0.4,
                                                .white_cells = 2,
                                                .classes = {}});
  FieldView out{smear.image, {}};
  for (const synth::SmearObject& o : smear.objects) {
    if (o.instance == 0) continue;
    detection::MaskPiece mask{o.x1, o.y1, o.x2 - o.x1 + 1, o.y2 - o.y1 + 1, {}};
    for (int64_t y = o.y1; y <= o.y2; ++y)
      for (int64_t x = o.x1; x <= o.x2; ++x)
        mask.values.push_back(
            smear.instances.labels[static_cast<size_t>(y * smear.instances.width + x)] ==
            o.instance);
    if (detection::area(mask) >= 60) out.objects.push_back({0, bounds(mask), tight(mask), false});
  }
  return out;
}

// ResNet-18 with a pyramid and heads that are narrow enough for one core.
models::MaskRcnnOptions small() {
  models::MaskRcnnOptions out;
  out.backbone = models::resnet18;
  out.classes = 2;
  out.channels = 32;
  out.frozen_norm = false;
  out.input.min_size = {128};
  out.input.max_size = 160;
  out.rpn.anchors.sizes = {{16}, {32}, {64}, {128}, {256}};
  out.rpn.train_before_nms = out.rpn.train_after_nms = 200;
  out.rpn.before_nms = out.rpn.after_nms = 100;
  out.roi.samples = 32;
  out.roi.hidden = 128;
  out.seed = 1;
  return out;
}

void train(models::MaskRcnn& model) {
  std::vector<FieldView> smears;
  for (uint64_t i = 0; i < kTrain; ++i) smears.push_back(draw(i));
  FieldAugmentation changes;
  changes.pixels.flip_horizontal = changes.pixels.flip_vertical = 0.5;
  optim::Adam adam(model.named_parameters(), {.lr = 1e-3});
  model.train();
  for (uint64_t step = 0; step < kSteps; ++step) {
    std::vector<Tensor> images;
    std::vector<models::Target> targets;
    for (size_t k = 0; k < kBatch; ++k) {
      const uint64_t i = (step * kBatch + k) % kTrain;
      const FieldView view = augment(smears[i], changes, Rng(2, "smear", step, i));
      images.push_back(pixels_of(view.image));
      targets.push_back(target_of(view, "smear " + std::to_string(i)));
    }
    const models::DetectionLosses losses = model.losses(images, targets, {.seed = 3, .step = step});
    losses.check_finite(targets);
    adam.zero_grad();
    losses.total().backward();
    adam.set_lr(step < 90 ? 1e-3 : 2e-4);
    adam.step();
    if (step % 20 == 0) std::cout << "step " << step << ": loss " << losses.total().item() << "\n";
  }
  model.eval();
}

}  // namespace

int main() {
  models::MaskRcnn model(small());
  train(model);
  int64_t cells = 0, hits = 0, alarms = 0;
  for (uint64_t i = 0; i < kTest; ++i) {
    const FieldView smear = draw(kTrain + i);
    const auto found = find_objects(model, smear.image, {}, "smear");
    const Field field{smear.image.height, smear.image.width, smear.objects};
    const FieldJudgement judged = judge_field(field, found);
    cells += static_cast<int64_t>(field.objects.size());
    hits += judged.hits;
    alarms += static_cast<int64_t>(judged.alarms.size());
    if (i > 0) continue;
    for (const detection::FoundObject& o : found)
      if (o.score >= 0.5f)
        std::cout << "a cell of " << detection::area(o.mask) << " pixels in " << o.box << ", score "
                  << o.score << "\n";
    write_png("segmented.png", draw_judged(smear.image, field, found, judged));
  }
  std::cout << hits << " of " << cells << " cells found, " << alarms << " false alarms\n";
  return 10 * hits >= 7 * cells ? 0 : 1;
}
