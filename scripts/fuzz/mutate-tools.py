#!/usr/bin/env python3
"""Runs the five tools over damaged inputs with odd options. What counts as a fault: an end by a signal, none
within ten seconds of its own (six times as many by the clock, where much else runs), an exit status that is not
documented, more than one line of error, an escape sequence in what is printed, a changed input, an output beside a
failure, or a refusal that took more than 300 MB of anonymous memory.

    scripts/fuzz/mutate-tools.py BIN [--seconds 600] [--seed 1] [--jobs 2] [--limit 10] [--keep FOLDER] [--only JOB]

The same seed gives the same runs. With --keep the inputs of every fault are kept with the command.
"""

import argparse
import concurrent.futures
import hashlib
import importlib.util
import json
import os
import pathlib
import random
import re
import shlex
import shutil
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "Fixtures"
spec = importlib.util.spec_from_file_location("sweep", ROOT / "scripts/fuzz/sweep-options.py")
sweep = importlib.util.module_from_spec(spec)
spec.loader.exec_module(sweep)

NUMBERS = [0, 1, -1, 2, 255, 65536, 2**31 - 1, 2**31, 2**40, 2**53, 2**62, 2**63 - 1, 2**63, -2**63, 10**30]
TEXTS = ["", "é", "\x1b[31m", "a\nb", "../../x", "x" * 5000, "nan", "inf", "1e400", "null", "\u202e", "lora_up.weight",
         "[", "(a+)+$", "{", "'"]


# === Mutations ===

def bits(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 2, 8, 64])):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def cut(rng, data):
    return data[:rng.randrange(len(data) + 1)]


def grow(rng, data):
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice([b"\0" * 9, rng.randbytes(40), data[:200], b"\xff" * 5]) + data[place:]


def move(rng, data):
    a, b = sorted((rng.randrange(len(data) + 1), rng.randrange(len(data) + 1)))
    return data[:a] + data[b:] + data[a:b]


def text(rng, data):
    """Numbers and strings of a text replaced by odd ones, lines doubled, removed and exchanged."""
    words = data.decode("utf-8", "surrogateescape")
    for _ in range(rng.choice([1, 1, 2, 4])):
        kind = rng.randrange(5)
        spots = list(re.finditer(r"-?\d+(\.\d+)?" if kind < 2 else r'"[^"\n]*"', words))
        if kind < 4 and spots:
            spot = rng.choice(spots)
            new = str(rng.choice(NUMBERS)) if kind < 2 else json.dumps(rng.choice(TEXTS), ensure_ascii=False)
            if kind == 3:
                new = rng.choice(["[]", "{}", "true", "1", "null", "[[[]]]", '"64"'])
            words = words[:spot.start()] + new + words[spot.end():]
        else:
            lines = words.split("\n")
            place = rng.randrange(len(lines))
            lines.insert(rng.randrange(len(lines) + 1), lines[place] if rng.random() < 0.5 else lines.pop(place))
            words = "\n".join(lines)
    return words.encode("utf-8", "surrogateescape")


def header(rng, data):
    """The header of a safetensors file, its length kept right."""
    if len(data) < 8:
        return data
    size = struct.unpack("<Q", data[:8])[0]
    head, rest = data[8:8 + size], data[8 + size:]
    if rng.random() < 0.5:
        try:
            entries = json.loads(head)
            names = [n for n in entries if n != "__metadata__"]
            name = rng.choice(names)
            entry = entries[name]
            kind = rng.randrange(7)
            if kind == 0:
                entry["shape"] = [rng.choice([0, 1, 2, 3, 7, 2**40]) for _ in range(rng.randrange(5))]
                count = 1
                for extent in entry["shape"]:
                    count *= extent
                if count == 0:
                    # An honest entry of no bytes.
                    entry["data_offsets"] = [0, 0]
            elif kind == 1:
                entry["dtype"] = rng.choice(["F64", "F32", "F16", "BF16", "I64", "I8", "BOOL", "F8_E4M3", "F4", "U64"])
            elif kind == 2:
                entries[rng.choice(TEXTS) + name] = entries.pop(name)
            elif kind == 3:
                del entries[name]
            elif kind == 4:
                entry["shape"] = list(reversed(entry["shape"]))
            elif kind == 5:
                entries[name.replace("lora", rng.choice(["lokr_w1", "hada_w1_a", "oft_blocks", "diff"]))] = entries.pop(name)
            else:
                meta = entries.setdefault("__metadata__", {})
                meta[rng.choice(["ss_tag_frequency", "ss_network_args", "ss_datasets", "lora_adapter_metadata",
                                 "ss_network_module", "modelspec.title"])] = rng.choice(
                    ["{", '{"a": {"b": 9223372036854775807}, "c": {"b": 1}}', "[" * 2000, '{"r": 0, "lora_alpha": "x"}',
                     "\x1b[2J", "[" + "1," * 2000 + "1]"])
            head = json.dumps(entries, ensure_ascii=False).encode("utf-8", "surrogatepass")
        except (ValueError, IndexError, KeyError, TypeError):
            head = text(rng, head)
    else:
        head = text(rng, head)
    return struct.pack("<Q", len(head)) + head + rest


def values(rng, data):
    """Numbers of a safetensors file: not finite, huge, tiny."""
    if len(data) < 8:
        return data
    start = 8 + struct.unpack("<Q", data[:8])[0]
    data = bytearray(data)
    for _ in range(rng.choice([1, 4, 100])):
        if len(data) - start >= 4:
            place = start + rng.randrange((len(data) - start) // 4) * 4
            data[place:place + 4] = struct.pack("<f", rng.choice(
                [float("nan"), float("inf"), -float("inf"), 3e38, -3e38, 1e-45, 0.0, -1.0]))
    return bytes(data)


COMMON = [bits, cut, grow, move]


def mutations(path):
    if path.suffix == ".safetensors":
        return [header] * 6 + [values] * 2 + COMMON
    if path.suffix in (".toml", ".json", ".txt", ".caption", ".jsonl"):
        return [text] * 6 + COMMON
    return COMMON


# === Jobs ===

def prepare(folder):
    sweep.prepare(folder)
    (folder / "preset.toml").write_text(
        'enable_conv = true\ntarget_name = ["a", "b.*"]\n'
        '[name_algo_map."a"]\nalgo = "lokr"\nfactor = 2\ndim = 4\n')
    (folder / "data.toml").write_text(
        '[general]\nshuffle_caption = true\nkeep_tokens = 1\n[[datasets]]\nresolution = 32\nbatch_size = 2\n'
        'enable_bucket = true\nmin_bucket_reso = 32\nbucket_reso_steps = 8\n'
        '[[datasets.subsets]]\nimage_dir = "images"\nnum_repeats = 2\n'
        'caption_extension = ".txt"\nflip_aug = true\n')
    (folder / "config.toml").write_text(
        '[model]\npretrained_model_name_or_path = "tiny"\n[data]\ntrain_data_dir = "images"\nresolution = "32"\n'
        '[train]\nmax_train_steps = 1\nlearning_rate = 1e-4\nnetwork_dim = 4\n'
        'network_module = "lycoris.kohya"\nnetwork_args = ["algo=loha"]\n'
        'output_dir = "out"\ntrain_batch_size = 2\nseed = 3\n')
    (folder / "prompts.txt").write_text(
        "# two\na bag --n blurry --w 64 --h 64 --d 3 --l 2.5 --s 2 --ss euler_a\na (red:1.2) bag\n")
    (folder / "prompts.toml").write_text(
        '[prompt]\nwidth = 64\nheight = 64\nsample_steps = 1\n[[prompt.subset]]\nprompt = "a bag"\nseed = 3\n'
        'negative_prompt = "blurry"\nscale = 2.5\nsample_sampler = "ddim"\n')
    (folder / "prompts.json").write_text(json.dumps(
        ["a bag --w 64 --h 64 --s 1", {"prompt": "a bag", "width": 64, "height": 64, "sample_steps": 1, "seed": 3}]))
    peft = folder / "peft"
    peft.mkdir()
    (peft / "adapter_config.json").write_text(json.dumps(
        {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["a", "b"], "use_rslora": False,
         "alpha_pattern": {"a": 8}, "rank_pattern": {}}))
    sweep.write_safetensors(peft / "adapter_model.safetensors", {
        "base_model.model.a.lora_A.weight": [2, 6], "base_model.model.a.lora_B.weight": [8, 2]})
    shutil.copytree(FIXTURES / "training/tiny", folder / "tiny",
                    ignore=lambda _, names: [n for n in names if n in ("images", "validation") or "judge" in n])
    for name in ("loha", "lokr", "oft", "boft", "glora", "ia3", "dora"):
        for path in sorted((FIXTURES / name).glob("*linear*.safetensors"))[:1]:
            shutil.copy(path, folder / f"golden-{name}.safetensors")
    # States, shards with their index, torch files, compressed files, a report of a sample.
    base = {"a.weight": [8, 6], "a.bias": [8]}
    sweep.write_safetensors(folder / "m-00001-of-00002.safetensors", base)
    sweep.write_safetensors(folder / "m-00002-of-00002.safetensors", {"b.weight": [4, 3, 3, 3]})
    (folder / "m.safetensors.index.json").write_text(json.dumps({"metadata": {"total_size": 656}, "weight_map": {
        "a.weight": "m-00001-of-00002.safetensors", "a.bias": "m-00001-of-00002.safetensors",
        "b.weight": "m-00002-of-00002.safetensors"}}))
    for name in ("every-dtype.pt", "every-dtype-legacy.pt", "lightning.ckpt", "layouts-legacy.pt"):
        shutil.copy(FIXTURES / "torch" / name, folder / f"torch-{name}")
    data = FIXTURES / "training/data"
    for path in sorted((data / "images").iterdir()):
        # Images that differ in their endings alone would share a cache.
        image = folder / "images" / (f"jpeg-{path.name}" if path.suffix == ".jpg" else path.name)
        shutil.copy(path, image)
        image.with_suffix(".txt").write_text("a {red|blue} bag, {on|under} a table")
    for path, image in zip(sorted((data / "caches").glob("*_sd.npz")), ("rgb", "rgba")):
        shutil.copy(path, folder / "images" / f"{image}_0048x0040_sd.npz")


TRAINING = ["--pretrained_model_name_or_path", "tiny", "--train_data_dir", "images", "--resolution", "32", "--seed", "7",
            "--network_module", "lycoris.kohya", "--network_args", "exclude_patterns=['.*']",
            "include_patterns=['conv_in']", "--network_dim", "2", "--output_dir", "out"]


def prepare_state(folder, binaries):
    """A state, and a compressed file, which the tools themselves write."""
    with tempfile.TemporaryDirectory(prefix="lyco-mutate-") as place:
        done = subprocess.run([str(binaries / "lyco-train"), *TRAINING, "--max_train_steps", "1", "--save_state",
                               "--cache_latents_to_disk", "--latent_cache_format", "safetensors.zst",
                               "--output_dir", place], cwd=folder, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"no state: {done.stderr.strip()[:300]}")
        shutil.copytree(next(pathlib.Path(place).glob("*-state")), folder / "state")
    packed = sorted((folder / "images").glob("*.zst"))
    shutil.copy(packed[0], folder / "packed.safetensors.zst")


def jobs(folder):
    """name -> (tool, arguments, files that are damaged)"""
    images = sorted((folder / "images").iterdir())
    found = {
        "inspect": ("lyco-inspect", ["adapter.safetensors", "--check"], ["adapter.safetensors"]),
        "against": ("lyco-inspect", ["adapter.safetensors", "--against", "base.safetensors"],
                    ["adapter.safetensors", "base.safetensors"]),
        "norms": ("lyco-inspect", ["adapter.safetensors", "--stats"], ["adapter.safetensors"]),
        "diff": ("lyco-inspect", ["base.safetensors", "--diff", "tuned.safetensors"],
                 ["base.safetensors", "tuned.safetensors"]),
        "merge": ("lyco-merge", ["base.safetensors", "adapter.safetensors", "-o", "out/o.safetensors"],
                  ["base.safetensors", "adapter.safetensors"]),
        "merge-peft": ("lyco-merge", ["base.safetensors", "peft", "-o", "out/o.safetensors"],
                       ["peft/adapter_config.json", "peft/adapter_model.safetensors"]),
        "extract": ("lyco-extract", ["base.safetensors", "tuned.safetensors", "-o", "out/o.safetensors"],
                    ["base.safetensors", "tuned.safetensors"]),
        "preset": ("lyco-extract", ["base.safetensors", "tuned.safetensors", "--preset", "preset.toml", "-o",
                                    "out/o.safetensors"], ["preset.toml"]),
        "convert": ("lyco-convert", ["adapter.safetensors", "--base", "base.safetensors", "--to", "peft", "-o",
                                     "out/folder"], ["adapter.safetensors"]),
        "convert-peft": ("lyco-convert", ["peft", "--base", "base.safetensors", "--to", "kohya", "-o",
                                          "out/o.safetensors"],
                         ["peft/adapter_config.json", "peft/adapter_model.safetensors"]),
        "resize": ("lyco-convert", ["adapter.safetensors", "--dim", "1", "-o", "out/o.safetensors"],
                   ["adapter.safetensors"]),
        "relearn": ("lyco-convert", ["adapter.safetensors", "--algo", "lokr", "-o", "out/o.safetensors"],
                    ["adapter.safetensors"]),
        "dataset": ("lyco-train", ["--pretrained_model_name_or_path", "tiny", "--dataset_config", "data.toml",
                                   "--max_train_steps", "1", "--output_dir", "out", "--dry_run"],
                    ["data.toml"]),
        "config": ("lyco-train", ["--config_file", "config.toml", "--dry_run"], ["config.toml"]),
        "model": ("lyco-train", ["--pretrained_model_name_or_path", "tiny", "--train_data_dir", "images",
                                 "--resolution", "32", "--max_train_steps", "1", "--output_dir", "out", "--dry_run"],
                  [str(p.relative_to(folder)) for p in sorted((folder / "tiny").rglob("*.json"))]),
        "images": ("lyco-train", ["--pretrained_model_name_or_path", "tiny", "--train_data_dir", "images",
                                  "--resolution", "32", "--max_train_steps", "1", "--output_dir", "out",
                                  "--cache_latents", "--enable_wildcard", "--caption_extension", ".txt"],
                   [f"images/{p.name}" for p in images if p.suffix not in (".npz", ".zst")]),
        "caches": ("lyco-train", ["--pretrained_model_name_or_path", "tiny", "--train_data_dir", "images",
                                  "--resolution", "48,40", "--max_train_steps", "1", "--output_dir", "out",
                                  "--cache_latents_to_disk"],
                   [f"images/{p.name}" for p in images if p.suffix == ".npz"] or ["images/rgb.png"]),
    }
    found["shards"] = ("lyco-inspect", ["m.safetensors.index.json", "--check"],
                       ["m.safetensors.index.json", "m-00001-of-00002.safetensors"])
    found["merge-shards"] = ("lyco-merge", ["m.safetensors.index.json", "adapter.safetensors", "-o", "out/o.safetensors"],
                             ["m.safetensors.index.json", "m-00002-of-00002.safetensors"])
    for path in sorted(folder.glob("torch-*")):
        found[path.name] = ("lyco-inspect", [path.name, "--stats"], [path.name])
    found["packed"] = ("lyco-inspect", ["packed.safetensors.zst", "--check"], ["packed.safetensors.zst"])
    found["state"] = ("lyco-train", [*TRAINING, "--max_train_steps", "2", "--resume", "state"],
                      [f"state/{p.name}" for p in sorted((folder / "state").iterdir())])
    found["packed-caches"] = ("lyco-train", [*TRAINING, "--max_train_steps", "1", "--cache_latents_to_disk",
                                             "--latent_cache_format", "safetensors.zst"],
                              [f"images/{p.name}" for p in images if p.suffix == ".zst"])
    for ending in ("txt", "toml", "json"):
        found[f"prompts-{ending}"] = ("lyco-sample", ["--base", "tiny", "--prompts", f"prompts.{ending}", "--dry_run"],
                                      [f"prompts.{ending}"])
    for path in sorted(folder.glob("golden-*.safetensors")):
        found[path.stem] = ("lyco-inspect", [path.name, "--stats"], [path.name])
    return found


def check(known, binaries, source):
    """Ends the program if a job fails without any damage: its damaged inputs would then not be read."""
    for name, (tool, arguments, _) in known.items():
        with tempfile.TemporaryDirectory(prefix="lyco-mutate-") as place:
            folder = pathlib.Path(place) / "in"
            shutil.copytree(source, folder)
            (folder / "out").mkdir()
            done = subprocess.run([str(binaries / tool), *arguments], cwd=folder, capture_output=True, text=True,
                                  stdin=subprocess.DEVNULL)
            if done.returncode not in (0, 2):
                sys.exit(f"{name} fails without any damage: {done.stderr.strip()[:300]}")


def run(case, binaries, source, limit, keep):
    name, tool, arguments, files, seed = case
    rng = random.Random(seed)
    with tempfile.TemporaryDirectory(prefix="lyco-mutate-") as place:
        folder = pathlib.Path(place) / "in"
        # Only what is damaged is copied; the rest is reached by links.
        folder.mkdir()
        for entry in source.iterdir():
            os.symlink(entry, folder / entry.name)
        for file in rng.sample(files, min(len(files), rng.choice([1, 1, 2]))):
            parts = pathlib.Path(file).parts
            for depth in range(1, len(parts)):
                inner = folder.joinpath(*parts[:depth])
                if inner.is_symlink():
                    target = inner.resolve()
                    inner.unlink()
                    inner.mkdir()
                    for entry in target.iterdir():
                        os.symlink(entry, inner / entry.name)
            path = folder / file
            data = path.read_bytes()
            for _ in range(rng.choice([1, 1, 1, 2, 3])):
                data = rng.choice(mutations(path))(rng, data)
            if path.is_symlink():
                path.unlink()
            path.write_bytes(data)
        (folder / "out").mkdir(exist_ok=True)
        before = digests(folder)
        environment = dict(os.environ, SWIFT_BACKTRACE="enable=no", OPENBLAS_NUM_THREADS="1")
        process = subprocess.Popen([str(binaries / tool), *arguments], cwd=folder, stdin=subprocess.DEVNULL,
                                   stdout=open(f"{place}/output", "wb"), stderr=open(f"{place}/errors", "wb"),
                                   env=environment)
        status, memory = wait(process, limit)
        errors = pathlib.Path(f"{place}/errors").read_text(errors="replace")
        output = pathlib.Path(f"{place}/output").read_text(errors="replace")
        fault = None
        lines = [line for line in errors.splitlines() if line.startswith("Error:")]
        if status is None:
            fault = f"no end after {limit} s"
        elif status not in sweep.STATUSES:
            fault = f"status {status}"
        elif status in (1, 64) and len(lines) != 1:
            fault = f"status {status} with {len(lines)} lines of error"
        elif status == 1 and not errors.rstrip("\n").endswith(lines[0]):
            fault = "an error of more than one line"
        elif "\x1b" in errors + output:
            fault = "an escape sequence in what is printed"
        elif status and memory > 300_000:
            fault = f"a refusal that took {memory >> 10} MB"
        else:
            after = digests(folder)
            changed = [n for n in before if after.get(n) != before[n] and not n.endswith((".npz", ".zst"))]
            written = [n for n in after if n not in before]
            if changed:
                fault = f"changed inputs: {changed[:3]}"
            elif status and [n for n in written if n.startswith("out/")]:
                fault = f"outputs beside a failure: {written[:3]}"
        if fault:
            if keep:
                kept = keep / f"{name}-{seed}"
                shutil.rmtree(kept, ignore_errors=True)
                shutil.copytree(folder, kept)
                (kept / "command").write_text(shlex.join([tool, *arguments]) + "\n")
            tail = errors.strip().splitlines()[-1:] or [""]
            return f"{name} {seed}: {fault}: {shlex.join([tool, *arguments])[:300]}: {tail[0][:200]!r}"
        return None


def seconds(process):
    """What a process has taken of the processor; 0 where it is gone."""
    try:
        fields = pathlib.Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, IndexError):
        return 0


def anonymous_memory(process):
    """In kilobytes; 0 where it is gone."""
    try:
        status = pathlib.Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    found = re.search(r"RssAnon:\s+(\d+)", status)
    return int(found.group(1)) if found else 0


def wait(process, limit):
    """Its status, None where it was stopped after `limit` seconds of the processor, and its most memory in kilobytes."""
    # By the clock it may take longer: much else may run.
    end, status, memory = time.monotonic() + 6 * limit, None, 0
    while time.monotonic() < end and seconds(process.pid) < limit:
        memory = max(memory, anonymous_memory(process.pid))
        pid, code, _ = os.wait4(process.pid, os.WNOHANG)
        if pid:
            status = os.waitstatus_to_exitcode(code)
            break
        time.sleep(0.004)
    else:
        process.kill()
        os.wait4(process.pid, 0)
    process.returncode = status if status is not None else -9
    return status, memory


def digests(folder):
    found = {}
    for place, folders, names in os.walk(folder, followlinks=False):
        for name in names:
            path = os.path.join(place, name)
            if not os.path.islink(path) and os.path.isfile(path):
                with open(path, "rb") as file:
                    found[os.path.relpath(path, folder)] = hashlib.blake2b(file.read()).digest()
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bin", type=pathlib.Path)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--limit", type=float, default=10)
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    binaries = arguments.bin.resolve()
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lyco-mutate-") as place:
        source = pathlib.Path(place)
        prepare(source)
        prepare_state(source, binaries)
        known = {name: job for name, job in jobs(source).items() if not arguments.only or name == arguments.only}
        check(known, binaries, source)
        options = {tool: list(sweep.options(binaries / tool)) for tool in {job[0] for job in known.values()}}

        def cases():
            number = arguments.seed * 1_000_000
            end = time.monotonic() + arguments.seconds
            while time.monotonic() < end:
                number += 1
                rng = random.Random(number)
                name = rng.choice(sorted(known))
                tool, command, files = known[name]
                extra = []
                while rng.random() < 0.25:
                    extra.append(f"--{rng.choice(options[tool])}={rng.choice(sweep.VALUES)}")
                extra = [e for e in extra if "\0" not in e and "output" not in e and "logging" not in e]
                yield name, tool, command + extra, files, number

        runs = faults = 0
        with concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
            pending = set()
            source_of_cases = cases()
            exhausted = False
            while pending or not exhausted:
                while not exhausted and len(pending) < 2 * arguments.jobs:
                    case = next(source_of_cases, None)
                    if case is None:
                        exhausted = True
                        break
                    pending.add(pool.submit(run, case, binaries, source, arguments.limit, arguments.keep))
                done, pending = concurrent.futures.wait(pending, return_when="FIRST_COMPLETED")
                for future in done:
                    runs += 1
                    if future.result():
                        faults += 1
                        print(future.result(), flush=True)
        print(f"{runs} runs, {faults} faults")
        sys.exit(1 if faults else 0)


if __name__ == "__main__":
    main()
