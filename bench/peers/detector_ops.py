"""RoIAlign and non-maximum suppression of `cyto bench ops` in torchvision and in Cytograd, in turn, on the same machine.

    python bench/peers/detector_ops.py build/release/cyto [--threads N] [--rounds N]

Per case: median over rounds of each side's best ms, and the ratio (above 1: Cytograd is faster). Boxes and scores are the
same on both sides. Each side has its own layout of features: [1, C, H, W] there, [1, H, W, C] here. With one thread both
report processor time, which other programs disturb less.
"""
import argparse
import pathlib
import statistics
import sys

import numpy as np
import torch
import torchvision

from conv2d_torch import best_ms, own_rows

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "reference"))
from mask_rcnn_parity import uniform  # noqa: E402


def roi_align(sizes, backward):
    h, w, c, count, bins, sampling = (sizes[name] for name in ("h", "w", "c", "boxes", "bins", "sampling"))
    u = uniform(1, 4 * count).reshape(count, 4)
    x, y = 530 * u[:, 0], 370 * u[:, 1]
    boxes = np.stack([np.zeros(count), x, y, x + 10 + 100 * u[:, 2], y + 10 + 100 * u[:, 3]], 1)
    rois = torch.tensor(boxes, dtype=torch.float32)
    if backward:
        dy = torch.rand(count, c, bins, bins)
        return lambda: torch.ops.torchvision._roi_align_backward(
            dy, rois, 0.25, bins, bins, 1, c, h, w, sampling, False)
    features = torch.rand(1, c, h, w)
    return lambda: torchvision.ops.roi_align(features, rois, bins, 0.25, sampling, False)


def nms(sizes):
    count, objects = sizes["boxes"], sizes["objects"]
    u, place = uniform(1, 5 * count).reshape(count, 5), uniform(2, 2 * objects).reshape(objects, 2)
    place = place[np.arange(count) % objects]
    x, y = 520 * place[:, 0] + 8 * u[:, 0], 360 * place[:, 1] + 8 * u[:, 1]
    boxes = torch.tensor(np.stack([x, y, x + 20 + 100 * u[:, 2], y + 20 + 100 * u[:, 3]], 1), dtype=torch.float32)
    scores = torch.tensor(u[:, 4], dtype=torch.float32)
    return lambda: torchvision.ops.nms(boxes, scores, sizes["percent"] / 100)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    print(f"# PyTorch {torch.__version__}, torchvision {torchvision.__version__}, {args.threads} threads")
    print(f"{'operation':30} {'torchvision':>11} {'own':>9} ms  ratio")
    rows = [row for family in ("roi_align/", "nms/")
            for row in own_rows(args.program, ["--list", "--filter", family])]
    for row in rows:
        name, sizes = row["name"], row["sizes"]
        peer = nms(sizes) if name.startswith("nms/") else roi_align(sizes, name.endswith("backward"))
        theirs, own = [], []
        with torch.no_grad():
            for _ in range(args.rounds):
                theirs.append(best_ms(peer))
                own.append(own_rows(args.program, ["--filter", name, "--threads", str(args.threads)])[0]["ms"])
        theirs, own = statistics.median(theirs), statistics.median(own)
        print(f"{name:30} {theirs:11.3f} {own:9.3f}    {theirs / own:6.2f}", flush=True)


if __name__ == "__main__":
    main()
