"""Adapters other programs write, merged as those programs apply them."""

import torch
from lycoris import kohya
from peft import LoHaConfig, LoKrConfig, LoraConfig, get_peft_model

from fixtures.algorithms.model_case import PRESET

from . import training
from .model import TextEncoder, named
from .tools import compare, difference

RATIOS = (0.7, -0.3)
LAYERS = ["to_q", "to_v", "to_out.0", "ff.net.2", "conv1", "conv_shortcut", "proj_in"]
"""Linear layers, 3x3 and 1x1 convolutions."""

PEFT = {
    "LoRA": LoraConfig(r=4, lora_alpha=6, target_modules=LAYERS),
    "LoRA, rank-stabilized, one alpha of its own": LoraConfig(
        r=4, lora_alpha=6, target_modules=LAYERS, use_rslora=True, alpha_pattern={"to_q": 3}),
    "DoRA": LoraConfig(r=4, lora_alpha=6, target_modules=LAYERS, use_dora=True),
    "LoHa": LoHaConfig(r=4, alpha=6, target_modules=LAYERS),
    "LoHa, effective conv2d": LoHaConfig(r=4, alpha=6, target_modules=LAYERS,
                                         use_effective_conv2d=True),
    "LoKr": LoKrConfig(r=2, alpha=3, target_modules=LAYERS),
    "LoKr, both factored": LoKrConfig(r=1, alpha=3, target_modules=LAYERS, decompose_both=True),
    "LoKr, effective conv2d": LoKrConfig(r=2, alpha=3, target_modules=LAYERS,
                                         use_effective_conv2d=True, decompose_factor=4),
    "LoKr, both whole": LoKrConfig(r=64, alpha=48, target_modules=LAYERS),
}

LYCORIS = {
    "lora": {"algo": "lora"},
    "lora tucker": {"algo": "lora", "use_tucker": True},
    "lora rank-stabilized": {"algo": "lora", "rs_lora": True},
    "lora dora": {"algo": "lora", "dora_wd": True},
    "lora dora, input": {"algo": "lora", "dora_wd": True, "wd_on_output": False},
    "loha": {"algo": "loha"},
    "loha tucker dora": {"algo": "loha", "use_tucker": True, "dora_wd": True},
    "lokr": {"algo": "lokr"},
    "lokr both factored": {"algo": "lokr", "decompose_both": True, "factor": 8},
    "lokr unbalanced tucker": {"algo": "lokr", "unbalanced_factorization": True,
                               "use_tucker": True},
    "lokr whole": {"algo": "lokr", "full_matrix": True},
    "lokr dora": {"algo": "lokr", "dora_wd": True},
    "full": {"algo": "full"},
    "ia3": {"algo": "ia3"},
    "diag-oft": {"algo": "diag-oft"},
    "diag-oft constraint rescaled": {"algo": "diag-oft", "constraint": 0.02, "rescaled": True},
    "boft rescaled": {"algo": "boft", "rescaled": True, "rank": 16},
    "glora": {"algo": "glora"},
}
"""Not here: `dylora`, whose forward draws a rank at random, and `tlora`, whose file cannot say what
it trained."""


def randomize(parameters):
    """Moves every parameter by random numbers, in the order of the names."""
    g = torch.Generator().manual_seed(2)
    for _, parameter in sorted(parameters, key=lambda pair: pair[0]):
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=g)


def from_peft(bench, name, config):
    """The folder of save_pretrained, and the weights after merge_and_unload."""
    unet, text_encoder = bench.copies()
    model = get_peft_model(unet, config)
    randomize((key, value) for key, value in model.named_parameters() if value.requires_grad)
    folder = bench.folder / f"peft {name}"
    model.save_pretrained(folder)
    return folder, difference(bench.before, named(model.merge_and_unload(), text_encoder))


def from_lycoris(bench, name, options):
    """The file of save_weights, and the changes training made."""
    preset = bench.folder / "preset.toml"
    preset.write_text(PRESET)
    unet, text_encoder = bench.copies()
    text_encoder = TextEncoder(text_encoder)
    options = dict(options)
    rank = options.pop("rank", 4)
    network = kohya.create_network(
        1.0, rank, 3, None, text_encoder, unet, conv_dim=rank // 2, conv_alpha=1, train_norm=True,
        preset=str(preset), warn_on_unmatched=False, **options)
    network.apply_to(text_encoder, unet, True, True)
    randomize(network.named_parameters())
    path = bench.folder / f"lycoris {name}.safetensors"
    network.save_weights(str(path), torch.float32, {})
    modules = network.unet_loras + network.text_encoder_loras
    return path, training.changes(modules, training.paths(unet, text_encoder))


def checks(bench):
    for name, config in PEFT.items():
        def merged(name=name, config=config):
            folder, changes = from_peft(bench, name, config)
            result = compare(changes, bench.merged(folder))
            compare(changes, bench.merged(folder / "adapter_model.safetensors"))
            return f"{result}, {len(changes)} tensors"
        yield f"written by peft: {name}", merged

    written = {}
    for name, options in LYCORIS.items():
        def merged(name=name, options=options):
            path, changes = from_lycoris(bench, name, options)
            written[name] = path, changes
            return f"{compare(changes, bench.merged(path))}, {len(changes)} tensors"
        yield f"written by lycoris-lora: {name}", merged

    def together():
        ratios = [RATIOS[index % 2] for index in range(len(written))]
        total = {}
        for ratio, (_, changes) in zip(ratios, written.values()):
            for key, delta in changes.items():
                total[key] = total.get(key, 0.0) + ratio * delta
        paths = [path for path, _ in written.values()]
        return f"{compare(total, bench.merged(*paths, ratios=ratios))}, {len(paths)} adapters"
    yield f"written by lycoris-lora: the sum of all at {RATIOS}", together
