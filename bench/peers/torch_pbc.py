"""The PBC recipe of docs/results.md in PyTorch: ResNet-18 from scratch on a given splits.csv.

Usage: torch_pbc.py DATA SPLITS.csv [--size 96] [--epochs 30] [--batch 32] [--lr 1e-3] [--seed 0]
SPLITS.csv has columns sample, role, class (and fold, group), as `cyto train` writes it; samples are paths relative to DATA.
Prints one line of JSON: accuracy and macro-F1 on the held-back part, seconds per epoch.
"""
import argparse, csv, json, math, os, time
import numpy as np, torch, torchvision
from PIL import Image


def load(root, rows, size):
    images = []
    for row in rows:
        image = Image.open(os.path.join(root, row["sample"])).convert("RGB")
        images.append(np.asarray(image.resize((size, size), Image.BILINEAR)))
    return np.stack(images)


def augment(batch, rng):
    # One of the eight symmetries of the square, then brightness and contrast by up to 10 %.
    out = []
    for image in batch:
        image = np.rot90(image, rng.integers(4))
        if rng.random() < 0.5:
            image = image[:, ::-1]
        image = image.astype(np.float32)
        image = image * rng.uniform(0.9, 1.1)
        mean = image.mean()
        image = (image - mean) * rng.uniform(0.9, 1.1) + mean
        out.append(np.clip(image, 0, 255))
    return np.stack(out)


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
    p.add_argument("--size", type=int, default=96), p.add_argument("--epochs", type=int, default=30)
    p.add_argument("--batch", type=int, default=32), p.add_argument("--lr", type=float, default=1e-3)
    p.add_argument("--weight-decay", type=float, default=0.0)
    p.add_argument("--seed", type=int, default=0), p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    torch.manual_seed(a.seed), torch.set_num_threads(a.threads)
    rng = np.random.default_rng(a.seed)
    rows = list(csv.DictReader(open(a.splits)))
    classes = sorted({r["class"] for r in rows})
    parts = {role: [r for r in rows if r["role"] == role] for role in ("train", "val", "test")}
    held = "test" if parts["test"] else "val"
    x = load(a.data, parts["train"], a.size)
    y = np.array([classes.index(r["class"]) for r in parts["train"]])
    xt = normalise(load(a.data, parts[held], a.size)).contiguous(memory_format=torch.channels_last)
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
            batch = normalise(augment(x[pick], rng)).contiguous(memory_format=torch.channels_last)
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
