#!/usr/bin/env python3
"""Builds the wheel: the Python package with the tools and the libraries that they load, bundled by auditwheel under
the oldest manylinux tag that their symbols allow, with the licences of all that is in it.

Usage: scripts/package/build-wheel.py TOOLS SCRATCH RELEASE COMMIT DIST
    TOOLS: the folder of the executable `lyco` and of the tools' names for it; SCRATCH: where they were built; DIST:
    where the wheel goes
"""

import base64
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HERE = pathlib.Path(__file__).resolve().parent

METADATA = """\
Metadata-Version: 2.4
Name: lyco
Version: {release}
Summary: Native tools for LoRA and LyCORIS adapters of diffusion models: extract, merge, convert, inspect, train, sample
License-Expression: Apache-2.0 AND BSD-2-Clause AND BSD-3-Clause AND GPL-3.0-or-later WITH GCC-exception-3.1 AND IJG \
AND LGPL-2.1-or-later AND libpng-2.0 AND MIT AND Zlib
{licences}Requires-Python: >=3.9
Classifier: Operating System :: POSIX :: Linux
Classifier: Programming Language :: Python :: 3
Classifier: Typing :: Typed
Description-Content-Type: text/markdown

{description}
"""

DESCRIPTION = """\
`lyco-extract`, `lyco-merge`, `lyco-convert`, `lyco-inspect`, `lyco-train` and `lyco-sample` on the path, and the same
as functions:

```python
import lyco

lyco.extract("base.safetensors", "tuned.safetensors", "adapter.safetensors", linear_dim=32)
lyco.merge("base.safetensors", ["a.safetensors", "b.safetensors"], "merged.safetensors", ratio=[0.7, -0.3])
print(lyco.inspect("adapter.safetensors")["adapter"]["algorithms"])
```
"""


def output(*command):
    return subprocess.run([str(word) for word in command], check=True, text=True, stdout=subprocess.PIPE).stdout


def loaded_libraries(tools):
    """Where the libraries lie that the tools load, at their start and later, by their names."""
    found = re.findall(r"(\S+) => (/\S+)", output("ldd", tools / "lyco") + output("ldd", tools / "libraries.so"))
    return {name: pathlib.Path(path) for name, path in found}


def prepare_libraries(tools, folder):
    """OpenBLAS in place of the reference BLAS and LAPACK, which it holds too: LAPACKE then needs neither."""
    for name, path in loaded_libraries(tools).items():
        if name.startswith(("liblapacke.", "libtmglib.")):
            copy = folder / name
            shutil.copy(path, copy)
            copy.chmod(0o755)
            needed = output("patchelf", "--print-needed", copy).split()
            if "libopenblas.so.0" not in needed:
                subprocess.run(["patchelf", "--add-needed", "libopenblas.so.0", copy], check=True)
            for other in needed:
                if re.match(r"lib(blas|lapack)\.so", other):
                    subprocess.run(["patchelf", "--remove-needed", other, copy], check=True)


def debian_package(path):
    """The package that a library is from. What dpkg knows by its name before /usr was one, it knows without /usr."""
    real = path.resolve()
    for name in [str(real), str(real).removeprefix("/usr")]:
        found = subprocess.run(["dpkg-query", "-S", name], text=True, capture_output=True).stdout
        if found:
            return found.split(":")[0]
    raise SystemExit(f"{path}: expected a library of a package, whose licence is known; found none that has it")


def copy_licences(bundled, libraries, scratch, folder):
    """The licences of lyco, of Swift's runtime and the packages that are linked in, and of libraries beside them."""
    shutil.copy(ROOT / "LICENSE", folder / "lyco-LICENSE.txt")
    shutil.copy(ROOT / "NOTICE", folder / "lyco-NOTICE.txt")
    swift = pathlib.Path(shutil.which("swift")).resolve().parents[1]
    shutil.copy(swift / "share/swift/LICENSE.txt", folder / "swift-LICENSE.txt")
    packages = [path for path in sorted((scratch / "checkouts").iterdir()) if "docc" not in path.name]
    for package in packages:
        shutil.copy(package / "LICENSE.txt", folder / f"{package.name}-LICENSE.txt")
    common = set()
    for name in sorted(bundled):
        package = debian_package(libraries[name])
        copyright = pathlib.Path("/usr/share/doc", package, "copyright")
        if not copyright.exists():
            raise SystemExit(f"{copyright}: expected the licence of {name}, found no such file")
        text = copyright.read_text()
        (folder / f"{package}-copyright.txt").write_text(text)
        common.update(re.findall(r"/usr/share/common-licenses/([\w.+-]*\w)", text))
    for name in sorted(common):
        text = pathlib.Path("/usr/share/common-licenses", name)
        if text.exists():
            shutil.copy(text, folder / f"{text.resolve().name}.txt")


def stage_package(folder, tools, release, commit):
    shutil.copytree(ROOT / "Python/lyco", folder / "lyco", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "lyco/_release.py").write_text(f'__version__ = "{release}"\n__commit__ = "{commit}"\n')
    subprocess.run([sys.executable, HERE / "write-options.py", tools, folder / "lyco"], check=True)
    (folder / "lyco/bin").mkdir()
    # auditwheel gives libraries other names, which only their users at the start are told.
    needed = output("patchelf", "--print-needed", tools / "libraries.so").split()
    subprocess.run(
        ["patchelf", *(word for name in needed for word in ["--add-needed", name]),
         "--output", folder / "lyco/bin/lyco", tools / "lyco"],
        check=True)


def stage_information(folder, release):
    information = folder / f"lyco-{release}.dist-info"
    information.mkdir()
    (information / "WHEEL").write_text(
        "Wheel-Version: 1.0\nGenerator: lyco\nRoot-Is-Purelib: false\nTag: py3-none-linux_"
        f"{os.uname().machine}\n")
    names = sorted(path.name for path in (folder.parent / "tools").glob("lyco-*"))
    (information / "entry_points.txt").write_text(
        "[console_scripts]\n" + "".join(f"{name} = lyco._commands:{name[5:]}\n" for name in names))
    return information


def write_metadata(information, release):
    licences = "".join(
        f"License-File: {path.name}\n" for path in sorted((information / "licenses").glob("*")))
    (information / "METADATA").write_text(
        METADATA.format(release=release, licences=licences, description=DESCRIPTION))


def pack(folder, wheel, level=9):
    """A zip whose bytes depend on what is in it alone."""
    information = next(folder.glob("*.dist-info"))
    record = information / "RECORD"
    record.unlink(missing_ok=True)
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    lines = []
    for path in files:
        data = path.read_bytes()
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        lines.append(f"{path.relative_to(folder)},sha256={digest},{len(data)}\n")
    record.write_text("".join(lines) + f"{record.relative_to(folder)},,\n")
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=level) as archive:
        for path in [*files, record]:
            entry = zipfile.ZipInfo(str(path.relative_to(folder)), (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o100755 if os.access(path, os.X_OK) else 0o100644) << 16
            archive.writestr(entry, path.read_bytes())


def main():
    tools, scratch, release, commit, dist = sys.argv[1:]
    tools, scratch, dist = (pathlib.Path(path).resolve() for path in [tools, scratch, dist])
    dist.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=tools.parent) as work:
        work = pathlib.Path(work)
        (work / "tools").symlink_to(tools)
        stage = work / "stage"
        stage.mkdir()
        stage_package(stage, tools, release, commit)
        information = stage_information(stage, release)
        write_metadata(information, release)
        raw = work / f"lyco-{release}-py3-none-linux_{os.uname().machine}.whl"
        pack(stage, raw, level=0)

        changed = work / "libraries"
        changed.mkdir()
        prepare_libraries(tools, changed)
        environment = os.environ | {"LD_LIBRARY_PATH": str(changed)}
        done = subprocess.run(
            [sys.executable, "-m", "auditwheel", "-v", "repair", "-z", "0", "--wheel-dir", work / "repaired", raw],
            env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode != 0:
            raise SystemExit(f"auditwheel: status {done.returncode}\n" + "\n".join(done.stdout.split("\n")[-20:]))

        repaired, = (work / "repaired").glob("*.whl")
        whole = work / "whole"
        with zipfile.ZipFile(repaired) as archive:
            for entry in archive.infolist():
                path = pathlib.Path(archive.extract(entry, whole))
                if path.is_file():
                    path.chmod(entry.external_attr >> 16 & 0o777 or 0o644)
        # auditwheel calls libpng16.so.16.39.0 `libpng16-0a1b2c3d.so.16.39.0`.
        names = {re.sub(r"-[0-9a-f]{8}(?=\.)", "", path.name) for path in (whole / "lyco.libs").iterdir()}
        libraries = loaded_libraries(tools)
        bundled = {name for name, path in libraries.items() if names & {name, path.resolve().name}}
        if len(bundled) != len(names):
            raise SystemExit(f"expected a library for each of {sorted(names)}, found {sorted(bundled)}")
        information, = whole.glob("*.dist-info")
        (information / "licenses").mkdir(exist_ok=True)
        copy_licences(bundled, libraries, scratch, information / "licenses")
        write_metadata(information, release)
        # Whole or not at all.
        unfinished = dist / f".{repaired.name}.new"
        pack(whole, unfinished)
        for path in dist.glob("lyco-*.whl"):
            path.unlink()
        unfinished.rename(dist / repaired.name)
    print(dist / repaired.name)


if __name__ == "__main__":
    main()
