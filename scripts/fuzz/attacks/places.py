"""Inputs and outputs that are no ordinary files."""

import os
import socket

from .scenarios import scenario
from .trials import WRITERS, trial


def places(bench):
    """Outputs and inputs that are no ordinary files."""
    def link(target, name="o.safetensors"):
        return lambda folder: os.symlink(target, folder / name)

    def sock(folder, name="o.safetensors"):
        bound = socket.socket(socket.AF_UNIX)
        here = os.open(".", os.O_RDONLY)
        bound.bind(os.path.relpath(folder / name) if len(str(folder / name)) > 100 else str(folder / name))
        os.close(here)
        return bound

    def is_link(folder, status, errors):
        return None if os.path.islink(folder / "o.safetensors") else "the link was replaced"

    def hard(folder):
        (folder / "other").write_bytes(b"other")
        os.link(folder / "other", folder / "o.safetensors")

    def hard_kept(folder, status, errors):
        return None if (folder / "other").read_bytes() == b"other" else "the other name of the file was written to"

    for tool, words in WRITERS:
        o = [*words, "o.safetensors"]
        for name, setup, expected, after in [
            ("dangling link", link("there.safetensors"), (0,), is_link),
            ("loop of links", link("o.safetensors"), (1,), is_link),
            # What converts several takes a folder for their outputs.
            ("link to a folder", link("images"), (0,) if tool == "lyco-convert" else (1, 64), is_link),
            ("link into a folder that is not there", link("no/there.safetensors"), (0, 1), is_link),
            ("link to an input", link("base.safetensors" if tool != "lyco-convert" else "a.safetensors"),
             None, is_link),
            ("hard link", hard, (0,), hard_kept),
            ("link to /dev/full", link("/dev/full"), (1, 64), is_link),
            ("link to /dev/null", link("/dev/null"), (1, 64), is_link),
            ("socket", sock, (1, 64), None),
            ("FIFO", lambda f: os.mkfifo(f / "o.safetensors"), (1, 64), None),
            ("folder", lambda f: (f / "o.safetensors").mkdir(), None, None),
        ]:
            yield trial(bench, f"{tool}, output: {name}", tool, o, setup, expected=expected, after=after)
        for place in ("/dev/full", "/dev/null", "/dev/stdout", "/proc/self/fd/1", "/proc/self/mem", "/sys/kernel/x",
                      "", ".", "..", "x" * 300 + ".safetensors", "no\nline.safetensors", "\u202e.safetensors",
                      "a/" * 2000 + "o.safetensors"):
            yield trial(bench, f"{tool}, output: {place[:30]!r}", tool, [*words, place])
        for place in ("/dev/full", "/dev/null", "/dev/stdout", "/proc/self/fd/2", "no/r.json", "images", "base.safetensors"):
            if tool != "lyco-merge":
                yield trial(bench, f"{tool}, report: {place}", tool, [*o, "--report", place])
        yield trial(bench, f"{tool}, umask 777", tool, o, expected=(0, 1), wrapper="umask 777;")
        for inputs in range(2):
            for place in ("/dev/zero", "/dev/null", "/proc/self/maps", "/proc/kmsg", "/proc/self/mem", "/dev/stdin",
                          "/proc/self/environ", "fifo", "sock", ".", "images", "null", "no", "", "loop", "closed"):
                def setup(folder):
                    os.mkfifo(folder / "fifo")
                    os.symlink("/dev/null", folder / "null")
                    os.symlink("loop", folder / "loop")
                    (folder / "closed").write_bytes(b"x")
                    return sock(folder, "sock")
                changed = list(o)
                changed[inputs if tool != "lyco-convert" else 0] = place
                yield trial(bench, f"{tool}, input {inputs}: {place}", tool, changed, setup, allowed=(1, 64))
    train = scenario("training over another").arguments
    for option in ("--log_csv", "--logging_dir", "--output_dir", "--train_data_dir", "--vae", "--resume",
                   "--dataset_config", "--config_file", "--network_weights", "--sample_prompts", "--tokenizer"):
        for place in ("/dev/full", "/dev/null", "/dev/zero", "/proc/self/maps", "fifo", "sock", "null", "loop",
                      "images/none", "tiny/unet"):
            def setup(folder):
                os.mkfifo(folder / "fifo")
                os.symlink("/dev/null", folder / "null")
                os.symlink("loop", folder / "loop")
                return sock(folder, "sock")
            yield trial(bench, f"lyco-train {option} {place}", "lyco-train", [*train, option, place, "--max_train_steps", "1"], setup)
    # The output folder changes during the work, or is that of another run.
    for tool, words in WRITERS:
        def read_only(folder):
            (folder / "r").mkdir(mode=0o555)
        yield trial(bench, f"{tool}, read-only folder", tool, [*words, "r/o.safetensors"], read_only)
        yield trial(bench, f"{tool}, two at once", tool, [*words, "o.safetensors"],
                         lambda f, t=tool, w=words: [bench.start(t, [*w, "o.safetensors"], f) for _ in range(3)],
                         expected=(0,))
