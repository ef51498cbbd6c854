"""A small model with SD1's module names, and a fine-tune of it."""

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel

from fixtures.families.sd1_names import ldm_name


class TextEncoder(torch.nn.Module):
    """CLIPTextModel below `text_model`, the level all published SD1 checkpoints have and
    transformers 5 dropped from its modules."""

    def __init__(self, model):
        super().__init__()
        self.text_model = model


def models():
    """A UNet and a text encoder as SD1 has them, narrow, with random weights."""
    torch.manual_seed(20251122)
    unet = UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32, 48, 48), norm_num_groups=8,
        attention_head_dim=2, cross_attention_dim=32)
    text_encoder = CLIPTextModel(CLIPTextConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2,
        num_attention_heads=2, max_position_embeddings=16, bos_token_id=62, eos_token_id=63))
    return unet.eval(), text_encoder.eval()


def named(unet, text_encoder):
    """Weights as `component/key`; `text_encoder` with or without its outer level."""
    tensors = {f"unet/{key}": value for key, value in unet.state_dict().items()}
    tensors |= {f"text_encoder/text_model.{key.removeprefix('text_model.')}": value
                for key, value in text_encoder.state_dict().items()
                if not key.endswith("position_ids")}
    return {name: tensor.detach().clone() for name, tensor in tensors.items()}


def fine_tuned(tensors):
    """The same weights with everything but embeddings changed. Every kind of algorithm finds a
    part that it can hold: outputs and inputs are scaled, outputs turned in pairs, the rest is
    noise; each a tenth of the weight."""
    g = torch.Generator().manual_seed(1)

    def noise(*shape):
        return 0.1 * torch.randn(shape, generator=g)

    changed = {}
    for name, tensor in sorted(tensors.items()):
        if "embedding.weight" in name:
            changed[name] = tensor
        elif tensor.dim() == 1:
            changed[name] = tensor + noise(*tensor.shape)
        else:
            ones = [1] * (tensor.dim() - 2)
            scaled = (1 + noise(len(tensor), 1, *ones)) * tensor * (
                1 + noise(1, tensor.shape[1], *ones))
            pairs = tensor.unflatten(0, (-1, 2))
            turned = torch.stack([pairs[:, 1], -pairs[:, 0]], 1).flatten(0, 1)
            changed[name] = scaled + 0.1 * turned + tensor.std() * noise(*tensor.shape)
    return changed


def write_layouts(tensors, folder):
    """The same weights as a diffusers folder and as a single file."""
    for component, file in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        (folder / component).mkdir(parents=True)
        save_file({name.split("/", 1)[1]: tensor for name, tensor in tensors.items()
                   if name.startswith(component)},
                  folder / component / f"{file}.safetensors", {"format": "pt"})
    single = folder.with_suffix(".safetensors")
    save_file({ldm_name(name): tensor for name, tensor in tensors.items()}, single)
    return folder, single
