"""Prints what tests/losses/domain_reference_test.cpp expects: the losses of domain generalization written plainly in PyTorch
(float64), their values and two projections of their gradients."""
import math

import torch

D, B, H, C = 3, 4, 5, 3
N = D * B


def table(rows, columns, a, b, scale=1.0):
    return torch.tensor([[scale * math.sin(a * i + b * k * k + 0.7 * i * k) for k in range(columns)] for i in range(rows)],
                        dtype=torch.float64, requires_grad=True)


z = table(N, H, 2.9, 1.3, 1.5)
d = [i // B for i in range(N)]
y = [0 if i // B == 2 and i % C == 1 else i % C for i in range(N)]
pairs = [(e, c) for e in range(D) for c in range(C) if (e, c) != (2, 1)]
count = [3 + (7 * e + 5 * c) % 11 for e, c in pairs]
mu = [[math.cos(1.7 * p + 0.9 * k) for k in range(H)] for p in range(len(pairs))]


def show(name, value, inputs):
    gradients = torch.autograd.grad(value, inputs)
    flat = torch.cat([g.reshape(-1) for g in gradients])
    at = torch.arange(len(flat), dtype=torch.float64)
    print(f"{name}: {value.item():.12f}, {(flat * torch.sin(1 + at)).sum():.12f}, {(flat * torch.cos(2 * at)).sum():.12f}")


def coral(deep):
    groups = [z[e * B:(e + 1) * B] for e in range(D)]
    total, number = 0, 0
    for a in range(D):
        for b in range(a + 1, D):
            m, n = groups[a].mean(0), groups[b].mean(0)
            s, t = torch.cov(groups[a].T), torch.cov(groups[b].T)
            if deep:
                total = total + (s - t).pow(2).sum() / (4 * H * H)
            else:
                total = total + (m - n).pow(2).mean() + (s - t).pow(2).mean()
            number += 1
    return total / number


def boda(nu, temperature, unit, summed):
    total, positives = 0, 0
    for i in range(N):
        own = pairs.index((d[i], y[i]))
        s = []
        for p in range(len(pairs)):
            distance = (z[i] - torch.tensor(mu[p], dtype=torch.float64)).norm()
            s.append(-((count[p] / count[own]) ** nu) * distance / (count[own] / unit) / temperature)
        others = torch.stack([s[p] for p in range(len(pairs)) if p != own])
        mine = [s[p] - torch.logsumexp(others, 0) for p in range(len(pairs)) if p != own and pairs[p][1] == y[i]]
        if not mine:
            continue
        total = total - (sum(mine) / len(mine) if summed else sum(mine))
        positives += len(mine)
    return total if summed else total / positives


w1, b1 = table(4, H, 1.1, 0.4, 0.8), table(1, 4, 0.3, 1.9, 0.5)
w2, b2 = table(D, 4, 0.6, 0.8, 0.9), table(1, D, 0.9, 0.2, 0.3)


def domain_logits():
    return torch.relu(z @ w1.T + b1) @ w2.T + b2


def penalty():
    loss = torch.nn.functional.cross_entropy(domain_logits(), torch.tensor(d), reduction="sum")
    gradient, = torch.autograd.grad(loss, z, create_graph=True)
    return gradient.pow(2).sum(1).mean()


def focal(gamma):
    log_p = torch.log_softmax(z[:, :C], 1)[torch.arange(N), torch.tensor(y)]
    return (-(1 - log_p.exp()).pow(gamma) * log_p).mean()


show("coral", coral(False), [z])
show("deep coral", coral(True), [z])
show("boda", boda(0.5, 1, 1, False), [z])
show("boda nu 0.9, T 0.3, unit 6", boda(0.9, 0.3, 6, False), [z])
show("boda sum", boda(0.5, 1, 1, True), [z])
show("domain", torch.nn.functional.cross_entropy(domain_logits(), torch.tensor(d)), [z, w1, b1, w2, b2])
show("penalty", penalty(), [w1, b1, w2])
show("focal", focal(2), [z])
