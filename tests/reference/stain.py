"""Prints what tests/data/stain_test.cpp expects: Reinhard's and Macenko's measures of a drawn cell, and pixels of it moved
to another stain, written plainly in numpy (float64) from the papers' formulas as docs/domains.md states them."""
import numpy as np

LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
LAB = np.diag([3 ** -0.5, 6 ** -0.5, 2 ** -0.5]) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])


def cell():
    y, x = np.mgrid[0:40, 0:48]
    d2 = (y - 20.0) ** 2 + (x - 26.0) ** 2
    azure = 1.3 * np.maximum(0, 1 - d2 / 120)
    eosin = 0.9 * np.maximum(0, 1 - d2 / 300) + 0.6 * (x < 9)
    density = azure[..., None] * np.array([0.60, 0.76, 0.25]) + eosin[..., None] * np.array([0.25, 0.80, 0.545])
    return np.floor(np.array([243.0, 232.0, 214.0]) * np.exp(-density) + 0.5)


def measure(image):
    p = image.reshape(-1, 3)
    lab = np.log((p + 1) @ LMS.T) @ LAB.T
    grey = p @ np.array([0.299, 0.587, 0.114])
    light = p[grey >= np.percentile(grey.astype(np.float32), 95)].mean(0)
    density = np.maximum(0, np.log((light + 1) / (p + 1)))
    density = density[density.mean(1) >= 0.15]
    w, v = np.linalg.eigh(density.T @ density)
    plane = v[:, [2, 1]]
    plane[:, 0] *= np.sign(plane[:, 0].sum())
    t = density @ plane
    slopes = np.percentile(t[:, 1] / t[:, 0], [1, 99])
    dyes = [np.maximum(0, plane[:, 0] + s * plane[:, 1]) for s in slopes]
    dyes = [d / np.linalg.norm(d) for d in dyes]
    dyes.sort(key=lambda d: d[2])
    amounts = np.percentile(np.linalg.lstsq(np.array(dyes).T, density.T, rcond=None)[0], 99, axis=1)
    return lab.mean(0), lab.std(0), light, np.array(dyes), amounts


def frame(dyes):
    third = np.cross(dyes[0], dyes[1])
    return np.array([dyes[0], dyes[1], third / np.linalg.norm(third)]).T


image = cell()
mean, spread, light, dyes, amounts = measure(image)
np.set_printoptions(precision=6, suppress=True)
for name, value in [("mean", mean), ("spread", spread), ("light", light), ("dyes", dyes), ("amounts", amounts)]:
    print(name, repr(value))
target = dict(mean=np.array([9.1, 0.15, 0.04]), spread=np.array([0.30, 0.05, 0.03]), light=np.array([250.0, 240, 235]),
              dyes=np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]]), amounts=np.array([1.5, 0.8]))
target["dyes"] /= np.linalg.norm(target["dyes"], axis=1, keepdims=True)
p = image[[0, 20, 20, 26, 5], [0, 26, 20, 36, 4]]
lab = np.log((p + 1) @ LMS.T) @ LAB.T
moved = (lab - mean) * np.clip(target["spread"] / spread, 1 / 3, 3) + target["mean"]
print("reinhard", repr(np.clip(np.exp(moved @ LAB) @ np.linalg.inv(LMS).T - 1, 0, 255)))
scale = np.diag(np.append(np.clip(target["amounts"] / amounts, 1 / 3, 3), 1))
m = frame(target["dyes"]) @ scale @ np.linalg.inv(frame(dyes))
density = np.log((light + 1) / (p + 1))
print("macenko", repr(np.clip((target["light"] + 1) * np.exp(-density @ m.T) - 1, 0, 255)))
