"""Prints what tests/nn/vae_test.cpp expects of the image and the RNA variational autoencoder: the layers and
losses written in PyTorch, float64.

Tensors are numbered by sorted name; element e of tensor n is a hash of n 2^32 + e that the test repeats.
"""
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def uniform(n, count):
    """splitmix64 of n 2^32 + e, upper 53 bits, in [0, 1)."""
    with np.errstate(over="ignore"):
        v = np.uint64(n) * np.uint64(2**32) + np.arange(count, dtype=np.uint64)
        v += np.uint64(0x9E3779B97F4A7C15)
        v = (v ^ (v >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        v = (v ^ (v >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        v = v ^ (v >> np.uint64(31))
    return torch.tensor((v >> np.uint64(11)).astype(np.float64) * 2.0**-53)


def data(n, *shape):
    return uniform(n, int(np.prod(shape))).reshape(shape)


def fill(model):
    for n, (name, p) in enumerate(sorted(model.named_parameters())):
        u = uniform(n, p.numel()).reshape(p.shape)
        if ".gn" in name and name.endswith("weight"):
            value = 0.5 + 0.5 * u
        elif p.dim() >= 2:
            value = (2 * u - 1) * np.sqrt(3 / (p.numel() / p.shape[0])) * np.sqrt(2)
        else:
            value = 0.2 * u - 0.1
        p.data = value


class ImageEncoder(nn.Module):
    def __init__(self):
        super().__init__()
        rows = [(256, 200, 3, 1, 25), (200, 150, 3, 2, 30), (150, 100, 3, 1, 10), (100, 70, 2, 1, 10),
                (70, 60, 2, 1, 20)]
        for i, (a, b, k, s, g) in enumerate(rows, 1):
            setattr(self, f"conv{i}", nn.Conv2d(a, b, k, s))
            setattr(self, f"gn{i}", nn.GroupNorm(g, b))
        self.conv6 = nn.Conv2d(60, 50, 1)
        self.head = nn.Linear(50, 100)

    def forward(self, x):
        for i in range(1, 6):
            x = getattr(self, f"gn{i}")(F.relu(getattr(self, f"conv{i}")(x)))
        return self.head(F.relu(self.conv6(x)).flatten(1))


class FeatureDecoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(50, 50)
        self.deconv1 = nn.ConvTranspose2d(50, 150, 5)
        self.deconv2 = nn.ConvTranspose2d(150, 200, 4, 2)
        self.deconv3 = nn.ConvTranspose2d(200, 256, 3)

    def forward(self, z):
        x = self.fc(z)[:, :, None, None]
        return torch.tanh(self.deconv3(F.relu(self.deconv2(F.relu(self.deconv1(x))))))


class ImageDecoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.deconv1 = nn.ConvTranspose2d(256, 96, 5, 2)
        self.deconv2 = nn.ConvTranspose2d(96, 48, 3, 2)
        self.deconv3 = nn.ConvTranspose2d(48, 24, 3, 2)
        self.deconv4 = nn.ConvTranspose2d(24, 3, 2)

    def forward(self, x):
        x = F.relu(self.deconv3(F.relu(self.deconv2(F.relu(self.deconv1(x))))))
        return torch.sigmoid(self.deconv4(x))


class ImageVae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder, self.feat_dec, self.img_dec = ImageEncoder(), FeatureDecoder(), ImageDecoder()

    def forward(self, h, epsilon):
        mu, log_var = self.encoder(h).split(50, 1)
        log_var = log_var.clamp(-10, 10)
        z = mu + torch.exp(log_var / 2) * epsilon
        features = self.feat_dec(z)
        return mu, log_var, z, features, self.img_dec(features)


class RnaLayers(nn.Module):
    def __init__(self, *widths):
        super().__init__()
        for i, (a, b) in enumerate(zip(widths, widths[1:]), 1):
            setattr(self, f"fc{i}", nn.Linear(a, b))

    def forward(self, x):
        for i in range(1, 5):
            x = getattr(self, f"fc{i}")(x if i == 1 else F.leaky_relu(x, 0.01))
        return x


class RnaVae(nn.Module):
    def __init__(self, genes=2432):
        super().__init__()
        self.encoder = RnaLayers(genes, 800, 600, 200, 100)
        self.decoder = RnaLayers(50, 200, 600, 800, genes)

    def forward(self, x, epsilon):
        mu, log_var = self.encoder(x).split(50, 1)
        log_var = log_var.clamp(-10, 10)
        z = mu + torch.exp(log_var / 2) * epsilon
        return mu, log_var, z, torch.sigmoid(self.decoder(z))


def kl(mu, log_var):
    return 0.5 * (mu**2 + torch.expm1(log_var) - log_var).sum() / len(mu)


def image_vae_loss(output, h, image, mask, alpha=0.2, gamma=0.45, beta=0.25):
    mu, log_var, _, features, recon = output
    terms = ((features - h)**2).mean(), ((mask * recon - mask * image)**2).sum() / len(h), kl(mu, log_var)
    return alpha * terms[0] + gamma * terms[1] + beta * terms[2], terms


def rna_vae_loss(output, x, reference, beta=5e-4, on_mu=False):
    mu, log_var, z, recon = output
    cosine = F.cosine_similarity(mu if on_mu else z, reference, dim=1, eps=1e-8)
    terms = ((recon - x)**2).mean(), (1 - cosine).mean(), kl(mu, log_var)
    return terms[0] + terms[1] + beta * terms[2], terms


def numbers(*values):
    return ", ".join(f"{float(v):.10g}" for v in values)


def gradients(model, names):
    found = dict(model.named_parameters())
    return numbers(*(found[name].grad.norm() for name in names))


def main():
    torch.set_default_dtype(torch.float64)
    model = ImageVae()
    fill(model)
    h, image = 2 * data(1000001, 2, 256, 14, 14) - 1, data(1000002, 2, 3, 128, 128)
    y, x = torch.meshgrid(torch.arange(128), torch.arange(128), indexing="ij")
    mask = ((y - 64)**2 + (x - 64)**2 <= 2500).double().expand(2, 1, 128, 128)
    output = model(h, data(1000003, 2, 50) - 0.5)
    loss, terms = image_vae_loss(output, h, image, mask)
    loss.backward()
    mu, log_var, z, features, recon = output
    print("image", sum(p.numel() for p in model.parameters()), len(list(model.parameters())))
    for t in (mu, log_var, z, features, recon):
        # The last element in PyTorch's order.
        print("  mean, rms, first, last:", numbers(t.mean(), t.square().mean().sqrt(), t.flatten()[0], t.flatten()[-1]))
    print("  terms, total:", numbers(*terms, loss))
    print("  gradients:", gradients(model, ["encoder.conv1.weight", "encoder.gn1.weight", "encoder.head.weight",
                                            "feat_dec.fc.weight", "feat_dec.deconv3.weight", "img_dec.deconv1.weight",
                                            "img_dec.deconv4.bias"]))
    for beta, on_mu in ((0.064, True), (5e-4, False)):
        model = RnaVae()
        fill(model)
        x, reference = data(1000004, 2, 2432)**2, 2 * data(1000005, 2, 50) - 1
        output = model(x, data(1000006, 2, 50) - 0.5)
        loss, terms = rna_vae_loss(output, x, reference, beta, on_mu)
        loss.backward()
        print("rna", sum(p.numel() for p in model.parameters()), len(list(model.parameters())))
        print("  mu, recon first, last:", numbers(output[0].flatten()[0], output[0].flatten()[-1],
                                                  output[3].flatten()[0], output[3].flatten()[-1]))
        print("  terms, total:", numbers(*terms, loss))
        print("  gradients:", gradients(model, ["encoder.fc1.weight", "encoder.fc4.weight", "decoder.fc1.weight",
                                                "decoder.fc4.weight"]))


if __name__ == "__main__":
    main()
