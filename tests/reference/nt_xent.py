"""Prints tests/losses/nt_xent_expected.h, what tests/losses/nt_xent_test.cpp expects: the loss of SimCLR and the measures of Wang
and Isola written another way than in the library, in PyTorch (float64), with two projections of their gradients.

    python tests/reference/nt_xent.py > tests/losses/nt_xent_expected.h

The loss is a cross-entropy here: row i of the 2N views is to name its partner among all rows but itself. Cosines come from
cosine_similarity pair by pair, distances from pdist."""
import math

import torch
import torch.nn.functional as F

N, D = 5, 4


def table(a, b, scale):
    return torch.tensor([[scale * math.sin(a * i + b * k * k + 0.7 * i * k) for k in range(D)] for i in range(N)],
                        dtype=torch.float64, requires_grad=True)


first, second = table(2.9, 1.3, 1.5), table(1.1, 0.4, 0.8)


def nt_xent(temperature):
    views = torch.cat([first, second])
    logits = F.cosine_similarity(views[:, None], views[None, :], dim=2) / temperature
    rows, partners = [], []
    for i in range(2 * N):
        others = [k for k in range(2 * N) if k != i]
        rows.append(logits[i, others])
        partners.append(others.index((i + N) % (2 * N)))
    return F.cross_entropy(torch.stack(rows), torch.tensor(partners))


def alignment():
    return (F.normalize(first) - F.normalize(second)).norm(dim=1).pow(2).mean()


def uniformity():
    return F.pdist(F.normalize(first)).pow(2).mul(-2).exp().mean().log()


def spread():
    return F.normalize(first).std(dim=0).mean() * D ** 0.5


def row(name, temperature, value):
    # 0 where an input plays no part.
    gradients = torch.autograd.grad(value, [first, second], allow_unused=True)
    flat = torch.cat([torch.zeros(N * D, dtype=torch.float64) if g is None else g.reshape(-1) for g in gradients])
    at = torch.arange(len(flat), dtype=torch.float64)
    print(f'    {{"{name}", {temperature}, {value.item():.12f}, {(flat * torch.sin(1 + at)).sum().item():.12f}, '
          f'{(flat * torch.cos(2 * at)).sum().item():.12f}}},')


print("#pragma once\n\n// Printed by tests/reference/nt_xent.py.\n")
print("struct NtXentRow {\n  const char* name;\n  double temperature, value, sine, cosine;\n};\n")
print("inline constexpr NtXentRow nt_xent_rows[] = {")
for t in (0.1, 0.5, 2.0):
    row("nt_xent", t, nt_xent(t))
row("alignment", 1.0, alignment())
row("uniformity", 1.0, uniformity())
row("spread", 1.0, spread())
print("};")
