#!/usr/bin/env python3
"""Judges adapters of a fine-tune, extracted and distilled (lyco-train --teacher), by what they draw.

usage: judge-distillation.py BINDIR [tiny] [fashion] [--ranks 4 8] [--seeds 4] [--steps N] [--rate LR] [--keep FOLDER]

tiny: the small pipeline of Fixtures/training/tiny is fine-tuned whole (algo=full) on its held-out class. Then, in rank 4
and in equal bytes: a plain extraction, one by outputs (--calibrate with gradients), and two that were distilled from the
latter, with the pictures and with nothing but what the fine-tune draws itself. Each is judged as judge-tiny.py does. Exits
with 1 where a distilled one is further from the loss of the fine-tune than 5 % of what that has gained.

fashion: the pair of Fixtures/real/fashion-ddpm, as pipelines of Stable Diffusion's structure: a folder for each, with a CLIP
text encoder of one layer that makes the class token of "bag" everywhere behind that word, and that of no class elsewhere.
For each rank a plain extraction, and one that was distilled from one by outputs, with what the fine-tune draws. Bags of 100
for each seed, and the mean, drawn by evaluate.py with the fine-tune's class token; biases and norms stay the base's. Exits
with 1 where less than 92 of 100 are bags, or where a distilled adapter has more bytes than the plain one.

Needs torch, diffusers, transformers, lycoris-lora, safetensors; says so and exits with 0 where they are missing.
"""

import argparse
import contextlib
import json
import logging
import pathlib
import shutil
import subprocess
import sys
import tempfile
import warnings

import judging
from fashion import BAG, NONE, PAIR, TOKEN, count_bags, load_evaluation, load_judge

try:
    import torch
    from clients import adapter
    from fixtures.training.tiny import bags, pipeline
    from safetensors.torch import load_file, save_file
    from transformers import CLIPTokenizer
except ImportError as missing:
    judging.skip(missing)

FIXTURES = pathlib.Path(__file__).resolve().parents[2] / "Fixtures"
TINY = FIXTURES / "training" / "tiny"
GAP = 0.05  # of the fine-tune's gain, that a distilled adapter may be away
ENOUGH = 92  # bags of 100
CHANNELS, WIDTH, VOCABULARY = 32, 16, 49408


class Work:
    """A folder in which tools run."""

    def __init__(self, bindir, folder):
        self.bindir, self.folder = bindir.resolve(), folder

    def run(self, tool, *words):
        words = [str(self.bindir / tool), *map(str, words)]
        result = subprocess.run(words, cwd=self.folder, capture_output=True, text=True)
        if result.returncode != 0:
            sys.exit(f"judge-distillation.py: {' '.join(words)}\n{result.stderr.strip()}")
        return result.stdout

    def extract(self, base, tuned, name, rank, *others):
        self.run("lyco-extract", base, tuned, "-o", name, "--family", "sd1", "--linear_dim", rank, "--conv_dim", rank,
                 "--mode", "fixed", "--no_full", "--quiet", *others)
        return self.folder / name

    def train(self, base, name, *others):
        text = self.run(
            "lyco-train", "--pretrained_model_name_or_path", base, "--family", "sd1", "--caption_extension", ".txt",
            "--output_dir", ".", "--output_name", name, "--no_metadata", "--save_precision", "fp16", "--seed", 1, "--lr_scheduler", "cosine", "--quiet",
            "--json", *others)
        return self.folder / f"{name}.safetensors", json.loads(text)["seconds"]


# MARK: The small pipeline

def judge_tiny(work, options):
    pictures = ["--train_data_dir", TINY / "images", "--resolution", 64, "--train_batch_size", 4]
    full, _ = work.train(
        TINY, "full", *pictures, "--network_module", "lycoris.kohya", "--network_args", "algo=full",
        "--max_train_steps", 600, "--learning_rate", 3e-4)
    work.run("lyco-merge", TINY, full, "--ratio", 1, "-o", "tuned", "--quiet")
    (work.folder / "prompts.txt").write_text("a photo of a bag --l 2\n")
    plain = work.extract(TINY, "tuned", "plain.safetensors", 4)
    weighed = work.extract(TINY, "tuned", "weighed.safetensors", 4, "--calibrate", TINY / "images",
                           "--calibration_gradients")
    learns = ["--teacher", "tuned", "--init", weighed, "--max_train_steps", options.steps or 600, "--learning_rate",
              options.rate or 1e-3]
    distilled, _ = work.train(TINY, "distilled", *learns, *pictures)
    drawn, _ = work.train(TINY, "drawn", *learns, "--train_batch_size", 4, "--resolution", 64, "--teacher_prompts",
                          "prompts.txt")
    folder = bags.folder_of(TINY)
    base = pipeline.verdict(pipeline.load(TINY), folder, 100)[0]
    tuned = pipeline.verdict(pipeline.load(work.folder / "tuned"), folder, 100)[0]
    gain = base["loss"] - tuned["loss"]
    print("| | bytes | loss held out | of the gain | bags |\n| --- | --- | --- | --- | --- |")
    print(f"| base | | {base['loss']:.5f} | 0 % | {100 * base['bags']:.0f} |")
    print(f"| fine-tune | {full.stat().st_size} | {tuned['loss']:.5f} | 100 % | {100 * tuned['bags']:.0f} |")
    faults = []
    for name, path in [("plain", plain), ("by outputs", weighed), ("distilled", distilled), ("distilled, no data", drawn)]:
        loaded = pipeline.load(TINY)
        adapter.apply(loaded, path)
        found = pipeline.verdict(loaded, folder, 100)[0]
        share = (base["loss"] - found["loss"]) / gain
        print(f"| {name} | {path.stat().st_size} | {found['loss']:.5f} | {100 * share:.1f} % "
              f"| {100 * found['bags']:.0f} |", flush=True)
        if path in (distilled, drawn) and share < 1 - GAP:
            faults.append(f"{name}: {100 * share:.1f} % of the fine-tune's gain, expected {100 * (1 - GAP):.0f} %")
    return faults


# MARK: The model of garments

def text_encoder(bag, none):
    """One layer, whose attention sees the word wherever it stands before, and a norm that makes the tokens of it: behind
    the word `bag`, else `none`. Before the norm there is +a or -a, of mean 0."""
    vocabulary = CLIPTokenizer.from_pretrained(TINY / "tokenizer")
    word = vocabulary("bag").input_ids[1]
    a = torch.ones(CHANNELS)
    a[1::2] = -1
    table = -a.repeat(VOCABULARY, 1)
    table[word] = a
    zeros, one = torch.zeros(CHANNELS, CHANNELS), torch.eye(CHANNELS)
    keys, queries = zeros.clone(), torch.zeros(CHANNELS)
    keys[0, 0], queries[0] = 1, 50 * CHANNELS ** 0.5
    layer = "text_model.encoder.layers.0."
    tensors = {
        "text_model.embeddings.token_embedding.weight": table,
        "text_model.embeddings.position_embedding.weight": torch.zeros(77, CHANNELS),
        f"{layer}self_attn.q_proj.weight": zeros, f"{layer}self_attn.q_proj.bias": queries,
        f"{layer}self_attn.k_proj.weight": keys, f"{layer}self_attn.v_proj.weight": one,
        f"{layer}self_attn.out_proj.weight": 3 * one, f"{layer}mlp.fc1.weight": zeros, f"{layer}mlp.fc2.weight": zeros,
        "text_model.final_layer_norm.weight": (bag - none) / 2 * a, "text_model.final_layer_norm.bias": (bag + none) / 2,
    }
    for name in ["self_attn.k_proj", "self_attn.v_proj", "self_attn.out_proj", "mlp.fc1", "mlp.fc2"]:
        tensors[f"{layer}{name}.bias"] = torch.zeros(CHANNELS)
    for name in ["layer_norm1", "layer_norm2"]:
        tensors |= {f"{layer}{name}.weight": torch.ones(CHANNELS), f"{layer}{name}.bias": torch.zeros(CHANNELS)}
    return {name: tensor.clone() for name, tensor in tensors.items()}


def write_pipeline(folder, weights, tokens, configuration):
    """A folder of diffusers."""
    for part in ["unet", "text_encoder", "scheduler"]:
        (folder / part).mkdir(parents=True)
    (folder / "model_index.json").write_text('{"_class_name": "StableDiffusionPipeline"}')
    save_file({key.removeprefix("unet."): tensor.float().contiguous() for key, tensor in weights.items() if key != TOKEN},
              folder / "unet" / "diffusion_pytorch_model.safetensors")
    (folder / "unet" / "config.json").write_text(
        json.dumps({"_class_name": "UNet2DConditionModel", **configuration}))
    save_file(text_encoder(tokens[BAG].float(), tokens[NONE].float()), folder / "text_encoder" / "model.safetensors")
    (folder / "text_encoder" / "config.json").write_text(json.dumps({
        "hidden_act": "quick_gelu", "num_attention_heads": 1, "num_hidden_layers": 1, "hidden_size": CHANNELS}))
    (folder / "scheduler" / "scheduler_config.json").write_text(json.dumps({
        "beta_start": 1e-4, "beta_end": 0.02, "beta_schedule": "linear", "prediction_type": "epsilon"}))


def judge_fashion(work, options):
    evaluation = load_evaluation()
    judge = load_judge(evaluation)
    base, tuned = load_file(PAIR / "base.safetensors"), load_file(PAIR / "tuned.safetensors")
    for name, weights in [("base", base), ("tuned", tuned)]:
        write_pipeline(work.folder / name, weights, tuned[TOKEN], evaluation.CONFIG)
    side = 8 * WIDTH
    (work.folder / "prompts.txt").write_text(f"bag --l 2 --s 25 --w {side} --h {side}\n")

    def bags_of(path):
        shutil.rmtree(work.folder / "merged", ignore_errors=True)
        work.run("lyco-merge", "base", path, "--ratio", 1, "-o", "merged", "--family", "sd1", "--quiet")
        merged = load_file(work.folder / "merged" / "unet" / "diffusion_pytorch_model.safetensors")
        weights = {f"unet.{key}": tensor for key, tensor in merged.items()} | {TOKEN: tuned[TOKEN]}
        return count_bags(evaluation, judge, weights, options.seeds)

    print("| | rank | bytes | bags by seed | mean |\n| --- | --- | --- | --- | --- |")
    found = count_bags(evaluation, judge, tuned, options.seeds)
    print(f"| fine-tune | | | {' '.join(map(str, found))} | {sum(found) / len(found):.1f} |", flush=True)
    faults = []
    for rank in options.ranks:
        plain = work.extract("base", "tuned", f"plain-{rank}.safetensors", rank)
        # The text encoders are the same, and made of zeros.
        weighed = work.extract(
            "base", "tuned", f"weighed-{rank}.safetensors", rank, "--exclude_patterns", ".*text_model.*", "--calibrate", "random", "--calibration_prompts",
            "prompts.txt", "--calibration_gradients", "--calibration_samples", 256)
        distilled, seconds = work.train(
            "base", f"distilled-{rank}", "--teacher", "tuned", "--init", weighed, "--network_module", "lycoris.kohya",
            "--teacher_prompts", "prompts.txt", "--teacher_samples", 256, "--train_batch_size", 16,
            "--caption_dropout_rate", 0.3, "--max_train_steps", options.steps or 1000, "--learning_rate",
            options.rate or 2e-3, "--network_train_unet_only")
        for name, path in [("plain", plain), ("by outputs", weighed), (f"distilled, {seconds:.0f} s", distilled)]:
            found = bags_of(path)
            mean = sum(found) / len(found)
            print(f"| {name} | {rank} | {path.stat().st_size} | {' '.join(map(str, found))} | {mean:.1f} |", flush=True)
        if mean < ENOUGH:
            faults.append(f"rank {rank}: {mean:.1f} bags of 100, expected {ENOUGH}")
        if distilled.stat().st_size > plain.stat().st_size:
            faults.append(f"rank {rank}: {distilled.stat().st_size} bytes, the plain one {plain.stat().st_size}")
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("bindir", type=pathlib.Path)
    parser.add_argument("parts", nargs="*", default=[], help="tiny, fashion; both by default")
    parser.add_argument("--ranks", type=int, nargs="+", default=[4, 8])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--steps", type=int, help="of distilling")
    parser.add_argument("--rate", type=float, help="its learning rate")
    parser.add_argument("--keep", type=pathlib.Path, help="keep the files in this folder")
    options = parser.parse_args()
    judges = {"tiny": judge_tiny, "fashion": judge_fashion}
    faults = []
    for part in options.parts or judges:
        with contextlib.ExitStack() as stack:
            folder = options.keep / part if options.keep else pathlib.Path(
                stack.enter_context(tempfile.TemporaryDirectory()))
            folder.mkdir(parents=True, exist_ok=True)
            faults += judges[part](Work(options.bindir, folder.resolve()), options)
    for fault in faults:
        print(f"judge-distillation.py: {fault}", file=sys.stderr)
    sys.exit(1 if faults else 0)


if __name__ == "__main__":
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    main()
