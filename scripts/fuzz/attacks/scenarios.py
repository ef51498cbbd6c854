"""What is attacked: a tool, its arguments, those that make the old outputs, and what changes places together."""

import shutil

from .bench import FIXTURES, sweep


class Scenario:
    def __init__(self, name, tool, arguments, former=None, sets=(), volatile=(), entry=None, in_place=False):
        self.name, self.tool, self.arguments, self.former = name, tool, arguments, former
        self.sets, self.volatile, self.entry, self.in_place = sets, volatile, entry, in_place


def scenarios():
    merge = ["base.safetensors", "a.safetensors"]
    weak = ["--ratio", "0.5"]
    train = ["--pretrained_model_name_or_path", "tiny", "--train_data_dir", "images", "--resolution", "32",
             "--caption_extension", ".txt", "--network_module", "lycoris.kohya", "--network_args",
             "exclude_patterns=['.*']", "include_patterns=['conv_in']", "--network_dim", "2", "--seed", "7",
             "--no_metadata", "--output_dir", "o", "--output_name", "t"]
    state = [r"(o/t[^/]*-state/)"]
    yield Scenario("one file", "lyco-merge", [*merge, "-o", "o.safetensors"], [*merge, *weak, "-o", "o.safetensors"])
    yield Scenario("shards", "lyco-merge", [*merge, "-o", "o.safetensors", "--shard_size", "200"],
                   [*merge, *weak, "-o", "o.safetensors", "--shard_size", "100"], [r"o[-.]"],
                   entry="o.safetensors.index.json")
    yield Scenario("folder", "lyco-merge", ["pipeline", "p.safetensors", "-o", "o"],
                   ["pipeline", "p.safetensors", *weak, "-o", "o"], ["o/"], entry="o")
    yield Scenario("new folder", "lyco-merge", ["pipeline", "p.safetensors", "-o", "n/o"], None, ["n/"], entry="n/o")
    yield Scenario("shards where one file was", "lyco-merge", [*merge, "-o", "o.safetensors", "--shard_size", "200"],
                   [*merge, *weak, "-o", "o.safetensors"], [r"o[-.]"], entry="o.safetensors.index.json")
    yield Scenario("one file where shards were", "lyco-merge", [*merge, "-o", "o.safetensors"],
                   [*merge, *weak, "-o", "o.safetensors", "--shard_size", "100"], [r"o[-.]"], entry="o.safetensors")
    yield Scenario("shards in place", "lyco-merge",
                   ["s.safetensors.index.json", "a.safetensors", "-o", "s.safetensors", "--shard_size", "100"],
                   [*merge, *weak, "-o", "s.safetensors", "--shard_size", "100"], [r"s[-.]"],
                   entry="s.safetensors.index.json", in_place=True)
    yield Scenario("base in place", "lyco-merge", ["s.safetensors", "a.safetensors", "-o", "s.safetensors"],
                   [*merge, *weak, "-o", "s.safetensors"], [r"s\."], entry="s.safetensors", in_place=True)
    yield Scenario("extract with report", "lyco-extract",
                   ["base.safetensors", "tuned.safetensors", "-o", "o.safetensors", "--report", "r.json",
                    "--linear_dim", "2"],
                   ["base.safetensors", "tuned.safetensors", "-o", "o.safetensors", "--report", "r.json",
                    "--linear_dim", "1"], volatile=[r"r\.json$"])
    yield Scenario("PEFT folder", "lyco-convert", ["p.safetensors", "--to", "peft", "-o", "o", "--family", "sd1"],
                   ["p.safetensors", "--to", "peft", "-o", "o", "--family", "sd1", "--dim", "1"], ["o/"],
                   entry="o/unet/adapter_model.safetensors")
    yield Scenario("HCP pair", "lyco-convert",
                   ["p.safetensors", "--to", "hcp", "-o", "h.safetensors", "--family", "sd1"],
                   ["p.safetensors", "--to", "hcp", "-o", "h.safetensors", "--family", "sd1", "--dim", "1"],
                   [r"(unet|text_encoder)-h"], entry="unet-h.safetensors")
    yield Scenario("several conversions", "lyco-convert",
                   ["a.safetensors", "p.safetensors", "--output_dir", "o", "--overwrite"],
                   ["a.safetensors", "p.safetensors", "--dim", "1", "--output_dir", "o"])
    yield Scenario("checkpoint", "lyco-convert", ["base.safetensors", "--save_precision", "fp16", "-o", "c.safetensors"],
                   ["base.safetensors", "--save_precision", "bf16", "-o", "c.safetensors"])
    yield Scenario("sum of checkpoints", "lyco-convert",
                   ["base.safetensors", "tuned.safetensors", "--ratio", "0.5", "0.5", "-o", "c.safetensors",
                    "--shard_size", "200"], None, [r"c[-.]"], entry="c.safetensors.index.json")
    yield Scenario("report of a conversion", "lyco-convert",
                   ["a.safetensors", "--dim", "1", "--report", "r.json", "-o", "o.safetensors"],
                   volatile=[r"r\.json$"])
    yield Scenario("inspection", "lyco-inspect", ["base.safetensors", "--check", "--json"])
    yield Scenario("training with states", "lyco-train",
                   [*train, "--max_train_steps", "3", "--save_every_n_steps", "1", "--save_state",
                    "--save_last_n_steps", "1", "--save_last_n_steps_state", "1"], None, state)
    yield Scenario("training with states of epochs", "lyco-train",
                   [*train, "--max_train_epochs", "3", "--train_batch_size", "2", "--save_every_n_epochs", "1",
                    "--save_state", "--save_last_n_epochs", "1"], None, state)
    yield Scenario("training over another", "lyco-train", [*train, "--max_train_steps", "2", "--save_state"],
                   [*train, "--max_train_steps", "1", "--save_state"], state)
    yield Scenario("npz caches and logs", "lyco-train",
                   [*train, "--max_train_steps", "1", "--cache_latents_to_disk", "--log_csv", "log.csv",
                    "--logging_dir", "logs"], None, (), [r"log\.csv$", r"logs/"])
    yield Scenario("zst caches", "lyco-train",
                   [*train, "--max_train_steps", "1", "--cache_latents_to_disk", "--latent_cache_format",
                    "safetensors.zst"])


def scenario(name):
    return next(s for s in scenarios() if s.name == name)


def prepare(folder):
    sweep.prepare(folder)
    write = sweep.write_safetensors
    shutil.copy(folder / "adapter.safetensors", folder / "a.safetensors")
    block = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
    text = "text_model.encoder.layers.0.self_attn"
    for part in ("unet", "text_encoder"):
        (folder / "pipeline" / part).mkdir(parents=True)
    (folder / "pipeline/model_index.json").write_text("{}")
    (folder / "pipeline/unet/config.json").write_text('{"_class_name": "UNet2DConditionModel"}')
    write(folder / "pipeline/unet/diffusion_pytorch_model.safetensors",
          {f"{block}.to_{n}.weight": [4, 3] for n in "qkv"})
    write(folder / "pipeline/text_encoder/model.safetensors", {f"{text}.q_proj.weight": [4, 3]})
    adapter = {}
    for name in (f"lora_unet_{block}_to_q", f"lora_te_{text}_q_proj"):
        name = name.replace(".", "_")
        adapter |= {f"{name}.lora_up.weight": [4, 2], f"{name}.lora_down.weight": [2, 3], f"{name}.alpha": []}
    write(folder / "p.safetensors", adapter)
    for image in sorted((folder / "images").glob("*"))[4:]:
        image.unlink()
    shutil.copytree(FIXTURES / "training/tiny", folder / "tiny",
                    ignore=lambda _, names: [n for n in names if n in ("images", "validation") or "judge" in n])
