"""Prints tests/detection/mask_rcnn_expected.h: what torchvision's Mask R-CNN gives.

Weights and images come from a counter that bench/support/counted_detector.h repeats, so that no file is shared;
bench/peers/worker.py takes them from here.
"""
import numpy as np
import torch
from torchvision.models.detection import MaskRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops.misc import FrozenBatchNorm2d

IMAGE = 1000000  # number of the first image; weights have smaller ones
UNLIMITED = {"rpn_batch_size_per_image": 10**6, "box_batch_size_per_image": 10**6, "box_positive_fraction": 0.5}


def uniform(number, count):
    """count values in [0, 1): splitmix64 of number * 2^32 + 0, 1, ..., upper 53 bits."""
    with np.errstate(over="ignore"):
        v = np.uint64(number << 32) + np.arange(count, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        v = (v ^ (v >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        v = (v ^ (v >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        v = v ^ (v >> np.uint64(31))
    return (v >> np.uint64(11)).astype(np.float64) * 2.0**-53


def fill(name, number, shape):
    u = uniform(number, int(np.prod(shape)))
    if name.endswith("running_var"):
        u = 0.5 + u
    elif len(shape) >= 2:
        gain = 1 if name.startswith("backbone.") else 0.5 if "box_predictor." in name else 2**0.5
        u = (2 * u - 1) * np.sqrt(3 / np.prod(shape[1:])) * gain
    elif name.endswith("weight"):
        u = 0.5 + 0.5 * u
    else:
        u = 0.2 * u - 0.1
    return torch.tensor(u.reshape(shape))


def make(backbone, classes, min_size, max_size, dtype, trainable_layers=5, **options):
    body = resnet_fpn_backbone(backbone_name=backbone, weights=None, norm_layer=FrozenBatchNorm2d,
                               trainable_layers=trainable_layers)
    model = MaskRCNN(body, num_classes=classes, min_size=min_size, max_size=max_size, **options)
    state = model.state_dict()
    for number, name in enumerate(sorted(state)):
        state[name].copy_(fill(name, number, tuple(state[name].shape)))
    return model.to(dtype)


def image(number, height, width, dtype):
    return torch.tensor(uniform(IMAGE + number, 3 * height * width).reshape(3, height, width), dtype=dtype)


def ellipse(height, width, cy, cx, ry, rx):
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return ((((y - cy) / ry)**2 + ((x - cx) / rx)**2) <= 1).to(torch.uint8)


def numbers(values):
    return "{" + ", ".join(f"{float(v):.9g}" for v in values) + "}"


def stats(t):
    flat = t.detach().double().reshape(-1)
    return numbers([flat.mean(), (flat**2).mean().sqrt(), flat[0], flat[-1]])


def train(model, images, targets):
    model.train()
    model.zero_grad()
    losses = model(images, targets)
    sum(losses.values()).backward()
    order = ("loss_classifier", "loss_box_reg", "loss_mask", "loss_objectness", "loss_rpn_box_reg")
    return [float(losses[name]) for name in order]


def print_losses(model, images, targets, parameters):
    print(f"    .losses = {numbers(train(model, images, targets))},")
    grads = {name: float(p.grad.double().norm()) for name, p in model.named_parameters()}
    print("    .gradients = {")
    for name in parameters:
        print(f'        {{"{name}", {grads[name]:.9g}}},')
    print("    },")
    print(f"    .gradient = {sum(g * g for g in grads.values())**0.5:.9g},")


def print_detections(model, images, most):
    model.eval()
    with torch.no_grad():
        results = model(images)
    print("    .found = {" + ", ".join(str(len(r["scores"])) for r in results) + "},")
    print("    .best = {")
    for n, r in enumerate(results):
        for i in range(min(most, len(r["scores"]))):
            mask = r["masks"][i, 0]
            print(f'        {{{n}, {int(r["labels"][i])}, {float(r["scores"][i]):.9g}, '
                  f'{numbers(r["boxes"][i])}, {int((mask >= 0.5).sum())}, {float(mask.sum()):.9g}}},')
    print("    },")


def spec_case(dtype):
    model = make("resnet50", 2, 128, 256, dtype, **UNLIMITED)
    model.eval()
    images = [image(0, 128, 160, dtype)]
    with torch.no_grad():
        batch, _ = model.transform(images)
        body = model.backbone.body(batch.tensors)
        levels = model.backbone.fpn(body)
        objectness, deltas = model.rpn.head(list(levels.values()))
        rois = torch.tensor([[20, 16, 120, 112], [4.5, 3.25, 40, 37.5], [-10, 60, 150, 140], [70, 70, 70, 70]],
                            dtype=dtype)
        heads = model.roi_heads
        pooled = heads.box_roi_pool(levels, [rois], batch.image_sizes)
        logits, boxes = heads.box_predictor(heads.box_head(pooled))
        h = heads.mask_roi_pool(levels, [rois], batch.image_sizes)
        masks = heads.mask_predictor(heads.mask_head(h))
        proposals, _ = model.rpn(batch, levels)
    print("const Expected resnet50_expected{")
    print("    .features = {")
    for tensor in (batch.tensors, body["0"], body["3"], levels["0"], levels["2"], levels["pool"], objectness[0],
                   deltas[0], objectness[4], deltas[4], pooled):
        print(f"        {stats(tensor)},")
    print("    },")
    print(f"    .logits = {numbers(logits.reshape(-1))},")
    print(f"    .deltas = {numbers(boxes[:, 4:].reshape(-1))},")
    print("    .pooled = {" + ", ".join(stats(x) for x in h) + "},")
    print("    .masks = {" + ", ".join(stats(x) for x in masks) + "},")
    print(f"    .proposals = {len(proposals[0])},")
    target = {
        "boxes": torch.tensor([[30, 20, 111, 101], [101, 44, 150, 117]], dtype=dtype),
        "labels": torch.tensor([1, 1]),
        "masks": torch.stack([ellipse(128, 160, 60, 70, 40, 40), ellipse(128, 160, 80, 125, 36, 24)]),
    }
    print_losses(model, images, [target],
                 ("backbone.body.conv1.weight", "backbone.body.layer4.2.conv3.weight",
                  "backbone.fpn.inner_blocks.0.0.weight", "rpn.head.cls_logits.weight",
                  "rpn.head.bbox_pred.weight", "roi_heads.box_head.fc6.weight",
                  "roi_heads.box_predictor.cls_score.weight", "roi_heads.mask_head.0.0.weight",
                  "roi_heads.mask_predictor.conv5_mask.weight",
                  "roi_heads.mask_predictor.mask_fcn_logits.weight"))
    print_detections(model, images, 2)
    print("};\n")


def odd_case(dtype):
    """Two images of odd sizes, resized by unequal ratios; the second has no objects."""
    model = make("resnet18", 3, 128, 200, dtype, **UNLIMITED)
    images = [image(0, 97, 131, dtype), image(1, 150, 64, dtype)]
    targets = [{
        "boxes": torch.tensor([[11, 9, 62, 71], [60, 30, 110, 83]], dtype=dtype),
        "labels": torch.tensor([1, 2]),
        "masks": torch.stack([ellipse(97, 131, 40, 36, 31, 25), ellipse(97, 131, 56, 85, 26, 25)]),
    }, {
        "boxes": torch.zeros((0, 4), dtype=dtype),
        "labels": torch.zeros(0, dtype=torch.int64),
        "masks": torch.zeros((0, 150, 64), dtype=torch.uint8),
    }]
    print("const Expected resnet18_expected{")
    print_losses(model, images, targets,
                 ("backbone.body.conv1.weight", "backbone.body.layer4.1.conv2.weight",
                  "backbone.fpn.layer_blocks.3.0.weight", "rpn.head.conv.0.0.weight",
                  "roi_heads.box_head.fc7.weight", "roi_heads.mask_head.3.0.weight"))
    print_detections(model, images, 3)
    print("};")


if __name__ == "__main__":
    torch.manual_seed(0)
    print("""#pragma once

// Printed by tests/reference/mask_rcnn_parity.py (float64).

#include "detection/mask_rcnn_parity.h"
""")
    spec_case(torch.float64)
    odd_case(torch.float64)
