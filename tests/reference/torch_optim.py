"""Prints what tests/optim/optimizer_test.cpp expects: weights after 20 steps of torch.optim."""
import math

import torch

CASES = [
    ("sgd", torch.optim.SGD, dict(lr=0.05)),
    ("sgd weight decay", torch.optim.SGD, dict(lr=0.05, weight_decay=0.1)),
    ("sgd momentum", torch.optim.SGD, dict(lr=0.05, momentum=0.9, weight_decay=0.01)),
    ("sgd nesterov", torch.optim.SGD,
     dict(lr=0.05, momentum=0.9, weight_decay=0.01, nesterov=True)),
    ("adam", torch.optim.Adam, dict(lr=0.03)),
    ("adam weight decay", torch.optim.Adam,
     dict(lr=0.03, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
    ("adamw", torch.optim.AdamW, dict(lr=0.03, weight_decay=0.1)),
]

for name, make, options in CASES:
    weight = torch.tensor([0.5, -1.0, 2.0, 0.0, 1e-3], dtype=torch.float64, requires_grad=True)
    optimizer = make([weight], **options)
    for step in range(20):
        slope = [math.sin(i + 1 + 0.7 * step) for i in range(5)]
        weight.grad = torch.tensor(slope, dtype=torch.float64) + 0.3 * weight.detach()
        optimizer.step()
    values = ", ".join(f"{v:.17g}" for v in weight.detach().tolist())
    print(f'{{"{name}", {{{values}}}}},')
