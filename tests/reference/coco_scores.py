"""Prints tests/reference/coco_scores.json, what tests/detection/coco_reference_test.cpp expects: the scores that pycocotools
gives to random objects and detections, boxes and masks, together and per class, and polygons as it fills them.

    pip install pycocotools numpy
    python tests/reference/coco_scores.py > tests/reference/coco_scores.json

Scores come in steps, so that many are equal; boxes and areas fall on the edges of thresholds; some objects are groups, some
images have no objects, some classes none at all, and one image has more detections than count. A mask is the union of two
rectangles, each x, y, width, height. An object is class, group, box, area, mask; a detection class, score, box, mask.
"""
import contextlib
import copy
import json
import os
import random

import numpy as np
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

HEIGHT, WIDTH = 240, 320
SIDES = (4, 9, 20, 32, 33, 60, 96, 97, 150)  # 32 and 96: squares at the edges between small, medium and large


def rectangle(rng):
    w, h = rng.choice(SIDES), rng.choice(SIDES)
    return [rng.randrange(0, WIDTH - w), rng.randrange(0, HEIGHT - h), w, h]


def second_part(rng, first):
    """A rectangle that begins inside the first."""
    x, y = first[0] + rng.randrange(first[2]), first[1] + rng.randrange(first[3])
    return [x, y, min(rng.randrange(1, 40), WIDTH - x), min(rng.randrange(1, 40), HEIGHT - y)]


def pixels(parts):
    out = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
    for x, y, w, h in parts:
        out[y:y + h, x:x + w] = 1
    return out


def moved(rng, parts):
    """Nearly the same mask, at times exactly the half or three quarters of it."""
    kind = rng.random()
    x, y, w, h = parts[0]
    if kind < 0.15 and w % 2 == 0:
        return [[x, y, w // 2, h]] + parts[1:]
    if kind < 0.3 and h % 4 == 0:
        return [[x, y, w, 3 * h // 4]] + parts[1:]
    if kind < 0.4:
        return copy.deepcopy(parts)
    x, y = max(0, x + rng.randrange(-4, 5)), max(0, y + rng.randrange(-4, 5))
    return [[x, y, min(max(1, w + rng.randrange(-5, 6)), WIDTH - x), min(max(1, h + rng.randrange(-5, 6)), HEIGHT - y)]]


def box_of(rng, parts):
    """The mask's first part, at times not tight."""
    x, y, w, h = parts[0]
    return [x, y, w, h] if rng.random() < 0.7 else [x + 0.25, y - 0.5, w + 0.75, h + 0.5]


def image(rng, classes, objects, alarms):
    out = {"objects": [], "results": []}
    for _ in range(objects):
        parts = [rectangle(rng)]
        if rng.random() < 0.4:
            parts.append(second_part(rng, parts[0]))
        label, crowd = rng.choice(classes), int(rng.random() < 0.15)
        area = int(pixels(parts).sum()) if rng.random() < 0.8 else parts[0][2] * parts[0][3] / 2
        out["objects"].append([label, crowd, box_of(rng, parts), area, parts])
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3)) + 2 * crowd):
            found = moved(rng, parts)
            said = label if rng.random() < 0.85 else rng.choice(classes)
            out["results"].append([said, rng.randrange(1, 20) / 20, box_of(rng, found), found])
    for _ in range(alarms):
        parts = [rectangle(rng)]
        out["results"].append([rng.choice(classes + [9]), rng.randrange(1, 20) / 20, box_of(rng, parts), parts])
    rng.shuffle(out["results"])
    return out


def scores_of(images, kind):
    """The twelve numbers of COCOeval, of all classes and of each."""
    labels = sorted({o[0] for i in images for o in i["objects"]} | {r[0] for i in images for r in i["results"]})
    truth = {"images": [], "annotations": [], "categories": [{"id": c, "name": str(c)} for c in labels]}
    found = []
    for n, one in enumerate(images, 1):
        truth["images"].append({"id": n, "height": HEIGHT, "width": WIDTH})
        for label, crowd, box, area, parts in one["objects"]:
            truth["annotations"].append({
                "id": len(truth["annotations"]) + 1, "image_id": n, "category_id": label, "iscrowd": crowd, "bbox": box,
                "area": area, "segmentation": coco_mask.encode(pixels(parts))})
        for label, score, box, parts in one["results"]:
            entry = {"image_id": n, "category_id": label, "score": score}
            entry["bbox" if kind == "bbox" else "segmentation"] = \
                box if kind == "bbox" else coco_mask.encode(pixels(parts))
            found.append(entry)
    coco = COCO()
    coco.dataset = truth
    coco.createIndex()
    evaluation = COCOeval(coco, coco.loadRes(found), kind)
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    precision, recall = evaluation.eval["precision"], evaluation.eval["recall"]  # [T, R, K, A, M], [T, K, A, M]

    def mean(values):
        values = values[values > -1]
        return float(values.mean()) if values.size else -1.0

    out = {"all": [float(v) for v in evaluation.stats]}
    for k, label in enumerate(labels):
        p, r = precision[:, :, k], recall[:, k]
        out[str(label)] = [mean(p[:, :, 0, 2]), mean(p[0, :, 0, 2]), mean(p[5, :, 0, 2]),
                           *(mean(p[:, :, a, 2]) for a in (1, 2, 3)), *(mean(r[:, 0, m]) for m in (0, 1, 2)),
                           *(mean(r[:, a, 2]) for a in (1, 2, 3))]
    return out


def case(rng, classes, counts, alarms):
    images = [image(rng, classes, n, alarms) for n in counts]
    return {"images": images, "box": scores_of(images, "bbox"), "mask": scores_of(images, "segm")}


def polygon(rng, corners):
    """Corners in eighths of a pixel, some outside; with its pixels as pycocotools fills them."""
    height, width = rng.randrange(1, 40), rng.randrange(1, 40)
    values = [rng.randrange(-40, 8 * (side + 5)) / 8 for _ in range(corners) for side in (width, height)]
    text = coco_mask.frPyObjects([values], height, width)[0]["counts"].decode()
    return {"height": height, "width": width, "corners": values, "counts": text}


def main():
    rng = random.Random(7)
    with open(os.devnull, "w") as quiet, contextlib.redirect_stdout(quiet):
        out = {"height": HEIGHT, "width": WIDTH, "cases": [
            case(rng, [1], (2, 0, 3), 1),
            case(rng, [1, 2, 3], (5, 3, 0, 6, 1, 4, 9, 2), 3),
            case(rng, [4, 2], (8, 7, 2, 0, 12), 6),
            case(rng, [1], (14, 3), 230),
            case(rng, [3], (0, 0), 3),
        ], "polygons": [polygon(rng, n) for n in (3, 4, 5, 7, 3, 4, 12, 30) * 3]}
    lines = json.dumps(out, separators=(",", ":")).replace('{"objects"', '\n{"objects"').replace(
        '],"box"', '],\n"box"').replace('"mask":{', '\n"mask":{').replace('{"height"', '\n{"height"')
    print(lines.lstrip())


if __name__ == "__main__":
    main()
