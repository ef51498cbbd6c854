#!/usr/bin/env python3
"""Writes Fixtures/hostile: torch files made to harm whoever opens them, one per way of doing it.

Needs nothing but Python, writes the same bytes each time and runs none of it. Those that would call
something would make the file /tmp/lyco-hostile, so that a run can be told from a refusal. Files named
`large-*` are too large to keep; they are written with --large FOLDER.
"""

import io
import pathlib
import pickle
import struct
import sys
import zlib

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Fixtures" / "hostile"
TOUCH = "touch /tmp/lyco-hostile"


# === Pickles, by hand ===

def text(value):
    data = value.encode() if isinstance(value, str) else value
    return b"X" + struct.pack("<I", len(data)) + data


def integer(value):
    return b"\x8a\x08" + struct.pack("<q", value) if not 0 <= value < 256 else b"K" + bytes([value])


def name(path):
    module, _, attribute = path.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def call(path, *arguments):
    return name(path) + b"(" + b"".join(arguments) + b"tR"


def integers(values):
    return b"(" + b"".join(integer(v) for v in values) + b"t"


def storage(key="0", count=4, kind="torch.FloatStorage", extra=b""):
    return b"(" + text("storage") + name(kind) + text(key) + text("cpu") + integer(count) + extra + b"tQ"


def tensor(shape=(4,), strides=(1,), offset=0, rest=b"", **options):
    return call("torch._utils._rebuild_tensor_v2", storage(**options), integer(offset), integers(shape),
                integers(strides), b"\x89", call("collections.OrderedDict"), rest)


def dictionary(**items):
    return b"}(" + b"".join(text(key) + value for key, value in items.items()) + b"u"


def program(body):
    return b"\x80\x02" + body + b"."


GOOD = program(dictionary(a=tensor()))


# === Archives, by hand ===

class Archive:
    """A zip archive of stored entries of which every number can be wrong."""

    def __init__(self):
        self.body, self.records, self.count = b"", b"", 0

    def add(self, name, data, *, method=0, flags=0, size=None, packed=None, offset=None, body=None, local_name=None, record=True):
        start = len(self.body) if offset is None else offset
        name = name if isinstance(name, bytes) else name.encode()
        local = name if local_name is None else local_name
        size = len(data) if size is None else size
        packed = size if packed is None else packed
        crc = zlib.crc32(data)
        if body is not False:
            self.body += struct.pack("<4s5H3I2H", b"PK\3\4", 0, flags, method, 0, 0, crc, min(packed, 2**32 - 1), min(size, 2**32 - 1), len(local), 0) + local + data
        if record:
            extra = struct.pack("<2H2Q", 1, 16, size, packed) if max(size, packed) >= 2**32 - 1 else b""
            small = [min(packed, 2**32 - 1), min(size, 2**32 - 1)]
            self.records += struct.pack("<4s6H3I5H2I", b"PK\1\2", 0, 0, flags, method, 0, 0, crc, *small, len(name), len(extra), 0, 0, 0, 0, start) + name + extra
            self.count += 1
        return self

    def finish(self, *, count=None, size=None, start=None, zip64=None):
        start = len(self.body) if start is None else start
        size = len(self.records) if size is None else size
        count = self.count if count is None else count
        large = b""
        if zip64:
            place = len(self.body) + len(self.records)
            large = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 0, 0, 0, 0, *zip64) + struct.pack("<4sIQI", b"PK\6\7", 0, place, 1)
            count, size, start = 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF
        return self.body + self.records + large + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, size, start, 0)


def torch_file(pickled, storages=None):
    archive = Archive().add("archive/data.pkl", pickled)
    for key, data in ({"0": b"\0" * 16} if storages is None else storages).items():
        archive.add(f"archive/data/{key}", data)
    return archive.finish()


def legacy(pickled, keys=("0",), tail=struct.pack("<q", 4) + b"\0" * 16):
    return (b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19\x2e" + program(b"M\xe9\x03")
            + program(dictionary(little_endian=b"\x88")) + pickled + program(b"](" + b"".join(text(k) for k in keys) + b"e") + tail)


class Calls:
    """What the pickle module itself makes of an object that wants to be called."""

    def __init__(self, function, *arguments):
        self.reduced = (function, arguments)

    def __reduce__(self):
        return self.reduced


def pickled(function, *arguments, protocol=2):
    return pickle.dumps({"a": Calls(function, *arguments)}, protocol=protocol)


def calls():
    import os
    import subprocess

    for protocol in range(2, 6):
        yield f"os-system-protocol-{protocol}", torch_file(pickled(os.system, TOUCH, protocol=protocol))
    yield "os-system-legacy", legacy(pickled(os.system, TOUCH))
    yield "eval", torch_file(pickled(eval, f"__import__('os').system('{TOUCH}')"))
    yield "exec", torch_file(pickled(exec, f"import os; os.system('{TOUCH}')", protocol=4))
    yield "subprocess", torch_file(pickled(subprocess.check_output, ["touch", "/tmp/lyco-hostile"]))
    for path in ("builtins.getattr", "builtins.__import__", "builtins.open", "builtins.compile", "nt.system", "runpy._run_code",
                 "importlib.import_module", "torch.load", "torch.storage._load_from_bytes", "torch.hub.load", "torch.jit.load",
                 "torch._utils._import_dotted_name", "numpy.load", "pickle.loads", "webbrowser.open", "operator.attrgetter",
                 "torch.FloatTensor", "collections.OrderedDict.fromkeys", "torch.serialization.load", "pip.main", "ctypes.CDLL",
                 "omegaconf", "builtins.dict.get", "torch.nn.modules.linear.Linear", "transformers.AutoModel.from_pretrained"):
        yield "global-" + path.replace(".", "-"), torch_file(program(dictionary(a=call(path, text("x")))))
    # Names with more in them than there should be.
    yield "global-with-nothing", torch_file(program(b"c\n\n)R"))
    yield "global-dotted-stack", torch_file(b"\x80\x04" + b"\x8c\x05torch\x8c\x06_utils\x93\x8c\x01x\x93.")
    yield "global-hidden-in-ignored", torch_file(program(dictionary(a=tensor(), b=call("_codecs.encode", call("os.system", text(TOUCH))))))
    yield "global-on-several-lines", torch_file(b"\x80\x04\x8c\x03os\n\x8c\x07\x1b[31mab\x93.")
    yield "persistent-module", torch_file(program(b"(" + text("module") + name("torch.Size") + text("x.py") + text("import os") + b"tQ"))


def operations():
    for code, operands in {"i": b"os\nsystem\n", "o": b"", "P": b"0\n", "g": b"0\n", "p": b"0\n", "I": b"01\n", "F": b"1\n", "L": b"1L\n", "S": b"'a'\n",
                           "V": b"a\n", "0": b"", "1": b"", "2": b"", "d": b"", "l": b"", "\x82": b"\1", "\x83": b"\1\0", "\x84": b"\1\0\0\0",
                           "\x8b": b"\1\0\0\0\1", "\x92": b"", "\x97": b"", "\x98": b"", "\xff": b"", "\0": b""}.items():
        yield f"operation-{ord(code):02x}", torch_file(program(b"}(" + text("a") + code.encode("latin-1") + operands))
    yield "reduce-dict", torch_file(program(b"})R"))
    yield "reduce-dtype", torch_file(program(name("torch.float32") + b")R"))
    yield "reduce-without-tuple", torch_file(program(name("collections.OrderedDict") + b"NR"))
    yield "build-tensor", torch_file(program(tensor() + dictionary(a=b"N") + b"b"))
    yield "items-of-a-number", torch_file(program(b"K\1(" + text("a") + b"Nu"))
    yield "odd-items", torch_file(program(b"}(" + text("a") + b"NNu"))
    yield "memo-of-nothing", torch_file(program(b"h\7"))
    yield "memo-huge", torch_file(program(b"j\xff\xff\xff\xff"))
    yield "empty-stack", torch_file(program(b""))
    yield "below-the-mark", torch_file(program(b"}(s"))
    yield "no-mark", torch_file(program(b"t"))
    yield "protocol-9", torch_file(b"\x80\x09}.")
    yield "no-stop", torch_file(b"\x80\x02}")
    yield "self-as-argument", torch_file(program(b"]q\0h\0a" + b"h\0\x85" + b"h\0\x86R"))
    yield "bare-tensor", torch_file(program(tensor()))
    yield "no-tensors", torch_file(program(dictionary(a=b"N")))
    yield "only-in-ignored", torch_file(program(b"}(" + b"K\1\x85" + dictionary(a=tensor()) + b"u"))


def lengths():
    for width, code in {4: b"X", 8: b"\x8d"}.items():
        for claim in (2**31, 2**32 - 1) + ((2**40, 2**63 - 1, 2**64 - 1) if width == 8 else ()):
            yield f"text-of-{claim}", torch_file(program(code + claim.to_bytes(width, "little") + b"abc"))
    yield "bytes-of-2-63", torch_file(program(b"\x8e" + (2**63).to_bytes(8, "little")))
    yield "bytearray-of-2-40", torch_file(program(b"\x96" + (2**40).to_bytes(8, "little")))
    yield "frame-of-2-64", torch_file(b"\x80\x04\x95" + b"\xff" * 8 + b"}.")
    yield "name-without-end", torch_file(program(b"c" + b"a" * 4000))
    yield "long-names", torch_file(program(dictionary(**{"a" * 5000: tensor()})))


def nesting():
    deep = 200_000
    yield "deep-lists", torch_file(program(b"]" * 3000 + b"a" * 2999))
    yield "deep-tuples", torch_file(program(b")" + b"\x85" * 3000))
    yield "deep-dicts", torch_file(program(tensor() + b"q\0" + (b"}" + text("a")) * 3000 + b"h\0" + b"s" * 3000))
    yield "large-deep-lists", torch_file(program(b"]" * deep + b"a" * (deep - 1)))
    yield "large-deep-tuples", torch_file(program(b")" + b"\x85" * (2 * deep)))
    yield "large-marks", torch_file(program(b"(" * (4 << 20)))
    yield "large-lists", torch_file(program(b"]" * (4 << 20)))
    yield "large-nones", torch_file(program(b"N" * (80 << 20)))
    yield "large-memo", torch_file(program(b"N" + b"".join(b"r" + struct.pack("<I", i * 4093 % 2**32) for i in range(1 << 20)) + b"N" * (1 << 21)))
    yield "large-memo-in-order", torch_file(b"\x80\x04N" + b"\x94" * (1 << 20))
    yield "large-globals", torch_file(program(name("torch.float32") * (1 << 20)))
    yield "recursive-list", torch_file(program(dictionary(a=b"]q\0h\0a")))
    yield "recursive-dict", torch_file(program(b"}q\0" + text("a") + b"h\0s" + text("t") + tensor() + b"s"))
    yield "recursive-twice", torch_file(program(b"}q\0" + text("a") + b"h\0s" + text("b") + b"h\0s" + text("t") + tensor() + b"s"))
    # Every list holds the one before it twice: 2^n elements from n lines, with a tensor and without.
    for kind, seed in {"": b"]", "-of-tensors": b"](" + tensor() + b"e"}.items():
        body = seed + b"q\0"
        for i in range(60):
            body += b"](h" + bytes([i]) + b"h" + bytes([i]) + b"eq" + bytes([i + 1])
        # What is below on the stack is left there.
        yield f"memo-bomb{kind}", torch_file(program(body + b"}" + text("state_dict") + b"h\x3cs"))
    body = b"](" + b"N" * 50_000 + b"eq\0"
    yield "large-list-many-times", torch_file(program(dictionary(a=tensor()) + b"(" + text("b") + body + text("c") + b"](" + b"h\0" * 50_000 + b"eu"))
    pairs = b"](" + b"NN\x86" * 30_000 + b"eq\0"
    yield "large-copied-pairs", torch_file(program(pairs + (name("collections.OrderedDict") + b"q\1" + b"h\0\x85q\2R") + b"h\1h\2R" * 200_000))
    axes = tensor(shape=(1,) * 64, strides=(1,) * 64)
    yield "large-tensors-of-one-tuple", torch_file(program(axes[:-1] + b"q\1R" + (name("torch._utils._rebuild_tensor_v2") + b"q\2h\1R") + b"h\2h\1R" * 400_000))
    yield "large-long-key-many-times", torch_file(program(
        text("k" * 60_000_000) + b"q\1" + (b"(" + text("storage") + name("torch.FloatStorage") + b"h\1" + text("cpu") + b"K\4tq\2") + b"h\2Q" * 100_000))
    yield "large-names-shared", torch_file(program(
        b"}q\0" + text("n" * 4000) + b"q\2" + tensor() + b"q\1s" + b"](" + b"h\0" * 900_000 + b"e"))
    yield "large-metadata-shared", torch_file(program(
        b"}(" + text("k" * 32) + b"q\1" + text("v" * 500) + b"q\2" + b"h\1h\2" * 450_000 + b"u"))


def tensors():
    def one(**options):
        storages = options.pop("storages", None)
        return torch_file(program(dictionary(a=tensor(**options))), storages)

    yield "huge-shape", one(shape=(2**40, 2**40), strides=(2**40, 1))
    yield "huge-extent", one(shape=(2**62,), strides=(1,))
    yield "huge-product", one(shape=(2**31,) * 3, strides=(0, 0, 0))
    yield "huge-behind-zero", one(shape=(0, 2**62, 2**62), strides=(1, 1, 1))
    yield "huge-stride", one(shape=(2, 2), strides=(2**62, 1))
    yield "huge-stride-sum", one(shape=(3, 3), strides=(2**62 - 1, 2**62 - 1))
    yield "huge-offset", one(offset=2**62)
    yield "largest-offset", one(offset=2**63 - 1)
    yield "stride-0-giant", one(shape=(2**40,), strides=(0,))
    yield "stride-0-larger-than-file", one(shape=(2**20,), strides=(0,))
    yield "negative-extent", one(shape=(-1,))
    yield "negative-stride", one(strides=(-1,), offset=3)
    yield "negative-offset", one(offset=-1)
    yield "negative-count", one(count=-4)
    yield "beyond-storage", one(shape=(5,))
    yield "offset-beyond-storage", one(offset=1)
    yield "strides-beyond-storage", one(shape=(2, 2), strides=(3, 1))
    yield "strides-missing", one(shape=(2, 2), strides=(1,))
    yield "many-axes", one(shape=(1,) * 65, strides=(1,) * 65)
    yield "extents-of-text", torch_file(program(dictionary(a=call(
        "torch._utils._rebuild_tensor_v2", storage(), integer(0), b"(" + text("4") + b"t", integers([1]), b"\x89", b"}"))))
    yield "extent-too-long", torch_file(program(dictionary(a=call(
        "torch._utils._rebuild_tensor_v2", storage(), integer(0), b"\x8a\x0c" + b"\x7f" * 12 + b"\x85", integers([1]), b"\x89", b"}"))))
    yield "storage-claims-more", one(shape=(2**30,), count=2**30)
    yield "storage-claims-2-62", one(count=2**62)
    yield "storage-missing", one(key="1")
    yield "storage-outside", one(key="../data.pkl")
    yield "storage-twice", torch_file(program(dictionary(a=tensor(), b=tensor(count=3, shape=(3,)))))
    yield "storage-two-formats", torch_file(program(dictionary(a=tensor(), b=tensor(kind="torch.IntStorage"))))
    yield "storage-of-a-dtype", one(kind="torch.float32")
    yield "storage-quantized", one(kind="torch.QInt8Storage")
    yield "storage-meta", torch_file(program(dictionary(a=call("torch._utils._rebuild_meta_tensor_no_storage", name("torch.float32"), integers([4]), integers([1]), b"\x89"))))
    yield "sparse", torch_file(program(dictionary(a=call("torch._utils._rebuild_sparse_tensor", b"N", b"N"))))
    yield "lazy-conjugate", one(rest=dictionary(conj=b"\x88"))
    yield "name-twice", torch_file(program(b"}(" + text("a") + tensor() + b"q\0" + text("a") + b"h\0u"))
    yield "name-twice-by-dots", torch_file(program(b"}(" + text("a.b") + tensor() + b"q\0" + text("a") + dictionary(b=b"h\0") + b"u"))
    many = b"".join(text(f"{i}") + b"h\1" for i in range(3000))
    yield "one-storage-3000-times", torch_file(program(b"}(" + text("a") + tensor(shape=(16384,), count=16384) + b"q\1" + many + b"u"), {"0": b"\0" * 65536})
    transposed = tensor(shape=(128, 128), strides=(1, 128), count=16384)
    yield "gathered-100-times", torch_file(program(b"}(" + text("a") + transposed + b"q\1" + b"".join(text(f"{i}") + b"h\1" for i in range(100)) + b"u"), {"0": b"\0" * 65536})
    yield "legacy-storage-claims-more", legacy(program(dictionary(a=tensor(count=2**40))), tail=struct.pack("<q", 2**40) + b"\0" * 16)
    yield "legacy-storage-of-another-size", legacy(program(dictionary(a=tensor())), tail=struct.pack("<q", 5) + b"\0" * 20)
    yield "legacy-negative-storage", legacy(program(dictionary(a=tensor())), tail=struct.pack("<q", -1) + b"\0" * 16)
    yield "legacy-key-twice", legacy(program(dictionary(a=tensor())), keys=("0", "0"), tail=(struct.pack("<q", 4) + b"\0" * 16) * 2)
    yield "legacy-unknown-key", legacy(program(dictionary(a=tensor())), keys=("1",))
    yield "legacy-no-keys", legacy(program(dictionary(a=tensor())), keys=())
    yield "legacy-big-endian", legacy(GOOD).replace(b"little_endian\x88", b"little_endian\x89")
    yield "legacy-version", legacy(GOOD).replace(b"M\xe9\x03", b"M\xea\x03", 1)
    yield "legacy-view", legacy(program(dictionary(a=tensor(extra=text("v") + b"K\0K\4\x87"))))


def archives():
    data = b"\0" * 16
    deflated = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = deflated.compress(b"\0" * (64 << 20)) + deflated.flush()

    def start():
        return Archive().add("archive/data.pkl", GOOD)

    yield "zip-bomb", start().add("archive/data/0", bomb, method=8, size=64 << 20, packed=len(bomb)).finish()
    pickle_bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = pickle_bomb.compress(b"N" * (16 << 20)) + pickle_bomb.flush()
    yield "zip-bomb-pickle", Archive().add("archive/data.pkl", packed, method=8, size=16 << 20, packed=len(packed)).finish()
    yield "zip-stored-but-larger", start().add("archive/data/0", data, size=2**40, packed=16).finish()
    yield "zip-claims-more", start().add("archive/data/0", data, size=2**31).finish()
    yield "zip-claims-2-40", start().add("archive/data/0", data, size=2**40).finish()
    yield "zip-claims-2-64", start().add("archive/data/0", data, size=2**64 - 1).finish()
    yield "zip-encrypted", start().add("archive/data/0", data, flags=1).finish()
    yield "zip-method-99", start().add("archive/data/0", data, method=99).finish()
    yield "zip-entry-twice", start().add("archive/data/0", data).add("archive/data/0", data).finish()
    yield "zip-pickle-twice", start().add("archive/data.pkl", GOOD).add("archive/data/0", data).finish()
    overlap = start().add("archive/data/0", data)
    place = len(overlap.body) - len(data) - len("archive/data/0") - 30
    yield "zip-entries-overlap", overlap.add("archive/data/1", data, offset=place, body=False).finish()
    inner = Archive().add("archive/data/1", data)
    nested = start().add("archive/data/0", inner.body)
    yield "zip-entry-in-entry", nested.add("archive/data/1", data, offset=len(nested.body) - len(inner.body), body=False).finish()
    same = start().add("archive/data/0", data)
    for i in range(1, 100):
        same.add("archive/data/0", data, offset=place, body=False, record=False)
        same.records += same.records[-60:].replace(b"data/0", f"data/{i}".encode()) if i < 10 else b""
        same.count += i < 10
    yield "zip-entries-share-data", same.finish()
    yield "zip-local-name-differs", start().add("archive/data/0", data, local_name=b"archive/data/1").finish()
    yield "zip-offset-beyond", start().add("archive/data/0", data, offset=2**31).finish()
    yield "zip-offset-in-directory", start().add("archive/data/0", data, offset=len(start().body) + 10, body=False).finish()
    yield "zip-count-65534", start().finish(count=65534)
    yield "zip-count-0", start().finish(count=0)
    yield "zip-directory-beyond", start().finish(size=2**31)
    yield "zip-directory-start", start().finish(start=2**31)
    yield "zip64-count-2-63", start().finish(zip64=(2**63, 2**63, 2**63, 0))
    yield "zip64-start-2-64", start().finish(zip64=(1, 1, 64, 2**64 - 1))
    yield "zip64-without-record", start().finish(count=0xFFFF, size=2**32 - 1, start=2**32 - 1)
    yield "zip-torchscript", start().add("archive/constants.pkl", b"\x80\x02).").add("archive/code/__torch__.py", b"import os").finish()
    yield "zip-big-endian", start().add("archive/byteorder", b"big").add("archive/data/0", data).finish()
    yield "zip-without-pickle", Archive().add("a.txt", b"text").finish()
    yield "zip-empty-pickle", Archive().add("archive/data.pkl", b"").finish()
    yield "zip-name-on-lines", start().add("a\n\x1b[31m", data, method=8).finish()
    yield "zip-name-outside", Archive().add("../../data.pkl", program(dictionary(a=b"N"))).finish()
    yield "zip-truncated", torch_file(GOOD)[:-30]
    yield "legacy-truncated", legacy(GOOD)[:-1]
    many = start()
    record = many.records[:46]
    for first in range(0, 300_000, 1000):
        names = [f"a/{i:06}".encode() for i in range(first, first + 1000)]
        many.records += b"".join(record[:28] + struct.pack("<H", len(n)) + record[30:42] + b"\0" * 4 + n for n in names)
        many.count += len(names)
    small = Archive()
    parts, records = [], []
    for i in range(200_000):
        part = Archive().add(f"a/{i:06}", b"")
        records.append(part.records[:42] + struct.pack("<I", i * len(part.body)) + part.records[46:])
        parts.append(part.body)
    small.body, small.records, small.count = b"".join(parts), b"".join(records), len(parts)
    yield "large-zip-small-entries", small.finish(zip64=(small.count, small.count, len(small.records), len(small.body)))
    yield "large-zip-entries", many.finish(zip64=(many.count, many.count, len(many.records), len(many.body)))


def write(folder, wants):
    folder.mkdir(parents=True, exist_ok=True)
    for group in (calls, operations, lengths, nesting, tensors, archives):
        for title, content in group():
            if wants(title):
                (folder / f"{title}.pt").write_bytes(content)


if "--large" in sys.argv[1:]:
    write(pathlib.Path(sys.argv[sys.argv.index("--large") + 1]), lambda title: title.startswith("large-"))
else:
    for old in FOLDER.glob("*.pt"):
        old.unlink()
    write(FOLDER, lambda title: not title.startswith("large-"))
