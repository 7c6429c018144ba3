"""Images per second of torchvision's ImageFolder and DataLoader: the work of bench_loader.

    torch_loader.py DIR [image size] [workers] [epochs] [none|jitter]
"""
import sys
import time

import torch
from torchvision import datasets, transforms as T

folder = sys.argv[1]
size = int(sys.argv[2]) if len(sys.argv) > 2 else 224
workers = int(sys.argv[3]) if len(sys.argv) > 3 else 2
epochs = int(sys.argv[4]) if len(sys.argv) > 4 else 3
augment = sys.argv[5] if len(sys.argv) > 5 else "jitter"

torch.set_num_threads(1)
steps = [T.Resize((size, size))] if augment == "none" else [
    T.RandomResizedCrop(size, scale=(0.7, 1.0)),
    T.RandomHorizontalFlip(),
    T.RandomVerticalFlip(),
    T.ColorJitter(0.3, 0.3, 0.3, 0.1),
]
steps += [T.ToTensor(), T.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))]


def is_image(path):
    name = path.rsplit("/", 1)[-1]
    return name.lower().endswith((".jpg", ".png", ".bmp")) and not name.startswith(".")


data = datasets.ImageFolder(folder, T.Compose(steps), is_valid_file=is_image)
loader = torch.utils.data.DataLoader(data, batch_size=32, shuffle=True, num_workers=workers,
                                     persistent_workers=True)
for epoch in range(epochs):
    start = time.perf_counter()
    n = sum(len(labels) for _, labels in loader)
    print(f"epoch {epoch}: {n} images, {n / (time.perf_counter() - start):.0f} images/s")
