"""Caches of latents that are cut, damaged, exchanged, and bombs."""

import random
import zipfile

from .scenarios import scenario
from .trials import altered


def caches(bench):
    """Caches of latents that are cut, damaged, exchanged, and bombs; the run makes them anew or refuses them."""
    jobs = {"npz": scenario("npz caches and logs"), "zst": scenario("zst caches")}
    rng = random.Random(bench.settings.seed)
    for kind, job in jobs.items():
        folder = bench.folder()
        status, _, errors = bench.run("lyco-train", job.arguments, folder)
        assert status == 0, errors
        made = sorted(p for p in (folder / "images").iterdir() if p.name.endswith("." + kind))
        good = made[0].read_bytes()
        name = f"images/{made[0].name}"
        odd = {f"cut after {n}": good[:n] for n in sorted(rng.sample(range(len(good)), 20)) + [0]}
        for i in range(20):
            data = bytearray(good)
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
            odd[f"bit {i}"] = bytes(data)
        odd |= {"another image's": made[1].read_bytes(), "text": b"x" * 100, "zeros": bytes(1000)}
        if kind == "npz":
            for title, members in {
                "no member": {}, "pickle": {"latents.npy": npy("|O", "(1,)", b"\x80\x04cos\nsystem\n(X\x02\0\0\0idtR.")},
                "huge shape": {"latents.npy": npy("<f4", "(4,1000000,1000000)", b"")},
                "negative shape": {"latents.npy": npy("<f4", "(-4,4,4)", b"\0" * 64)},
                "overflow": {"latents.npy": npy("<f4", "(4611686018427387904,4)", b"")},
                "no shape": {"latents.npy": npy("<f4", "()", b"\0" * 4)}, "bomb": {"latents.npy": bytes(60_000_000)},
                "names": {"\x1b[2J.npy": npy("<f4", "(1,)", b"\0" * 4), "../../x.npy": npy("<f4", "(1,)", b"\0" * 4)},
                "nan": {"latents.npy": npy("<f4", "(4,4,4)", b"\xff" * 256)},
                "nested header": {"latents.npy": npy("<f4", "(" * 5000, b"")},
            }.items():
                path = bench.place / "odd.npz"
                with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
                    for member, content in members.items():
                        archive.writestr(member, content)
                odd[title] = path.read_bytes()
        for title, content in odd.items():
            yield altered(bench, f"{kind} cache: {title}", "lyco-train", job.arguments, {name: content})
        bench.drop(folder)


def npy(kind, shape, data):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little", signed=False) + header + data
