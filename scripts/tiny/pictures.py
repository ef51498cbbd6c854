"""Fashion-MNIST as coloured pictures with captions."""

import dataclasses
import gzip
import pathlib

import numpy as np
import torch

SIZE = 64
CLASSES = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag",
           "boot")
HELD_OUT = CLASSES.index("bag")
COLOURS = {"white": (1, 1, 1), "red": (1, 0.3, 0.2), "blue": (0.2, 0.5, 1)}
WHOLE = torch.tensor([SIZE, SIZE, 0, 0, SIZE, SIZE])
"""Height and width of a picture, top and left of what is cut out, height and width of that."""
LARGEST = 96
"""Height and width of pictures that are cut."""


@dataclasses.dataclass
class Pictures:
    """Pictures `[n, 3, 64, 64]` in -1...1, the class and the caption of each."""
    pixels: torch.Tensor
    labels: torch.Tensor
    captions: list


def caption(label, colour=None):
    return f"a photo of a {colour + ' ' if colour else ''}{CLASSES[label]}"


def captions():
    """Every caption there is, and the empty one."""
    return ["", *(caption(label, colour) for label in range(len(CLASSES))
                  for colour in (None, *COLOURS))]


def read(folder, part):
    """The grey pictures `[n, 28, 28]` and labels of `train` or `t10k`, from the IDX files."""
    def content(kind, header):
        data = gzip.decompress(next(pathlib.Path(folder).glob(f"{part}-{kind}*.gz")).read_bytes())
        return np.frombuffer(data, np.uint8, offset=header)
    labels = content("labels", 8)
    return content("images", 16).reshape(-1, 28, 28), labels


def chosen(labels, classes, count, start=0):
    """Indices of `count` pictures of each class, by turns, from the `start`-th of the class on."""
    each = [np.flatnonzero(labels == label)[start:start + count] for label in classes]
    return np.stack(each, 1).reshape(-1)


def pictures(images, labels, indices, seed):
    """Pictures made of grey ones: a border of two pixels, twice the size, one of the colours. Every
    second caption names the colour."""
    random = np.random.default_rng(seed)
    grey = torch.tensor(images[indices]).float().div(255)[:, None]
    grey = torch.nn.functional.pad(grey, (2, 2, 2, 2))
    grey = torch.nn.functional.interpolate(grey, size=(SIZE, SIZE), mode="bicubic",
                                           align_corners=False).clamp(0, 1)
    names = random.choice(list(COLOURS), len(indices))
    named = random.random(len(indices)) < 0.5
    tints = torch.tensor([COLOURS[name] for name in names])
    texts = [caption(label, name if is_named else None)
             for label, name, is_named in zip(labels[indices], names, named)]
    return Pictures(grey * tints[:, :, None, None] * 2 - 1,
                    torch.tensor(labels[indices]).long(), texts)


def cut(given, every, seed):
    """One picture in `every` enlarged to a random height and width, and the usual size cut out at a
    random place. Returns the sizes `[n, 6]` of all beside them."""
    random = np.random.default_rng(seed)
    pixels, sizes = given.pixels.clone(), WHOLE.repeat(len(given.pixels), 1)
    for index in range(0, len(pixels), every):
        height, width = random.integers(SIZE, LARGEST + 1, size=2)
        top, left = random.integers(height - SIZE + 1), random.integers(width - SIZE + 1)
        large = torch.nn.functional.interpolate(
            pixels[index:index + 1], size=(int(height), int(width)), mode="bicubic",
            align_corners=False).clamp(-1, 1)
        pixels[index] = large[0, :, top:top + SIZE, left:left + SIZE]
        sizes[index, :4] = torch.tensor([height, width, top, left])
    return dataclasses.replace(given, pixels=pixels), sizes
