"""Epochs of the RNA beta-VAE in PyTorch eager, for trajectory_peer.py: what bench/rna/rna_vae_bench.cpp times.

    rna_epoch_torch.py CELLS GENES EPOCHS DENSITY THREADS fused|default keep|flush [--processor]

Shuffled batches of 128 cells that lie in memory, float32, all but a share DENSITY of their expression zero. Adam in one
fused kernel or as `torch.optim.Adam` comes; denormal numbers kept, as PyTorch comes, or taken for zeros. Prints the seconds
of each epoch after an untimed one and its mean loss; --processor: seconds of the processor instead of the clock.
"""
import json
import os
import sys
import time

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../tests/reference"))
import vae_parity  # noqa: E402

BATCH = 128


def run_epoch(model, optimiser, expression, latents):
    total = 0.0
    for chosen in torch.randperm(len(expression)).split(BATCH):
        x, y = expression[chosen], latents[chosen]
        loss = vae_parity.rna_vae_loss(model(x, torch.randn(len(x), 50)), x, y)[0]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        total += loss.item() * len(x)
    return total / len(expression)


def main():
    cells, genes, epochs = map(int, sys.argv[1:4])
    density, threads = float(sys.argv[4]), int(sys.argv[5])
    clock = time.process_time if "--processor" in sys.argv else time.perf_counter
    torch.set_flush_denormal(sys.argv[7] == "flush")  # threads take it from this one
    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.manual_seed(0)
    model = vae_parity.RnaVae(genes)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, fused=True if sys.argv[6] == "fused" else None)
    expression, latents = torch.rand(cells, genes) * (torch.rand(cells, genes) < density), 2 * torch.rand(cells, 50) - 1
    seconds, losses = [], []
    for epoch in range(epochs + 1):
        begin = clock()
        loss = run_epoch(model, optimiser, expression, latents)
        if epoch > 0:
            seconds.append(clock() - begin)
            losses.append(loss)
    print(json.dumps({"epoch": seconds, "loss": losses}))


if __name__ == "__main__":
    main()
