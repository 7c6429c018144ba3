"""Prints what tests/losses/guided_test.cpp expects: the losses written plainly in PyTorch (float64), their values and four
projections of their gradients."""
import math

import torch

B, N, C = 14, 6, 4
MARGIN = 0.4
p = torch.tensor([[1.5 * math.sin(2.9 * i + 1.3 * k * k + 0.7 * i * k) for k in range(N)] for i in range(B)],
                 dtype=torch.float64, requires_grad=True)
y = torch.tensor([(3 * i * i + i) % 5 % C for i in range(B)])
guide = torch.tensor([[0, 0], [0, 2], [-2, 1], [3, -1]], dtype=torch.float64)
e = torch.tensor([[math.cos(1.7 * c + 0.9 * k) for k in range(N)] for c in range(C)], dtype=torch.float64)


def norm_term(power):
    return p.pow(2).sum() / B if power == 2 else p.norm(dim=1).mean()


def distance():
    total = p.new_zeros(())
    for i in range(B):
        for j in range(i):
            d = (p[i] - p[j]).abs().sum()
            g = (guide[y[i]] - guide[y[j]]).abs().sum()
            total = total + (d - g).abs()
    return 2 * total / (B * (B - 1))


def hinges(mode):
    d = [[(p[i] - p[j]).pow(2).sum().sqrt() if i != j else p.new_zeros(()) for j in range(B)] for i in range(B)]
    out = []
    for a in range(B):
        pos = [j for j in range(B) if j != a and y[j] == y[a]]
        neg = [j for j in range(B) if y[j] != y[a]]
        if mode == "batch_hard" and pos and neg:
            far = max(pos, key=lambda j: d[a][j].item())
            near = min(neg, key=lambda j: d[a][j].item())
            out.append((d[a][far] - d[a][near] + MARGIN).clamp(min=0))
        if mode == "batch_hard":
            continue
        for i in pos:
            for q in neg:
                gap = (d[a][q] - d[a][i]).item()
                keep = {"semi_hard": 0 < gap < MARGIN, "all_hard": gap <= 0, "all_violating": gap < MARGIN}[mode]
                if keep:
                    out.append(d[a][i] - d[a][q] + MARGIN)
    return torch.stack(out).mean()


def centers():
    return {int(c): p[y == c].mean(dim=0) for c in y.unique()}


def center_anchor():
    out = []
    for c, mu in centers().items():
        far = max((mu - p[i]).norm() for i in range(B) if y[i] == c)
        near = min((mu - p[i]).norm() for i in range(B) if y[i] != c)
        out.append((far - near + MARGIN).clamp(min=0))
    return torch.stack(out).mean()


def sample_anchor(mus):
    out = []
    for i in range(B):
        near = min((p[i] - mu).norm() for c, mu in mus.items() if c != int(y[i]))
        out.append(((p[i] - mus[int(y[i])]).norm() - near + MARGIN).clamp(min=0))
    return torch.stack(out).mean()


CASES = {
    "guide2d": lambda: (p[:, :2] - guide[y]).abs().sum() / B,
    "guide2d elementwise": lambda: torch.nn.functional.l1_loss(p[:, :2], guide[y]),
    "guide_umap": lambda: (p - e[y]).abs().sum() / B,
    "distance": distance,
    "norm": lambda: norm_term(1),
    "norm squared": lambda: norm_term(2),
    "batch_hard": lambda: hinges("batch_hard"),
    "semi_hard": lambda: hinges("semi_hard"),
    "all_hard": lambda: hinges("all_hard"),
    "all_violating": lambda: hinges("all_violating"),
    "center_anchor": center_anchor,
    "sample_anchor": lambda: sample_anchor(centers()),
    "sample_anchor constant": lambda: sample_anchor({c: e[c] for c in range(C)}),
}
for name, f in CASES.items():
    p.grad = None
    loss = f()
    loss.backward()
    slopes = [sum(p.grad[i, k].item() * math.sin(1 + i * (t + 1) + 0.5 * k) for i in range(B) for k in range(N))
              for t in range(4)]
    print(f'{{"{name}", {loss.item():.15g}, {{{", ".join(f"{s:.15g}" for s in slopes)}}}}},')
