"""Prints what tests/nn/parity_test.cpp expects of torchvision's models.

Weights and images are filled by an integer hash that the test repeats, so that no file is shared.
"""
import numpy as np
import torch
import torchvision

MASK = (1 << 64) - 1


def name_hash(name):
    """FNV-1a, 64 bits."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def noise(name, count):
    """Uniform in [-1, 1): splitmix64 of the name's hash plus the index, upper 24 bits."""
    with np.errstate(over="ignore"):
        z = np.uint64(name_hash(name)) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(
            0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(40)).astype(np.float64) * 2.0**-23 - 1


def fill(name, shape):
    """Values of a tensor in PyTorch's layout, row-major."""
    values = noise(name, int(np.prod(shape)))
    if name.endswith("running_var"):
        values = 1 + 0.25 * values
    elif name.endswith("running_mean"):
        values = 0.05 * values
    elif len(shape) >= 2:
        values = values * np.sqrt(6 / np.prod(shape[1:]))  # variance 2 / fan_in
    elif name.endswith("weight"):
        values = 1 + 0.1 * values
    else:
        values = 0.1 * values
    return torch.tensor(values.reshape(shape), dtype=torch.float64)


def row(values):
    return "{" + ", ".join(f"{v:.9g}" for v in values) + "}"


def checksum(logits):
    """Weighted so that a permutation of the logits shows."""
    flat = logits.detach().reshape(-1)
    weights = torch.cos(torch.arange(len(flat), dtype=flat.dtype))
    return float((flat * weights).sum())


def run(name, dtype):
    model = getattr(torchvision.models, name)(weights=None)
    state = model.state_dict()
    for key, tensor in state.items():
        if not key.endswith("num_batches_tracked"):
            tensor.copy_(fill(key, tuple(tensor.shape)))
    model = model.to(dtype)
    image = torch.tensor(noise("image", 4 * 3 * 96 * 96).reshape(4, 96, 96, 3), dtype=dtype)
    image = image.permute(0, 3, 1, 2)
    labels = torch.tensor([3, 141, 592, 999])
    model.eval()
    with torch.no_grad():
        logits = model(image)
    model.train()
    trained = model(image)
    loss = torch.nn.functional.cross_entropy(trained, labels)
    loss.backward()
    norm = float(sum((p.grad.double()**2).sum() for p in model.parameters()).sqrt())
    first = next(model.parameters()).grad
    return logits, trained.detach(), float(loss.detach()), norm, float(first.double().norm()), model, state


torch.manual_seed(0)
for name in ("resnet18", "resnet50", "densenet121"):
    logits, trained, loss, norm, first, model, state = run(name, torch.float64)
    means = float(sum(v.double().sum() for k, v in model.state_dict().items() if "running_" in k))
    keys = 0
    for key in state:
        keys = (keys * 31 + name_hash(key)) & MASK
    print(f'{{"{name}", {len(state)}, 0x{keys:x}ull,')
    print(f" {row(logits[0, :4].tolist())}, {checksum(logits):.9g},")
    print(f" {row(trained[0, :4].tolist())}, {checksum(trained):.9g},")
    print(f" {loss:.9g}, {norm:.9g}, {first:.9g}, {means:.9g}}},")
    single = run(name, torch.float32)
    print(f"// float32 PyTorch: eval {float((single[0] - logits).abs().max() / logits.abs().max()):.2g},"
          f" training {float((single[1] - trained).abs().max() / trained.abs().max()):.2g},"
          f" gradient norm {abs(single[3] / norm - 1):.2g}")
