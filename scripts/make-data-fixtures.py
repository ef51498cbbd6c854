#!/usr/bin/env python3
"""Images, sizes, captions and caches that the data side of training is tested against.

    scripts/make-data-fixtures.py --sd-scripts PATH_OF_A_CHECKOUT

Pixels come from Pillow, resizing from Pillow and OpenCV, buckets, captions and .npz from the functions of
kohya-ss/sd-scripts themselves: their source is cut out of the checkout and run, without the rest of it.
"""

import argparse
import ast
import json
import math
import random
import re
import struct
import zlib
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import PIL
from PIL import Image, ImageDraw, ImageFilter
from safetensors.numpy import save_file

FOLDER = Path(__file__).resolve().parent.parent / "Fixtures" / "training" / "data"


# Pictures


def picture(width, height, seed):
    """A landscape of gradients, soft shapes and some grain."""
    g = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    sky = np.stack([90 + 60 * y / height, 140 + 40 * x / width, 220 - 90 * y / height], -1)
    image = Image.fromarray(sky.clip(0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for _ in range(14):
        a, b = g.integers(0, width), g.integers(0, height)
        r = int(g.integers(2, max(3, width // 4)))
        draw.ellipse([a - r, b - r, a + r, b + r], fill=tuple(int(v) for v in g.integers(0, 256, 3)))
    image = image.filter(ImageFilter.GaussianBlur(0.6))
    grain = np.asarray(image).astype(np.float64) + g.normal(0, 4, (height, width, 3))
    return grain.clip(0, 255).astype(np.uint8)


def adam7(rgb):
    """An interlaced PNG, which neither Pillow nor OpenCV writes."""
    height, width, _ = rgb.shape
    raw = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        part = rgb[y0::dy, x0::dx]
        if part.size:
            raw += b"".join(b"\0" + row.tobytes() for row in part)

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def images():
    folder = FOLDER / "images"
    folder.mkdir(parents=True, exist_ok=True)
    rgb = picture(48, 40, 1)
    image = Image.fromarray(rgb)
    alpha = (np.linspace(0, 255, 48)[None, :] * np.ones((40, 1))).astype(np.uint8)
    rgba = Image.fromarray(np.dstack([rgb, alpha]))

    image.save(folder / "rgb.png")
    image.convert("L").save(folder / "gray.png")
    image.convert("1").save(folder / "bits.png")
    rgba.convert("LA").save(folder / "gray-alpha.png")
    rgba.save(folder / "rgba.png")
    cv2.imwrite(str(folder / "rgb16.png"), (rgb[:, :, ::-1].astype(np.uint16) * 257))
    cv2.imwrite(str(folder / "gray16.png"), (rgb[:, :, 0].astype(np.uint16) * 256 + 77))
    image.quantize(32).save(folder / "palette.png", transparency=3)
    (folder / "interlaced.png").write_bytes(adam7(rgb))
    image.save(folder / "rgb.jpg", quality=90)
    image.save(folder / "progressive.jpg", quality=90, progressive=True)
    image.convert("L").save(folder / "gray.jpg", quality=90)
    image.convert("CMYK").save(folder / "cmyk.jpg", quality=90)
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(folder / "turned.jpg", quality=90, exif=exif)
    image.save(folder / "lossy.webp", quality=85)
    rgba.save(folder / "alpha.webp", lossless=True, exact=True)
    image.save(folder / "misnamed.jpg", format="PNG")

    expected = {}
    for path in sorted(folder.iterdir()):
        with Image.open(path) as image:
            expected[f"{path.name}.rgb"] = np.array(image.convert("RGB"))
            expected[f"{path.name}.rgba"] = np.array(image.convert("RGBA"))
    # Pillow clips 16-bit gray to 255 rather than scale it, which no one can want: the high byte is.
    gray = np.array(Image.open(folder / "gray16.png")) >> 8
    expected["gray16.png.rgb"] = np.dstack([gray] * 3).astype(np.uint8)
    expected["gray16.png.rgba"] = np.dstack([gray] * 3 + [np.full_like(gray, 255)]).astype(np.uint8)
    save_file(expected, FOLDER / "decoded.safetensors")

    refused = FOLDER / "refused"
    refused.mkdir(exist_ok=True)
    for suffix, options in [("gif", {}), ("bmp", {}), ("avif", {}), ("tiff", {})]:
        Image.fromarray(rgb[:16, :16]).save(refused / f"image.{suffix}", **options)
    frames = [Image.fromarray(picture(16, 16, s)) for s in (3, 4)]
    frames[0].save(refused / "animated.webp", save_all=True, append_images=frames[1:])


def resized():
    """One picture in many sizes. Names are `interpolation.WxH`."""
    rgb = picture(61, 47, 2)
    out = {"source": rgb}
    sizes = [(40, 32), (30, 23), (61, 20), (17, 47), (20, 15), (90, 70), (128, 99), (64, 40), (50, 60)]
    opencv = {
        "area": cv2.INTER_AREA, "bilinear": cv2.INTER_LINEAR, "bicubic": cv2.INTER_CUBIC,
        "nearest": cv2.INTER_NEAREST_EXACT,
    }
    pillow = {"lanczos": Image.Resampling.LANCZOS, "box": Image.Resampling.BOX}
    for size in sizes:
        name = f"{size[0]}x{size[1]}"
        for key, value in opencv.items():
            out[f"{key}.{name}"] = cv2.resize(rgb, size, interpolation=value)
        for key, value in pillow.items():
            out[f"{key}.{name}"] = np.array(Image.fromarray(rgb).resize(size, value))
    save_file(out, FOLDER / "resized.safetensors")


# sd-scripts


def prepared(checkout):
    """Images as sd-scripts brings them to a bucket. Names are `image.BUCKET`."""
    import logging

    namespace = {"np": np, "cv2": cv2, "Image": Image, "random": random, "math": math, "logger": logging.getLogger(),
                 **typing_names()}
    for name in ["pil_resize", "get_cv2_interpolation", "get_pil_interpolation", "resize_image"]:
        cut(checkout / "library/utils.py", name, namespace)
    for name in ["BucketManager", "load_image", "trim_and_resize_if_required"]:
        cut(checkout / "library/train_util.py", name, namespace)
    manager = namespace["BucketManager"]
    out = {}
    for name in ["rgb.png", "gray-alpha.png"]:
        for bucket in [(32, 32), (24, 40), (48, 40), (64, 64), (72, 48)]:
            image = namespace["load_image"](FOLDER / "images" / name)
            m = manager(False, bucket, None, None, None)
            m.set_predefined_resos([bucket])
            reso, scaled, _ = m.select_bucket(image.shape[1], image.shape[0])
            image, _, _ = namespace["trim_and_resize_if_required"](False, image, reso, scaled)
            out[f"{name}.{bucket[0]}x{bucket[1]}"] = np.ascontiguousarray(image)
    save_file(out, FOLDER / "prepared.safetensors")


def cut(path, name, namespace):
    """Runs one class or function of a module, without the module."""
    for node in ast.parse(path.read_text()).body:
        if getattr(node, "name", None) == name:
            exec(compile(ast.Module([node], []), str(path), "exec"), namespace)
            return namespace[name]
    raise SystemExit(f"{path}: no {name}")


def typing_names():
    import typing

    return {name: getattr(typing, name) for name in ["Optional", "Tuple", "List", "Dict", "Any", "Union", "Sequence"]}


def buckets(checkout):
    class Module:
        pass

    model_util = Module()
    model_util.make_bucket_resolutions = cut(
        checkout / "library/model_util.py", "make_bucket_resolutions", {"math": math})
    manager = cut(
        checkout / "library/train_util.py", "BucketManager",
        {"model_util": model_util, "np": np, "math": math, "random": random, **typing_names()})
    g = random.Random(5)
    sizes = [(g.randint(40, 3000), g.randint(40, 3000)) for _ in range(60)]
    sizes += [(512, 512), (512, 768), (768, 512), (1024, 1024), (256, 1024), (1, 1), (64, 64), (1000, 999), (640, 640),
              (576, 448), (333, 1000), (2000, 1000), (4000, 3000), (511, 513), (100, 2000)]
    cases = []
    for resolution, low, high, step, no_upscale in [
        ((512, 512), 256, 1024, 64, False), ((768, 512), 256, 1024, 64, False), ((1024, 1024), 512, 2048, 128, False),
        ((64, 64), 32, 128, 8, False), ((512, 512), 256, 1024, 64, True), ((1024, 1024), 256, 2048, 64, True),
        ((320, 320), 128, 512, 8, True), ((640, 640), 320, 960, 32, False),
    ]:
        m = manager(no_upscale, resolution, low, high, step)
        if not no_upscale:
            m.make_buckets()
        chosen = []
        for size in sizes:
            if no_upscale and min(size) < step:
                continue
            try:
                reso, scaled, error = m.select_bucket(*size)
            except (ZeroDivisionError, AssertionError):
                continue
            chosen.append({"size": size, "bucket": reso, "resized": scaled, "error": error,
                           "crop": manager.get_crop_ltrb(reso, size)})
        cases.append({
            "resolution": resolution, "min": low, "max": high, "steps": step, "no_upscale": no_upscale,
            "resolutions": [] if no_upscale else m.predefined_resos, "chosen": chosen})
    (FOLDER / "buckets.json").write_text(json.dumps(cases, separators=(",", ":")) + "\n")


def captions(checkout):
    """What sd-scripts makes of captions: of every case all that its draws can give, most of one outcome.

    Its function joins tags by a comma whatever divided them. Here it joins them by what divided them, which the
    separator promises; nothing else of it is changed."""
    source = (checkout / "library/train_util.py").read_text()
    base = next(n for n in ast.parse(source).body if getattr(n, "name", None) == "BaseDataset")
    method = next(n for n in base.body if getattr(n, "name", None) == "process_caption")
    class Joined(ast.NodeTransformer):
        count = 0

        def visit_Constant(self, node):
            if node.value != ", ":
                return node
            self.count += 1
            return ast.parse("joint(subset)", mode="eval").body

    joined = Joined()
    method = ast.fix_missing_locations(joined.visit(method))
    assert joined.count == 1

    def joint(subset):
        separator = subset.caption_separator
        return separator if separator[-1].isspace() else separator + " "

    namespace = {"random": random, "math": math, "re": re, "BaseSubset": object, "joint": joint}
    exec(compile(ast.Module([method], []), "train_util", "exec"), namespace)

    standard = dict(
        caption_prefix=None, caption_suffix=None, caption_dropout_rate=0, caption_dropout_every_n_epochs=0,
        enable_wildcard=False, shuffle_caption=False, token_warmup_step=0, token_warmup_min=1,
        caption_tag_dropout_rate=0, keep_tokens=0, keep_tokens_separator=None, caption_separator=",",
        secondary_separator=None)
    tags = "1girl, solo , red hair,smile,, outdoors"
    cases = []
    for caption, changes, epoch, step, most in [
        (tags, {}, 1, 0, 100),
        ("first line\nsecond", {}, 1, 0, 100),
        (tags, {"caption_prefix": "photo of", "caption_suffix": "high quality"}, 1, 0, 100),
        (tags, {"caption_dropout_rate": 1.0}, 1, 0, 100),
        (tags, {"caption_dropout_every_n_epochs": 3}, 2, 0, 100),
        (tags, {"caption_dropout_every_n_epochs": 3}, 3, 0, 100),
        (tags, {"caption_tag_dropout_rate": 1.0}, 1, 0, 100),
        (tags, {"caption_tag_dropout_rate": 1.0, "keep_tokens": 2}, 1, 0, 100),
        ("a, b ||| c, d", {"caption_tag_dropout_rate": 1.0, "keep_tokens_separator": "|||"}, 1, 0, 100),
        ("a, b ||| c, d ||| e,, f", {"caption_tag_dropout_rate": 1.0, "keep_tokens_separator": "|||"}, 1, 0, 100),
        ("a, b ||| c, d", {"keep_tokens_separator": "|||"}, 1, 0, 100),
        ("a, b, c, d, e, f", {"token_warmup_step": 10}, 1, 0, 100),
        ("a, b, c, d, e, f", {"token_warmup_step": 10}, 1, 5, 100),
        ("a, b, c, d, e, f", {"token_warmup_step": 10, "token_warmup_min": 2, "keep_tokens": 1}, 1, 7, 100),
        ("a, b, c, d, e, f", {"token_warmup_step": 0.2}, 1, 9, 100),
        ("a, b, c, d, e, f", {"token_warmup_step": 0.2}, 1, 20, 100),
        ("a;b, c;d", {"secondary_separator": ";"}, 1, 0, 100),
        ("a;b, c;d", {"secondary_separator": ";", "caption_tag_dropout_rate": 1.0, "keep_tokens": 1}, 1, 0, 100),
        ("{x|x} and {{literal}} {y}", {"enable_wildcard": True}, 1, 0, 100),
        ("same\nsame", {"enable_wildcard": True}, 1, 0, 100),
        ("a.b. c", {"caption_separator": ".", "caption_tag_dropout_rate": 1e-300}, 1, 0, 100),
        ("", {"caption_prefix": "p"}, 1, 0, 100),
        ("", {"shuffle_caption": True}, 1, 0, 100),
        ("a, b; c;d", {"caption_separator": ";", "shuffle_caption": True, "keep_tokens": 1}, 1, 0, 100),
        ("a| b |c,d", {"caption_separator": "|", "caption_tag_dropout_rate": 0.5}, 1, 0, 100),
        ("a b  c", {"caption_separator": " ", "shuffle_caption": True}, 1, 0, 100),
        ("a. b. c. d", {"caption_separator": ". ", "token_warmup_step": 10, "token_warmup_min": 2}, 1, 5, 100),
        ("a;b||c;d||e;;f", {"caption_separator": ";", "keep_tokens_separator": "||", "shuffle_caption": True}, 1, 0, 100),
        ("a||b||c||d", {"caption_separator": ";", "keep_tokens_separator": "||", "shuffle_caption": True}, 1, 0, 100),
        ("a;b,c", {"caption_separator": ";", "keep_tokens_separator": "||", "keep_tokens": 1, "shuffle_caption": True}, 1, 0, 100),
        ("a//b; c//d", {"caption_separator": ";", "secondary_separator": "//", "shuffle_caption": True}, 1, 0, 100),
        ("a//b; c", {"caption_separator": ";", "secondary_separator": "//"}, 1, 0, 100),
        ("a;b", {"caption_separator": ";", "caption_prefix": "x; y", "caption_suffix": "z;", "shuffle_caption": True}, 1, 0, 100),
        ("a,b,c", {"shuffle_caption": True, "keep_tokens": 7}, 1, 0, 100),
        ("a,b", {"token_warmup_step": 10, "token_warmup_min": 5}, 1, 3, 100),
        ("a,b,c,d", {"token_warmup_step": 0.999, "keep_tokens": 1}, 1, 50, 99),
        ("a,b,c,d", {"token_warmup_step": 1}, 1, 0, 100),
        ("a, {b|c; d}; {e|f}", {"enable_wildcard": True, "caption_separator": ";", "shuffle_caption": True}, 1, 0, 100),
        ("a {b|c}\nd {{e|f}}\n\n{g|}", {"enable_wildcard": True}, 1, 0, 100),
        ("{{{a|b}}} {c{d|e} {|} {{}} {}x} }{", {"enable_wildcard": True}, 1, 0, 100),
        ("a {b|c}", {"enable_wildcard": True, "caption_prefix": "{p|q}", "caption_suffix": "s"}, 1, 0, 100),
        ("a, b", {"caption_dropout_rate": 0.5, "caption_suffix": "s"}, 1, 0, 100),
        ("a, b\r\nc, d", {"caption_tag_dropout_rate": 1e-300}, 1, 0, 100),
        ("a, b\r\nc, d", {"enable_wildcard": True, "caption_tag_dropout_rate": 1e-300}, 1, 0, 100),
        ("a,\u200db, c\u2028d", {"caption_tag_dropout_rate": 1e-300}, 1, 0, 100),
        ("caf\u00e9 {\u0301x|y}", {"enable_wildcard": True, "caption_separator": "e\u0301", "shuffle_caption": True}, 1, 0, 100),
    ]:
        outcomes = set()
        random.seed(20251122)
        for _ in range(2000):
            subset = type("Subset", (), {**standard, **changes})()
            dataset = type("Dataset", (), dict(current_epoch=epoch, current_step=step, max_train_steps=most, replacements={}))()
            outcomes.add(namespace["process_caption"](dataset, subset, caption))
        assert len(outcomes) < 50, "too many to have met all"
        cases.append({"caption": caption, "options": changes, "epoch": epoch, "step": step, "max_train_steps": most,
                      "outcomes": sorted(outcomes)})
    (FOLDER / "captions.json").write_text(json.dumps(cases, indent=1) + "\n")


def caches(checkout):
    """Files that sd-scripts' own saving function wrote."""
    source = (checkout / "library/strategy_base.py").read_text()
    base = next(n for n in ast.parse(source).body if getattr(n, "name", None) == "LatentsCachingStrategy")
    method = next(n for n in base.body if getattr(n, "name", None) == "save_latents_to_disk")
    import os

    namespace = {"np": np, "os": os}
    exec(compile(ast.Module([method], []), "strategy_base", "exec"), namespace)
    import torch

    g = torch.Generator().manual_seed(7)
    folder = FOLDER / "caches"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    latents, flipped = torch.randn(4, 5, 6, generator=g), torch.randn(4, 5, 6, generator=g)
    mask = torch.rand(40, 48, generator=g)
    save = namespace["save_latents_to_disk"]
    save(None, str(folder / "plain_0048x0040_sd.npz"), latents, (48, 40), (0, 0, 48, 40))
    save(None, str(folder / "full_0048x0040_sd.npz"), latents, (48, 40), (0.0, 0.0, 48.0, 40.0), flipped, mask)
    save_file({"latents": latents.numpy(), "latents_flipped": flipped.numpy(), "alpha_mask": mask.numpy()},
              folder / "expected.safetensors")
    np.savez_compressed(folder / "deflated.npz", latents=latents.numpy())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sd-scripts", type=Path, required=True)
    checkout = parser.parse_args().sd_scripts
    print(f"Pillow {PIL.__version__}, OpenCV {cv2.__version__}, numpy {np.__version__}")
    images()
    resized()
    prepared(checkout)
    buckets(checkout)
    captions(checkout)
    caches(checkout)


if __name__ == "__main__":
    main()
