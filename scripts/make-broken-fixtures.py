#!/usr/bin/env python3
"""Writes Fixtures/broken: one small file or folder per rule that a safetensors reader must enforce.

Needs nothing but Python and always writes the same bytes. With --compare, the `safetensors` package
then opens every file, here and in Fixtures/safetensors/odd, and must agree on which are readable,
but for the rules named in STRICTER.
"""

import json
import pathlib
import shutil
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent / "Fixtures"
BROKEN = ROOT / "broken"
ODD = ROOT / "safetensors" / "odd"

# What the reference reads and we refuse: ambiguous, or beyond what a signed integer holds.
STRICTER = {
    "duplicate-name",
    "equivalent-names",
    "entry-is-array",
    "dtype-is-object",
    "extent-beyond-int",
    "zero-extent-hides-overflow",
}


def entry(begin=0, end=4, shape=(1,), dtype="F32", **more):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": [begin, end], **more}


def file(header, data=b"\0" * 4, length=None):
    """A file with this header: a dict, JSON text or bytes."""
    if isinstance(header, dict):
        header = json.dumps(header, separators=(",", ":"))
    if isinstance(header, str):
        header = header.encode()
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def zstd(content, broken_block=False):
    """A zstd frame of one stored block (RFC 8878), so that no compressor is needed."""
    block = (len(content) << 3) | (6 if broken_block else 0) | 1
    return b"\x28\xb5\x2f\xfd\x20" + bytes([len(content)]) + struct.pack("<I", block)[:3] + content


A = '"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}'
GOOD = file({"a": entry()})


def deep(levels):
    return '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":' + "[" * levels + "]" * levels + "}}"


broken = {
    # length and header
    "empty-file": b"",
    "shorter-than-8-bytes": b"\x10\0\0\0\0\0\0",
    "header-too-large": file("{}", b"", length=100_000_001),
    "header-beyond-end": file("{}", b"", length=1000),
    "header-empty": file("", b""),
    "header-not-utf8": file(b'{"\xff":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
    "header-with-byte-order-mark": file(b"\xef\xbb\xbf{" + A.encode() + b"}"),
    "header-is-array": file("[]", b""),
    "header-is-null": file("null", b""),
    "header-cut-short": file("{" + A),
    "trailing-comma": file("{" + A + ",}"),
    "missing-colon": file('{"a" {}}', b""),
    "missing-comma": file("{" + A + ' "b":{}}'),
    "garbage-after-header": file("{" + A + "}x"),
    "zero-byte-padding": file("{" + A + "}\0\0"),
    "control-character-in-name": file('{"a\nb":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
    "unknown-escape": file('{"a\\x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
    "bad-hexadecimal": file('{"\\u00g0":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
    "lone-high-surrogate": file('{"\\ud83d":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
    "lone-low-surrogate": file('{"\\udc00":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
    "leading-zero": file('{"a":{"dtype":"F32","shape":[01],"data_offsets":[0,4]}}'),
    "infinite-number": file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1e999}}'),
    "bad-literal": file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":nul}}'),
    "nested-too-deeply": file(deep(126)),
    # names and metadata
    "duplicate-name": file("{" + A + "," + A + "}"),
    "equivalent-names": file({"é": entry(), "e\u0301": entry(4, 8)}, b"\0" * 8),
    "duplicate-metadata": file('{"__metadata__":{},"__metadata__":{},' + A + "}"),
    "metadata-is-array": file('{"__metadata__":[],' + A + "}"),
    "metadata-number": file({"__metadata__": {"rank": 16}, "a": entry()}),
    "metadata-null-value": file({"__metadata__": {"rank": None}, "a": entry()}),
    # entries
    "entry-is-null": file({"a": None}, b""),
    "entry-is-array": file('{"a":["F32",[1],[0,4]]}'),
    "missing-dtype": file('{"a":{"shape":[1],"data_offsets":[0,4]}}'),
    "missing-shape": file('{"a":{"dtype":"F32","data_offsets":[0,4]}}'),
    "missing-offsets": file('{"a":{"dtype":"F32","shape":[1]}}'),
    "duplicate-field": file('{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
    "unknown-dtype": file({"a": entry(dtype="F33")}),
    "lower-case-dtype": file({"a": entry(dtype="f32")}),
    "dtype-is-object": file({"a": entry(dtype={"F32": None})}),
    "negative-extent": file({"a": entry(shape=[-1])}),
    "negative-zero-extent": file('{"a":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}', b""),
    "fractional-extent": file({"a": entry(shape=[1.0])}),
    "extent-beyond-int": file({"a": entry(0, 0, [2**64 - 1, 0])}, b""),
    "exponent-offset": file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4e0]}}'),
    "one-offset": file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}'),
    "three-offsets": file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}'),
    # shapes, offsets and data
    "shape-overflow": file({"a": entry(0, 0, [2**62, 2**62])}, b""),
    "size-overflow": file({"a": entry(0, 0, [2**61])}, b""),
    "zero-extent-hides-overflow": file({"a": entry(0, 0, [0, 2**62, 2**62])}, b""),
    "partial-byte": file({"a": entry(0, 2, [3], "F4")}, b"\0" * 2),
    "reversed-offsets": file({"a": entry(4, 0)}),
    "size-mismatch": file({"a": entry(0, 4, [2])}),
    "overlapping-offsets": file({"a": entry(), "b": entry(2, 6)}, b"\0" * 6),
    "shared-offsets": file({"a": entry(), "b": entry()}),
    "hole-at-start": file({"a": entry(4, 8)}, b"\0" * 8),
    "hole-between": file({"a": entry(), "b": entry(8, 12)}, b"\0" * 12),
    "empty-tensor-outside": file({"a": entry(), "z": entry(8, 8, [0])}),
    "truncated-data": file({"a": entry()}, b"\0" * 3),
    "trailing-bytes": file({"a": entry()}, b"\0" * 5),
    "trailing-bytes-without-tensors": file("{}", b"1234"),
    # other formats
    "zip-checkpoint": b"PK\x03\x04" + b"\0\0\x08\x08" + b"\0" * 32 + b"archive/data.pkl",
    "pickle-checkpoint": bytes.fromhex("80028a0a6cfc9c46f920") + b"\0" * 24,
    "tar-checkpoint": b"storages".ljust(257, b"\0") + b"ustar\x0000" + b"\0" * 248,
    "git-lfs-pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 1\n",
    "web-page": b"<!DOCTYPE html>\n<html><body>Not Found</body></html>\n",
    "text": b"Entry not found, try again later\n",
    "gguf": b"GGUF\x03\0\0\0" + b"\0" * 16,
}

odd = {
    "unsorted-offsets": file({"b": entry(4, 8), "a": entry()}, bytes(range(8))),
    "leading-and-trailing-space": file(" \n{" + A + "}\r\t  "),
    "space-everywhere": file("{ \n" + A.replace(":", " :\t").replace(",", "\r\n, ") + " }"),
    "no-tensors": file("{}", b""),
    "null-metadata": file('{"__metadata__":null,' + A + "}"),
    "metadata-last": file("{" + A + ',"__metadata__":{"k":"v"}}'),
    "repeated-metadata-key": file('{"__metadata__":{"k":"1","k":"2"},' + A + "}"),
    "escaped-names": file('{"\\u005f_metadata__":{"k":"v"},"\\u0061":{"d\\u0074ype":"F\\u00332","shape":[1],"data_offsets":[0,4]}}'),
    "surrogate-pair": file('{"\\uD83D\\ude00":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
    "every-escape": file('{"\\"\\\\\\/\\b\\f\\n\\r\\t\\u0000":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}'),
    "empty-name": file({"": entry()}),
    "unknown-fields": file('{"a":{"x":{"y":[1,-2.5e-3,null,true,false,"s"]},"dtype":"F32","x":{},"shape":[1],"data_offsets":[0,4]}}'),
    "long-number": file('{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":123456789012345678901234567890}}'),
    "nested-to-the-limit": file(deep(125)),
    "scalar": file({"a": entry(shape=[])}),
    "zero-sized": file({"a": entry(), "z": entry(4, 4, [0, 5]), "b": entry(4, 8)}, b"\0" * 8),
    "sub-byte": file({"a": entry(0, 3, [4], "F6_E2M3"), "b": entry(3, 4, [2], "F4")}),
    "header-that-begins-like-a-pickle": file(("{" + A + "}").ljust(0x280)),
}

folders = {}


def shards(name, weight_map, **files):
    index = weight_map if isinstance(weight_map, str) else json.dumps({"weight_map": weight_map})
    folders[name] = {"model.safetensors.index.json": index.encode()} | {
        f"{shard}.safetensors": content for shard, content in files.items()
    }


B = file({"b": entry()})
BOTH = {"a": "one.safetensors", "b": "two.safetensors"}
shards("missing-shard", BOTH, one=GOOD)
shards("missing-from-shard", BOTH | {"c": "two.safetensors"}, one=GOOD, two=B)
shards("in-another-shard", {"a": "two.safetensors", "b": "one.safetensors"}, one=GOOD, two=B)
shards("missing-from-index", {"a": "one.safetensors"}, one=file({"a": entry(), "b": entry(4, 8)}, b"\0" * 8))
shards("in-two-shards", BOTH, one=GOOD, two=file({"a": entry(), "b": entry(4, 8)}, b"\0" * 8))
shards("broken-shard", BOTH, one=GOOD, two=broken["truncated-data"])
shards("shard-outside-folder", {"a": "../one.safetensors"})
shards("no-weight-map", "{}")
shards("duplicate-in-index", '{"weight_map":{"a":"one.safetensors","a":"one.safetensors"}}', one=GOOD)
shards("shard-is-number", '{"weight_map":{"a":1}}')
folders["shards-without-index"] = {"model-00001-of-00002.safetensors": GOOD}
folders["several-models"] = {"one.safetensors": GOOD, "two.safetensors": B}
folders["broken-torch-file"] = {"pytorch_model.bin": broken["zip-checkpoint"]}
folders["component-with-broken-torch-file"] = {
    "unet/diffusion_pytorch_model.safetensors": GOOD,
    "vae/diffusion_pytorch_model.bin": broken["zip-checkpoint"],
}
folders["several-torch-files"] = {"one.bin": broken["zip-checkpoint"], "two.pt": broken["zip-checkpoint"]}
folders["no-weights"] = {"config.json": b"{}"}

compressed = {
    "truncated": zstd(GOOD)[:-2],
    "cut-in-the-header": zstd(GOOD)[:40],
    "corrupt": zstd(GOOD, broken_block=True),
    "garbage-after-frame": zstd(GOOD) + b"garbage",
    "data-cut-short": zstd(broken["truncated-data"]),
    "data-too-long": zstd(broken["trailing-bytes"]),
    "header-shorter-than-claimed": zstd(broken["header-beyond-end"]),
}


def write():
    for folder in (BROKEN, ODD):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    for name, content in broken.items():
        (BROKEN / f"{name}.safetensors").write_bytes(content)
    for name, content in odd.items():
        (ODD / f"{name}.safetensors").write_bytes(content)
    for name, content in compressed.items():
        (BROKEN / f"{name}.safetensors.zst").write_bytes(content)
    for folder, files in folders.items():
        for name, content in files.items():
            path = BROKEN / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)


def compare():
    from safetensors import safe_open

    disagreements = 0
    for folder, readable in ((BROKEN, False), (ODD, True)):
        for path in sorted(folder.glob("*.safetensors")):
            try:
                with safe_open(path, "np"):
                    opens = True
            except Exception:
                opens = False
            expected = readable or path.stem in STRICTER
            if opens != expected:
                disagreements += 1
                print(f"{path.name}: the reference {'reads' if opens else 'refuses'} it")
    print(f"{len(broken) + len(odd)} files compared, {disagreements} disagreements")
    return disagreements


write()
if "--compare" in sys.argv[1:]:
    sys.exit(1 if compare() else 0)
