"""What the functions of the Python package do and refuse, on bundled data.

Run with the package installed: python -m unittest discover Python/tests
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import io
import os
import pathlib
import pickle
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from typing import Any

import lyco

FIXTURES = pathlib.Path(os.environ.get("LYCO_FIXTURES", pathlib.Path(__file__).resolve().parents[2] / "Fixtures"))
PAIR = FIXTURES / "real/fashion-ddpm"
BASE, TUNED = PAIR / "base.safetensors", PAIR / "tuned.safetensors"
TINY = FIXTURES / "training/tiny"


def picture_size(path: pathlib.Path) -> tuple[int, int]:
    """Width and height as the header of a PNG file has them."""
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    return width, height


def running() -> dict[int, tuple[str, int]]:
    """The state of every process, and its parent."""
    found = {}
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            state, parent, *_ = path.read_text().rpartition(")")[2].split()
            found[int(path.parent.name)] = (state, int(parent))
    return found


def algorithms(report: dict[str, Any]) -> dict[str, int]:
    """How many modules of an inspected adapter have which algorithm."""
    return {item["name"]: item["modules"] for item in report["adapter"]["algorithms"]}


class FunctionTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def extracted(self, **options: object) -> pathlib.Path:
        path = self.folder / "adapter.safetensors"
        lyco.extract(BASE, TUNED, path, linear_dim=8, norms=True, bias=True, **options)  # type: ignore[arg-type]
        return path

    def test_extract(self) -> None:
        path = self.folder / "adapter.safetensors"
        report = lyco.extract(BASE, TUNED, path, linear_dim=8, norms=True, bias=True)
        self.assertEqual(report["base"], str(BASE))
        self.assertEqual(report["family"], "generic")
        self.assertGreater(len(report["modules"]), 80)
        self.assertTrue(path.exists())

    def test_extract_alone_plans(self) -> None:
        report = lyco.extract(BASE, TUNED, dry_run=True)
        self.assertIsInstance(report, dict)
        self.assertEqual(list(self.folder.iterdir()), [])

    def test_inspect(self) -> None:
        path = self.extracted()
        report = lyco.inspect(path, check=True)
        self.assertEqual(algorithms(report)["lora"], 82)
        one, other = lyco.inspect([path, BASE])
        self.assertEqual(algorithms(one), algorithms(report))
        self.assertEqual((one["kind"], other["kind"]), ("adapter", "checkpoint"))
        self.assertEqual(len(lyco.inspect([path])), 1)

    def test_a_folder_is_catalogued_with_what_is_broken_in_it(self) -> None:
        path = self.extracted()
        (self.folder / "cut.safetensors").write_bytes(path.read_bytes()[:1000])
        report = lyco.inspect(self.folder)
        self.assertEqual([entry["file"] for entry in report["entries"]], [path.name])
        self.assertEqual([fault["file"] for fault in report["faults"]], ["cut.safetensors"])

    def test_a_name_in_bytes(self) -> None:
        path = self.folder / os.fsdecode(b"\xff.safetensors")
        path.write_bytes(self.extracted().read_bytes())
        self.assertEqual(lyco.inspect(os.fsencode(path))["kind"], "adapter")

    def test_calls_of_several_threads(self) -> None:
        """What one hears is of its own tool."""
        path = self.extracted()

        def merge(number: int) -> int:
            heard: list[lyco.Progress] = []
            lyco.merge(
                BASE, [path] * (number + 1), self.folder / f"{number}.safetensors", ratio=0.1, threads=1,
                progress=heard.append)
            return int(len(heard) > 0 and heard[-1].share == 1)

        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.assertEqual(list(pool.map(merge, range(4))), [1] * 4)

    def test_what_inspect_finds_is_no_error(self) -> None:
        self.assertIsInstance(lyco.inspect(BASE, diff=TUNED), dict)

    def test_merge(self) -> None:
        """A whole difference brings the tuned model back."""
        full, merged = self.folder / "full.safetensors", self.folder / "merged.safetensors"
        lyco.extract(BASE, TUNED, full, mode="full", norms=True, bias=True)
        report = lyco.merge(BASE, full, merged, ratio=[1])
        self.assertEqual(report["unmatched"], [])
        self.assertEqual(report["files"], [str(merged)])
        untouched = lyco.merge(BASE, [full, full], self.folder / "same.safetensors", ratio=[0.5, -0.5])
        self.assertEqual(untouched["matched"], 2 * report["matched"])

    def test_convert(self) -> None:
        path, smaller = self.extracted(), self.folder / "smaller.safetensors"
        lyco.convert(path, smaller, dim=4, set_meta={"title": "Bags"})
        self.assertLess(smaller.stat().st_size, path.stat().st_size)
        metadata = lyco.inspect(smaller, metadata=True)["metadata"]
        self.assertEqual(metadata["modelspec.title"], "Bags")
        lyco.convert([path, smaller], self.folder / "both.safetensors", ratio=[0.7, 0.3])

    def test_a_keyword_of_python(self) -> None:
        with self.assertRaisesRegex(lyco.LycoError, "expected"):
            lyco.convert(self.extracted(), self.folder / "out.safetensors", from_="nothing")

    def test_train_and_sample(self) -> None:
        heard: list[lyco.Progress] = []
        report = lyco.train(
            pretrained_model_name_or_path=TINY, train_data_dir=TINY / "images", caption_extension=".txt",
            resolution="64", train_batch_size=4, max_train_steps=10, learning_rate=2e-3, cache_latents=True,
            network_module="lycoris.kohya", network_args={"algo": "lokr", "factor": 8}, network_dim=8, network_alpha=8,
            seed=7, output_dir=self.folder, output_name="bag", progress=heard.append)
        self.assertEqual(report["steps"], 10)
        steps = [item for item in heard if item.activity == "training"]
        self.assertEqual((steps[-1].completed, steps[-1].total, steps[-1].share, steps[-1].epoch), (10, 10, 1, 1))
        self.assertAlmostEqual(steps[-1].loss or 0, report["loss"], places=6)
        self.assertEqual(steps[-1].lr, 2e-3)
        adapter = self.folder / "bag.safetensors"
        self.assertEqual(set(algorithms(lyco.inspect(adapter))), {"lokr"})

        grid = self.folder / "bags.png"
        report = lyco.sample(
            adapter, base=TINY, prompt=["a bag", "-a red bag"], width=64, height=64, steps=2, seed=5, grid=grid,
            progress=heard.append)
        self.assertEqual(len(report["pictures"]), 4)
        self.assertEqual(report["pictures"][1]["prompt"], "-a red bag")
        self.assertGreater(picture_size(grid)[1], 2 * 64)
        self.assertEqual((heard[-1].activity, heard[-1].share), ("drawing", 1))

    def test_progress_of_a_merge_ends_with_all(self) -> None:
        heard: list[lyco.Progress] = []
        lyco.merge(BASE, self.extracted(), self.folder / "merged.safetensors", progress=heard.append)
        self.assertEqual(heard[-1].share, 1)
        self.assertEqual(heard[-1].completed, heard[-1].total)


class ErrorTests(unittest.TestCase):
    def test_one_line_says_what_failed(self) -> None:
        with self.assertRaises(lyco.WorkError) as caught:
            lyco.inspect("/no/such/file.safetensors")
        self.assertEqual((caught.exception.tool, caught.exception.status), ("lyco-inspect", 1))
        self.assertIn("/no/such/file.safetensors", str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def test_an_error_of_a_list_has_what_is_known_of_the_others(self) -> None:
        with self.assertRaisesRegex(lyco.WorkError, "/no/such/file") as caught:
            lyco.inspect([BASE, "/no/such/file.safetensors"])
        self.assertEqual([report["file"] for report in caught.exception.report], [str(BASE)])

    def test_errors_pass_from_process_to_process(self) -> None:
        with self.assertRaises(lyco.WorkError) as caught:
            lyco.inspect("/no/such/file.safetensors")
        error = pickle.loads(pickle.dumps(caught.exception))
        self.assertIs(type(error), lyco.WorkError)
        self.assertEqual(
            (str(error), error.tool, error.status), (str(caught.exception), "lyco-inspect", 1))

    def test_usage(self) -> None:
        with self.assertRaisesRegex(lyco.UsageError, "at least 1"):
            lyco.extract(BASE, TUNED, "/tmp/none.safetensors", linear_dim=-1)

    def test_names_that_are_no_options(self) -> None:
        with self.assertRaisesRegex(TypeError, "'linear_dim' is one"):
            lyco.extract(BASE, TUNED, "/tmp/none.safetensors", linear_din=8)  # type: ignore[call-arg]
        # As other programs call it.
        with self.assertRaisesRegex(TypeError, "'linear_dim' is one"):
            lyco.extract(BASE, TUNED, "/tmp/none.safetensors", rank=8)  # type: ignore[call-arg]
        with self.assertRaisesRegex(TypeError, "'device', which has no effect: "):
            lyco.extract(BASE, TUNED, "/tmp/none.safetensors", device="cuda")  # type: ignore[call-arg]

    def test_values_that_options_cannot_have(self) -> None:
        with self.assertRaisesRegex(TypeError, "expected True or False"):
            lyco.extract(BASE, TUNED, "/tmp/none.safetensors", norms="yes")  # type: ignore[arg-type]
        with self.assertRaisesRegex(TypeError, "expected one value"):
            lyco.extract(BASE, TUNED, "/tmp/none.safetensors", linear_dim=[8])  # type: ignore[arg-type]


class DocumentationTests(unittest.TestCase):
    def test_the_page_of_installing(self) -> None:
        """Its Python runs as it stands there, with a smaller and shorter training."""
        page = pathlib.Path(__file__).resolve().parents[2] / "docs/install.md"
        blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)
        self.assertEqual(len(blocks), 2)
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(os.chdir, os.getcwd())
        os.chdir(folder.name)
        shutil.copy(BASE, "base.safetensors")
        shutil.copy(TUNED, "tuned.safetensors")
        for name in ["style.safetensors", "face.safetensors"]:
            lyco.extract(BASE, TUNED, name, linear_dim=4)
        shutil.copytree(TINY, "sd15.safetensors")
        pathlib.Path("images").mkdir()
        for picture in sorted((TINY / "images/10_bag").iterdir())[:4]:
            shutil.copy(picture, "images")
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            names: dict[str, Any] = {}
            for block in blocks:
                shorter = block.replace('"512"', '"64"').replace("max_train_epochs=10", "max_train_epochs=1")
                exec(compile(shorter, str(page), "exec"), names)
        self.assertRegex(said.getvalue(), r"^adapter \[\{")
        self.assertIn("training 100%", said.getvalue())
        for name in ["adapter", "merged", "half", "out/style"]:
            self.assertTrue(pathlib.Path(f"{name}.safetensors").exists(), name)


class InterruptionTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def train(self, steps: int, listen: object = None) -> None:
        lyco.train(
            pretrained_model_name_or_path=TINY, train_data_dir=TINY / "images", caption_extension=".txt",
            resolution="64", train_batch_size=4, max_train_steps=steps, network_dim=8, seed=7,
            output_dir=self.folder, output_name="bag", progress=listen)  # type: ignore[arg-type]

    def test_what_a_listener_raises_ends_the_work(self) -> None:
        class Enough(Exception):
            pass

        def listen(progress: lyco.Progress) -> None:
            if progress.completed >= 3 and progress.activity == "training":
                raise Enough

        begun = time.monotonic()
        with self.assertRaises(Enough):
            self.train(1_000_000, listen)
        # A million steps take hours.
        self.assertLess(time.monotonic() - begun, 60)

    def test_so_it_does_where_interrupts_are_ignored(self) -> None:
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        self.test_what_a_listener_raises_ends_the_work()

    def test_a_tool_ends_with_the_program_that_called_it(self) -> None:
        """Killed, it can interrupt nothing."""
        code = (
            "import lyco, sys\n"
            f"lyco.train(pretrained_model_name_or_path={str(TINY)!r}, train_data_dir={str(TINY / 'images')!r},"
            "  caption_extension='.txt', resolution='64', train_batch_size=4, max_train_steps=1000000, network_dim=8,"
            f"  output_dir={str(self.folder)!r}, progress=lambda now: print(now.completed, flush=True))\n")
        program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        self.addCleanup(program.wait)
        assert program.stdout is not None
        with program.stdout:
            program.stdout.readline()
            tool, = (process for process, (_, parent) in running().items() if parent == program.pid)
            program.kill()
        end = time.monotonic() + 60
        while running().get(tool, ("Z", 0))[0] != "Z" and time.monotonic() < end:
            time.sleep(0.05)
        # Gone, or with nothing but its status left to tell.
        self.assertEqual(running().get(tool, ("Z", 0))[0], "Z")
        self.assertFalse(any(self.folder.glob("*.safetensors")))

    def test_an_interrupt_ends_the_work(self) -> None:
        # Whoever runs the tests may have it ignored.
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        self.addCleanup(signal.signal, signal.SIGINT, before)
        timer = threading.Timer(2, lambda: os.kill(os.getpid(), signal.SIGINT))
        timer.start()
        with self.assertRaises(KeyboardInterrupt):
            self.train(1_000_000)
        self.assertFalse((self.folder / "bag.safetensors").exists())


if __name__ == "__main__":
    unittest.main()
