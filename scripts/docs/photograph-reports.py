#!/usr/bin/env python3
"""Makes every report on the bundled models, looks at each with Chromium, takes pictures (light, dark, 400 px wide) and
prints it to PDF.

    scripts/docs/photograph-reports.py --tools .build/release --output .build/reports [--docs]

It fails where a page is wider than a window of 400 px, where a text has less contrast than 4.5 to 1, or where a page asks
for anything beside itself. '--docs' writes the two pictures of docs anew.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from browser import Browser

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT / "Fixtures/real/fashion-ddpm"
TINY = ROOT / "Fixtures/training/tiny"
LEAST_CONTRAST = 4.5
NARROW = 400
PROMPTS = "a photo of a bag --w 64 --h 64 --s 20 --d 3\na photo of a shoe --w 64 --h 64 --s 20 --d 5\n"


def make(tools, folder):
    """Writes all pages; returns their names."""
    pages = []

    def run(tool, *arguments, page):
        command = [str(tools / tool), *map(str, arguments), "--quiet"]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        # lyco-inspect ends with 1 or 2 where it has found faults.
        if done.returncode not in ([0, 1, 2] if tool == "lyco-inspect" else [0]):
            raise SystemExit(f"{' '.join(command)}: status {done.returncode}\n{done.stderr}")
        pages.append(page)

    base, tuned = REAL / "base.safetensors", REAL / "tuned.safetensors"
    run("lyco-extract", base, tuned, "-o", "adapter.safetensors", "--linear_dim", "8", "--norms",
        "--report", "extract.html", page="extract")
    run("lyco-extract", base, tuned, "-o", "small.safetensors", "--max_size", "150KB", "--algo", "auto",
        "--report", "extract-size.html", page="extract-size")
    run("lyco-merge", base, "adapter.safetensors", REAL / "trained-lora-r4.safetensors", "--ratio", "0.8", "0.5",
        "-o", "merged.safetensors", "--save_precision", "bf16", "--report", "merge.html", page="merge")
    (folder / "prompts.txt").write_text(PROMPTS)
    run("lyco-train", "--pretrained_model_name_or_path", TINY, "--train_data_dir", TINY / "images",
        "--caption_extension", ".txt", "--resolution", "64", "--train_batch_size", "4", "--max_train_steps", "200",
        "--learning_rate", "2e-3", "--lr_scheduler", "cosine", "--lr_warmup_steps", "20", "--cache_latents",
        "--validation_split", "0.2", "--validate_every_n_steps", "20", "--seed", "7", "--network_dim", "8",
        "--network_alpha", "8", "--sample_prompts", "prompts.txt", "--sample_every_n_steps", "50", "--sample_at_first",
        "--output_dir", "out", "--output_name", "bag", "--html", "train.html", page="train")
    run("lyco-inspect", "adapter.safetensors", "--stats", "--spectrum", "--html", "inspect.html", page="inspect")
    run("lyco-inspect", ".", "--html", "catalogue.html", page="catalogue")
    return pages


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, default=ROOT / ".build/release")
    parser.add_argument("--output", type=Path, default=ROOT / ".build/reports")
    parser.add_argument("--docs", action="store_true")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    pages = make(options.tools.resolve(), options.output.resolve())
    faults = []
    with Browser() as browser:
        for name in pages:
            path = options.output / f"{name}.html"
            browser.open(path, 1100)
            browser.print(options.output / f"{name}.pdf")
            for look, width, dark in (("light", 1100, False), ("dark", 1100, True), ("narrow", NARROW, False)):
                asked = browser.open(path, width, dark)
                browser.photograph(options.output / f"{name}-{look}.png")
                found = browser.value("document.documentElement.scrollWidth")
                ratio, element, count = browser.contrast()
                print(f"{name} {look}: {found} px, least contrast {ratio:.2f} ({element}) of {count} texts, "
                      f"{len(asked)} requests")
                if found > width:
                    faults.append(f"{name}, {look}: {found} px in a window of {width}")
                if ratio < LEAST_CONTRAST:
                    faults.append(f"{name}, {look}: contrast {ratio:.2f} of {element}")
                if asked:
                    faults.append(f"{name}, {look}: asks for {asked}")
        if options.docs:
            for name, height in (("train", 900), ("extract", 900)):
                browser.open(options.output / f"{name}.html", 800)
                browser.photograph(ROOT / f"docs/report-{name}.png", height)
    if faults:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
