"""The PBC recipe of docs/results.md in PyTorch: ResNet-18 from scratch on a given splits.csv.

Usage: torch_pbc.py DATA SPLITS.csv [--size 96] [--epochs 25] [--batch 32] [--lr 1e-3] [--seed 0]
SPLITS.csv has columns sample, role, class (and fold, group), as `cyto train` writes it; samples are paths relative to DATA.
Prints one line of JSON: accuracy and macro-F1 on the held-back part, seconds per epoch.
"""
import argparse, csv, json, math, os, time
import numpy as np, torch, torchvision
from PIL import Image


def load(root, rows):
    return [np.asarray(Image.open(os.path.join(root, r["sample"])).convert("RGB")) for r in rows]


def square(image):
    """Pads the shorter side by reflection, as Cytograd's default fit does."""
    h, w = image.shape[:2]
    side = max(h, w)
    top, left = (side - h) // 2, (side - w) // 2
    return np.pad(image, ((top, side - h - top), (left, side - w - left), (0, 0)), mode="reflect")


def resized(image, size):
    return np.asarray(Image.fromarray(image).resize((size, size), Image.BILINEAR))


def augment(image, size, rng):
    """The preset `light`: crop of 80..100 % of the area, the eight symmetries, brightness and contrast by 10 %."""
    side = image.shape[0]
    area, aspect = rng.uniform(0.8, 1) * side * side, math.exp(rng.uniform(-1, 1) * math.log(1.1))
    h, w = min(side, round(math.sqrt(area / aspect))), min(side, round(math.sqrt(area * aspect)))
    y, x = rng.integers(side - h + 1), rng.integers(side - w + 1)
    image = np.rot90(resized(image[y : y + h, x : x + w], size), rng.integers(4))
    if rng.random() < 0.5:
        image = image[:, ::-1]
    image = image.astype(np.float32) * rng.uniform(0.9, 1.1)
    mean = image.mean()
    return np.clip((image - mean) * rng.uniform(0.9, 1.1) + mean, 0, 255)


def normalise(batch):
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    x = ((batch / 255.0 - mean) / std).astype(np.float32)
    return torch.from_numpy(np.ascontiguousarray(x)).permute(0, 3, 1, 2)


def macro_f1(truth, predicted, classes):
    scores = []
    for c in range(classes):
        tp = int(((truth == c) & (predicted == c)).sum())
        wrong = int((truth == c).sum()) + int((predicted == c).sum()) - 2 * tp
        if 2 * tp + wrong:
            scores.append(2 * tp / (2 * tp + wrong))
    return float(np.mean(scores))


def main():
    p = argparse.ArgumentParser()
    p.add_argument("data"), p.add_argument("splits")
    p.add_argument("--size", type=int, default=96), p.add_argument("--epochs", type=int, default=25)
    p.add_argument("--batch", type=int, default=32), p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--weight-decay", type=float, default=0.01)
    p.add_argument("--seed", type=int, default=0), p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    torch.manual_seed(a.seed), torch.set_num_threads(a.threads)
    rng = np.random.default_rng(a.seed)
    rows = list(csv.DictReader(open(a.splits)))
    classes = sorted({r["class"] for r in rows})
    parts = {role: [r for r in rows if r["role"] == role] for role in ("train", "val", "test")}
    held = "test" if parts["test"] else "val"
    x = [square(i) for i in load(a.data, parts["train"])]
    y = np.array([classes.index(r["class"]) for r in parts["train"]])
    xt = normalise(np.stack([resized(square(i), a.size) for i in load(a.data, parts[held])])).contiguous(memory_format=torch.channels_last)
    yt = np.array([classes.index(r["class"]) for r in parts[held]])

    model = torchvision.models.resnet18(num_classes=len(classes)).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), lr=a.lr, weight_decay=a.weight_decay)
    steps = math.ceil(len(x) / a.batch) * a.epochs
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    start = time.time()
    for _ in range(a.epochs):
        model.train()
        order = rng.permutation(len(x))
        for i in range(0, len(order), a.batch):
            pick = order[i : i + a.batch]
            batch = normalise(np.stack([augment(x[j], a.size, rng) for j in pick])).contiguous(memory_format=torch.channels_last)
            loss = torch.nn.functional.cross_entropy(model(batch), torch.from_numpy(y[pick]))
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            schedule.step()
    seconds = (time.time() - start) / a.epochs
    model.eval()
    with torch.inference_mode():
        predicted = np.concatenate([model(xt[i : i + 64]).argmax(1).numpy() for i in range(0, len(xt), 64)])
    print(json.dumps({"seed": a.seed, "held_back": held, "n": len(yt), "accuracy": float((predicted == yt).mean()),
                      "f1_macro": macro_f1(yt, predicted, len(classes)), "seconds_per_epoch": seconds}))


main()
