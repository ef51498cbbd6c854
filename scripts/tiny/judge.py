"""A small CNN that says what a picture shows."""

import pathlib

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from . import autoencoder, pictures

FILE = "judge.safetensors"
STEPS, BATCH, RATE = 1600, 64, 3e-3


class Judge(torch.nn.Sequential):
    def __init__(self):
        layers, widths = [], (1, 16, 32, 48)
        for into, out in zip(widths, widths[1:]):
            layers += [torch.nn.Conv2d(into, out, 3, padding=1), torch.nn.ReLU(),
                       torch.nn.MaxPool2d(2)]
        super().__init__(*layers, torch.nn.Flatten(), torch.nn.Linear(48 * 4 * 4, 64),
                         torch.nn.ReLU(), torch.nn.Linear(64, len(pictures.CLASSES)))

    def forward(self, pixels):
        """Classes by score of `[n, 3, 64, 64]` in -1...1; colours are not looked at."""
        grey = pixels.amax(1, keepdim=True)
        return super().forward(torch.nn.functional.avg_pool2d(grey, 2))

    @torch.no_grad()
    def labels(self, pixels):
        return self(pixels).argmax(1)

    @classmethod
    def load(cls, folder):
        judge = cls()
        tensors = load_file(pathlib.Path(folder) / FILE)
        judge.load_state_dict({key: value.float() for key, value in tensors.items()})
        return judge.eval()


def decoded(vae, pixels):
    """What the VAE gives back."""
    with torch.no_grad():
        return torch.cat([vae.decode(vae.encode(part).latent_dist.mean).sample.clamp(-1, 1)
                          for part in pixels.split(100)])


def make(options):
    vae = autoencoder.load(options.folder)
    classes = range(len(pictures.CLASSES))
    images, labels = pictures.read(options.mnist, "train")
    plain = pictures.pictures(images, labels, pictures.chosen(labels, classes, 2500), 6)
    blurred = decoded(vae, plain.pixels[:5000])
    pixels = torch.cat([plain.pixels, blurred])
    answers = torch.cat([plain.labels, plain.labels[:len(blurred)]])
    judge = Judge()
    optimizer = torch.optim.AdamW(judge.parameters(), lr=RATE, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, STEPS, pct_start=0.1)
    random = np.random.default_rng(7)
    for _ in range(STEPS):
        chosen = random.integers(len(pixels), size=BATCH)
        loss = torch.nn.functional.cross_entropy(judge(pixels[chosen]), answers[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    save_file({key: value.half() for key, value in judge.state_dict().items()},
              options.folder / FILE, {"format": "pt"})
    images, labels = pictures.read(options.mnist, "t10k")
    kept = pictures.pictures(images, labels, pictures.chosen(labels, classes, 50), 8)
    judge, back = Judge.load(options.folder), decoded(vae, kept.pixels)
    right = [float((judge.labels(given) == kept.labels).float().mean())
             for given in (kept.pixels, back)]
    return f"{right[0]:.1%} right, {right[1]:.1%} of what the VAE gives back"
