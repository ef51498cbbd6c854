"""LoRA and DoRA in the programs that read them."""

from diffusers import StableDiffusionPipeline
from lycoris import kohya, wrapper
from peft import LoraConfig, get_peft_model, set_peft_model_state_dict

from fixtures.families.sd1_names import adapter_name

from .model import TextEncoder, named
from .tools import Failure, compare, difference, expect_all

FACTORS = ("lora_up.weight", "lora_down.weight", "alpha")


def by_hand(adapter, before):
    """safetensors alone: alpha / rank * up * down."""
    deltas, used = {}, set()
    for name, tensor in before.items():
        module = adapter_name(name)
        if not name.endswith(".weight") or f"{module}.lora_up.weight" not in adapter:
            continue
        up, down, alpha = (adapter[f"{module}.{factor}"] for factor in FACTORS)
        used |= {f"{module}.{factor}" for factor in FACTORS}
        deltas[name] = (float(alpha) / down.shape[0]
                        * (up.flatten(1) @ down.flatten(1)).reshape(tensor.shape))
    expect_all(adapter, used)
    return deltas


def without_norms(adapter):
    """A DoRA's LoRA, which is what diffusers takes: it leaves `dora_scale` out, and says so."""
    return {key: value for key, value in adapter.items() if not key.endswith(".dora_scale")}


def in_kohya(path, adapter, unet, text_encoder):
    # On a diffusers UNet 4.1.3 stops before it reads the file: its default targets meet the time
    # embedding by class and by name. Whoever loads there has to narrow them first.
    kohya.LycorisNetworkKohya.apply_preset({"unet_target_module": ["Transformer2DModel"]})
    text_encoder = TextEncoder(text_encoder)
    network, _ = kohya.create_network_from_weights(1.0, str(path), None, text_encoder, unet)
    modules = network.unet_loras + network.text_encoder_loras
    expect_all(adapter, {f"{module.lora_name}.{key}" for module in modules
                         for key in module.state_dict()})
    for module in modules:
        module.merge_to(1.0)
    return named(unet, text_encoder)


def in_wrapper(path, adapter, unet, text_encoder):
    text_encoder, used = TextEncoder(text_encoder), set()
    for prefix, model in (("lora_unet", unet), ("lora_te", text_encoder)):
        wrapper.LycorisNetwork.apply_preset({"lora_prefix": prefix})
        network, _ = wrapper.create_lycoris_from_weights(1.0, str(path), model)
        used |= {f"{module.lora_name}.{key}" for module in network.loras
                 for key in module.state_dict()}
        network.merge_to(1.0)
    expect_all(adapter, used)
    return named(unet, text_encoder)


def in_diffusers(path, adapter, unet, text_encoder):
    """`load_lora_weights` of a pipeline that has nothing but the two models."""
    pipeline = StableDiffusionPipeline(
        vae=None, text_encoder=text_encoder, tokenizer=None, unet=unet, scheduler=None,
        safety_checker=None, feature_extractor=None, requires_safety_checker=False)
    pipeline.load_lora_weights(str(path.parent), weight_name=path.name)
    loaded = sum(name.endswith("lora_A.default_0.weight") for model in (unet, text_encoder)
                 for name, _ in model.named_parameters())
    stored = sum(key.endswith("lora_down.weight") for key in adapter)
    if loaded != stored:
        raise Failure(f"{loaded} of {stored} modules loaded")
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    return named(unet, text_encoder)


def in_peft(path, adapter, unet, text_encoder):
    """One PeftModel per component, from the factors under peft's names."""
    used, merged = set(), []
    decomposes = any(key.endswith(".dora_scale") for key in adapter)
    for component, model in (("unet", unet), ("text_encoder", TextEncoder(text_encoder))):
        state, ranks, alphas = {}, {}, {}
        for path_in_model, _ in model.named_modules():
            module = adapter_name(f"{component}/{path_in_model}")
            if f"{module}.lora_up.weight" not in adapter:
                continue
            up, down, alpha = (adapter[f"{module}.{factor}"] for factor in FACTORS)
            used |= {f"{module}.{factor}" for factor in FACTORS}
            start = f"base_model.model.{path_in_model}"
            state[f"{start}.lora_A.weight"] = down
            state[f"{start}.lora_B.weight"] = up
            if decomposes:
                scale = adapter[f"{module}.dora_scale"]
                used.add(f"{module}.dora_scale")
                state[f"{start}.lora_magnitude_vector"] = (
                    scale.flatten() if scale.dim() == 2 else scale.transpose(0, 1))
            pattern = "^" + path_in_model.replace(".", r"\.")
            ranks[pattern], alphas[pattern] = down.shape[0], float(alpha)
        modules = [key[len("base_model.model."):-len(".lora_A.weight")] for key in state
                   if key.endswith("lora_A.weight")]
        wrapped = get_peft_model(model, LoraConfig(target_modules=modules, rank_pattern=ranks,
                                                   alpha_pattern=alphas, use_dora=decomposes))
        result = set_peft_model_state_dict(wrapped, state)
        unexpected = list(result.unexpected_keys)
        missing = [key for key in result.missing_keys if "lora_" in key]
        if unexpected or missing:
            raise Failure(f"unexpected keys {unexpected[:1]}, missing keys {missing[:1]}")
        merged.append(wrapped.merge_and_unload())
    expect_all(adapter, used)
    return named(*merged)


def checks(bench):
    """Extracted files in every program, and the two layouts of a base against each other."""
    path, adapter = bench.extract_ranks("lora")
    expected = bench.merged(path)
    modules = sum(key.endswith(".lora_up.weight") for key in adapter)
    print(f"{modules} modules, {len(adapter)} keys, {len(expected)} weights changed")

    def from_folder():
        _, other = bench.extract_ranks("from-folder", base=bench.base_folder,
                                       tuned=bench.tuned_folder)
        if other.keys() != adapter.keys():
            raise Failure(f"other keys, first {sorted(other.keys() ^ adapter.keys())[0]}")
        return compare(by_hand(other, bench.before), expected)

    def client(load, path, adapter, expected):
        def check():
            after = load(path, adapter, *bench.copies())
            return compare(difference(bench.before, after), expected)
        return check

    yield "safetensors", lambda: compare(by_hand(adapter, bench.before), expected)
    yield "extracted from a diffusers folder", from_folder
    for name, load in (("lycoris-lora, kohya loader", in_kohya),
                       ("lycoris-lora, generic wrapper", in_wrapper),
                       ("diffusers", in_diffusers), ("peft", in_peft)):
        yield name, client(load, path, adapter, expected)
    path, adapter = bench.extract_ranks("dora", "--dora_wd", "--wd_on_output", "true")
    expected = bench.merged(path)
    yield "peft, DoRA", client(in_peft, path, adapter, expected)
    yield ("diffusers, DoRA without its norms",
           client(in_diffusers, path, adapter, by_hand(without_norms(adapter), bench.before)))
