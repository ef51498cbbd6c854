"""A tiny transformer or UNet of every family that diffusers has, and adapters in kohya's names for all
of its linear layers: what lyco-convert makes of them must change the weights as the factors say.

Where the native names fuse what diffusers keeps apart, the rows are those that diffusers' own
converters take, of Fixtures/families/rows.*."""

import copy
import pathlib
import re

import diffusers
import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel

from fixtures.families.sdxl_names import sgm_path

from .tools import Failure, compare, run

ROWS = pathlib.Path(__file__).resolve().parents[2] / "Fixtures" / "families"
RANK, ALPHA = 4, 3.0
BLOCK = re.compile(r"(?<=blocks\.|layers\.|efiner\.)\d+(?=\.)")
HEADS = {"attention_head_dim": 16, "num_attention_heads": 2}
UNET = {"sample_size": 8, "in_channels": 4, "out_channels": 4, "layers_per_block": 2,
        "norm_num_groups": 4, "cross_attention_dim": 16}
VIDEO = {"in_channels": 4, "out_channels": 4, **HEADS, "num_layers": 2, "num_single_layers": 2,
         "num_refiner_layers": 2, "patch_size": 1, "patch_size_t": 1, "text_embed_dim": 16,
         "pooled_projection_dim": 8, "rope_axes_dim": (4, 4, 8)}


def sd_unet(**options):
    return diffusers.UNet2DConditionModel(
        **UNET, block_out_channels=(8, 16, 16, 16), attention_head_dim=2,
        down_block_types=("CrossAttnDownBlock2D",) * 3 + ("DownBlock2D",),
        up_block_types=("UpBlock2D",) + ("CrossAttnUpBlock2D",) * 3, **options)


def sdxl_unet():
    return diffusers.UNet2DConditionModel(
        **UNET, block_out_channels=(8, 16, 16), attention_head_dim=(2, 2, 2),
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * 2,
        up_block_types=("CrossAttnUpBlock2D",) * 2 + ("UpBlock2D",),
        use_linear_projection=True, transformer_layers_per_block=(1, 2, 2),
        addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=80)


MODELS = {
    "sd1": sd_unet,
    "sd2": lambda: sd_unet(use_linear_projection=True),
    "sdxl": sdxl_unet,
    "flux": lambda: diffusers.FluxTransformer2DModel(
        patch_size=1, in_channels=4, num_layers=2, num_single_layers=2, **HEADS,
        joint_attention_dim=16, pooled_projection_dim=16, guidance_embeds=True,
        axes_dims_rope=(4, 4, 8)),
    "chroma": lambda: diffusers.ChromaTransformer2DModel(
        patch_size=1, in_channels=4, num_layers=2, num_single_layers=2, **HEADS,
        joint_attention_dim=16, axes_dims_rope=(4, 4, 8), approximator_num_channels=8,
        approximator_hidden_dim=16, approximator_layers=2),
    "flux2": lambda: diffusers.Flux2Transformer2DModel(
        in_channels=16, num_layers=2, num_single_layers=2, **HEADS, joint_attention_dim=16,
        timestep_guidance_channels=16, axes_dims_rope=(4, 4, 4, 4), guidance_embeds=False),
    "sd3": lambda: diffusers.SD3Transformer2DModel(
        sample_size=8, patch_size=1, in_channels=4, num_layers=3, **HEADS, joint_attention_dim=16,
        caption_projection_dim=32, pooled_projection_dim=16, out_channels=4,
        dual_attention_layers=(0,), qk_norm="rms_norm"),
    "hunyuan-video": lambda: diffusers.HunyuanVideoTransformer3DModel(**VIDEO),
    "hunyuan-video-1.5": lambda: diffusers.HunyuanVideo15Transformer3DModel(
        in_channels=9, out_channels=4, **HEADS, num_layers=2, num_refiner_layers=1, text_embed_dim=16,
        text_embed_2_dim=16, image_embed_dim=16, rope_axes_dim=(4, 4, 8)),
    "framepack": lambda: diffusers.HunyuanVideoFramepackTransformer3DModel(
        **VIDEO, has_image_proj=True, image_proj_dim=16, has_clean_x_embedder=True),
    "wan": lambda: diffusers.WanTransformer3DModel(
        num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=4, text_dim=16,
        freq_dim=16, ffn_dim=32, num_layers=2, image_dim=16, added_kv_proj_dim=24),
    "qwen-image": lambda: diffusers.QwenImageTransformer2DModel(
        in_channels=16, out_channels=4, num_layers=2, **HEADS, joint_attention_dim=16,
        axes_dims_rope=(8, 4, 4)),
    "z-image": lambda: diffusers.ZImageTransformer2DModel(
        dim=32, n_layers=2, n_refiner_layers=2, n_heads=2, n_kv_heads=2, cap_feat_dim=16,
        axes_dims=[8, 4, 4], axes_lens=[64, 64, 64]),
    "lumina2": lambda: diffusers.Lumina2Transformer2DModel(
        sample_size=8, in_channels=4, hidden_size=48, num_layers=2, num_refiner_layers=2,
        num_attention_heads=6, num_kv_heads=2, multiple_of=2, axes_dim_rope=(4, 2, 2),
        axes_lens=(64, 64, 64), cap_feat_dim=16),
    "hunyuan-dit": lambda: diffusers.HunyuanDiT2DModel(
        sample_size=16, num_layers=4, patch_size=2, in_channels=4, attention_head_dim=8,
        num_attention_heads=3, hidden_size=24, cross_attention_dim=16, cross_attention_dim_t5=16,
        pooled_projection_dim=16),
    "anima": lambda: diffusers.CosmosTransformer3DModel(
        in_channels=4, out_channels=4, **HEADS, num_layers=2, mlp_ratio=2, text_embed_dim=16,
        adaln_lora_dim=4, max_size=(4, 32, 32), extra_pos_embed_type=None),
    "krea2": lambda: diffusers.Krea2Transformer2DModel(
        in_channels=16, num_layers=2, **HEADS, num_key_value_heads=1, intermediate_size=48,
        timestep_embed_dim=16, text_hidden_dim=32, num_text_layers=3, text_num_attention_heads=2,
        text_num_key_value_heads=2, text_intermediate_size=48, axes_dims_rope=(4, 6, 6)),
    "hunyuan-image": lambda: diffusers.HunyuanImageTransformer2DModel(
        in_channels=4, out_channels=4, **HEADS, num_layers=2, num_single_layers=2, num_refiner_layers=2,
        text_embed_dim=16, text_embed_2_dim=16, rope_axes_dim=(8, 8)),
    "hidream": lambda: diffusers.HiDreamImageTransformer2DModel(
        patch_size=2, in_channels=4, num_layers=2, num_single_layers=2, **HEADS,
        caption_channels=[16, 16], text_emb_dim=16, axes_dims_rope=(8, 8), max_resolution=(8, 8),
        llama_layers=[0, 1, 1, 1]),
    "ltx-video": lambda: diffusers.LTXVideoTransformer3DModel(
        in_channels=4, out_channels=4, **HEADS, cross_attention_dim=32, num_layers=2, caption_channels=16),
    "ltx2": lambda: diffusers.LTX2VideoTransformer3DModel(
        in_channels=4, out_channels=4, **HEADS, cross_attention_dim=32, num_layers=2, caption_channels=16,
        audio_in_channels=4, audio_out_channels=4, audio_num_attention_heads=2, audio_attention_head_dim=8,
        audio_cross_attention_dim=16),
    "ernie-image": lambda: diffusers.ErnieImageTransformer2DModel(
        hidden_size=32, num_attention_heads=2, num_layers=2, ffn_hidden_size=48, in_channels=4,
        out_channels=4, text_in_dim=16, rope_axes_dim=(4, 6, 6)),
    "kandinsky5": lambda: diffusers.Kandinsky5Transformer3DModel(
        in_visual_dim=4, out_visual_dim=4, in_text_dim=16, in_text_dim2=16, time_dim=16, model_dim=32,
        ff_dim=48, num_text_blocks=2, num_visual_blocks=2, axes_dims=(4, 6, 6)),
    "auraflow": lambda: diffusers.AuraFlowTransformer2DModel(
        sample_size=8, in_channels=4, num_mmdit_layers=2, num_single_dit_layers=2, **HEADS,
        joint_attention_dim=16, caption_projection_dim=32, pos_embed_max_size=16),
    "sana": lambda: diffusers.SanaTransformer2DModel(
        in_channels=4, out_channels=4, **HEADS, num_layers=2, num_cross_attention_heads=2,
        cross_attention_head_dim=16, cross_attention_dim=32, caption_channels=16, sample_size=8),
    "pixart": lambda: diffusers.PixArtTransformer2DModel(
        **HEADS, in_channels=4, num_layers=2, cross_attention_dim=32, sample_size=8, caption_channels=16,
        use_additional_conditions=True),
    "cogvideox": lambda: diffusers.CogVideoXTransformer3DModel(
        **HEADS, in_channels=4, out_channels=4, time_embed_dim=8, text_embed_dim=16, num_layers=2,
        sample_width=8, sample_height=8, sample_frames=5),
    # The name of its last block's modulation has the number 47.
    "mochi": lambda: diffusers.MochiTransformer3DModel(
        **HEADS, num_layers=48, pooled_projection_dim=16, in_channels=4, text_embed_dim=16,
        time_embed_dim=16),
    "cosmos1": lambda: diffusers.CosmosTransformer3DModel(
        in_channels=4, out_channels=4, **HEADS, num_layers=2, mlp_ratio=2, text_embed_dim=16,
        adaln_lora_dim=4, max_size=(4, 32, 32), extra_pos_embed_type="learnable"),
    "cascade": lambda: diffusers.StableCascadeUNet(
        in_channels=4, out_channels=4, timestep_ratio_embedding_dim=8, conditioning_dim=16,
        block_out_channels=(16, 16), num_attention_heads=(2, 2), down_num_layers_per_block=(1, 1),
        up_num_layers_per_block=(1, 1), clip_text_in_channels=16, clip_text_pooled_in_channels=16,
        clip_image_in_channels=16, clip_seq=2, switch_level=(False,)),
}
ROWS_OF = {"flux": "flux1", "chroma": "chroma", "flux2": "flux2-klein-4B", "sd3": "sd3",
           "hunyuan-video": "hunyuan-video", "wan": "wan2.1-i2v-14B", "z-image": "z-image",
           "lumina2": "lumina2", "anima": "anima", "krea2": "krea2", "ltx-video": "ltx-video",
           "ltx2": "ltx2", "auraflow": "auraflow", "mochi": "mochi"}
LAST = {"sd3": "23", "mochi": "47"}
"""Number in the list of a last block that differs from the others."""
"""Families whose native names differ, by the list that says how. The others are kohya's by diffusers'
names, or have a function of their own."""


class Rows:
    """Where a layer of diffusers lies in the native model: module, first and last row of all."""

    def __init__(self, family, model):
        self.table, heights = {}, {}
        self.last = f"{len(getattr(model, 'transformer_blocks', [])) - 1}" if family in LAST else None
        self.listed = LAST.get(family)
        for line in (ROWS / f"rows.{ROWS_OF[family]}.native.txt").read_text().splitlines():
            key, native, *rows = line.split("\t")
            rows = [int(number) for number in rows] if rows != ["swapped"] else None
            self.table[key.removesuffix(".weight")] = native.removesuffix(".weight"), rows
            heights[native] = max(heights.get(native, 0), rows[1] if rows else 1)
        self.heights = {native.removesuffix(".weight"): height for native, height in heights.items()}

    def place(self, name):
        number = BLOCK.search(name)
        is_last = number and number[0] == self.last and "blocks" in name
        listed = BLOCK.sub(self.listed if is_last else "0", name, count=1)
        is_second = ".attn2." in listed and listed not in self.table
        native, rows = self.table[listed.replace(".attn2.", ".attn.") if is_second else listed]
        height = self.heights[native]
        if is_second:  # a second attention beside the first, of Stable Diffusion 3.5 medium
            native = native.replace("x_block.attn.", "x_block.attn2.")
        native = native.removeprefix("model.diffusion_model.")
        native = BLOCK.sub(number[0], native, count=1) if number else native
        return native, rows and (rows[0] / height, rows[1] / height)


HUNYUAN_VIDEO_15 = (
    (r"^transformer_blocks", "double_blocks", None),
    (r"attn\.to_([qkv])", "img_attn.qkv", "qkv"), (r"attn\.add_([qkv])_proj", "txt_attn.qkv", "qkv"),
    (r"attn\.to_out\.0", "img_attn.proj", None), (r"attn\.to_add_out", "txt_attn.proj", None),
    (r"norm1\.linear", "img_mod.lin", None), (r"norm1_context\.linear", "txt_mod.lin", None),
    (r"ff\.net\.0\.proj", "img_mlp.0", None), (r"ff\.net\.2", "img_mlp.2", None),
    (r"ff_context\.net\.0\.proj", "txt_mlp.0", None), (r"ff_context\.net\.2", "txt_mlp.2", None),
    (r"^norm_out\.linear", "final_layer.adaLN_modulation.1", "swapped"),
    (r"^proj_out", "final_layer.linear", None),
    (r"^time_embed\.timestep_embedder\.linear_1", "time_in.in_layer", None),
    (r"^time_embed\.timestep_embedder\.linear_2", "time_in.out_layer", None),
    (r"^context_embedder_2\.linear_", "byt5_in.fc", None),
    (r"^image_embedder\.linear_1", "vision_in.proj.1", None),
    (r"^image_embedder\.linear_2", "vision_in.proj.3", None),
)
"""As diffusers' scripts/convert_hunyuan_video1_5_to_diffusers.py renames, and ComfyUI on loading. The
refiner, which is HunyuanVideo's, is left out here."""

HUNYUAN_IMAGE = (
    (r"^transformer_blocks", "double_blocks", None), (r"^single_transformer_blocks", "single_blocks", None),
    (r"(?<=efiner_blocks\.\d\.)attn\.to_([qkv])", "self_attn_qkv", "qkv"),
    (r"(?<=efiner_blocks\.\d\.)attn\.to_out\.0", "self_attn_proj", None),
    (r"(?<=efiner_blocks\.\d\.)ff\.net\.0\.proj", "mlp.fc1", None),
    (r"(?<=efiner_blocks\.\d\.)ff\.net\.2", "mlp.fc2", None),
    (r"(?<=efiner_blocks\.\d\.)norm_out\.linear", "adaLN_modulation.1", None),
    (r"^context_embedder\.token_refiner\.refiner_blocks", "txt_in.individual_token_refiner.blocks", None),
    (r"^context_embedder\.proj_in", "txt_in.input_embedder", None),
    (r"^context_embedder\.time_text_embed\.timestep_embedder\.linear_1", "txt_in.t_embedder.mlp.0", None),
    (r"^context_embedder\.time_text_embed\.timestep_embedder\.linear_2", "txt_in.t_embedder.mlp.2", None),
    (r"^context_embedder\.time_text_embed\.text_embedder\.", "txt_in.c_embedder.", None),
    (r"(?<=double_blocks\.\d\.)attn\.to_([qkv])", "img_attn_qkv", "qkv"),
    (r"(?<=double_blocks\.\d\.)attn\.add_([qkv])_proj", "txt_attn_qkv", "qkv"),
    (r"(?<=double_blocks\.\d\.)attn\.to_out\.0", "img_attn_proj", None),
    (r"attn\.to_add_out", "txt_attn_proj", None),
    (r"norm1\.linear", "img_mod.linear", None), (r"norm1_context\.linear", "txt_mod.linear", None),
    (r"(?<=double_blocks\.\d\.)ff\.net\.0\.proj", "img_mlp.fc1", None),
    (r"(?<=double_blocks\.\d\.)ff\.net\.2", "img_mlp.fc2", None),
    (r"ff_context\.net\.0\.proj", "txt_mlp.fc1", None), (r"ff_context\.net\.2", "txt_mlp.fc2", None),
    (r"(?<=single_blocks\.\d\.)(attn\.to_[qkv]|proj_mlp)", "linear1",
     {"attn.to_q": (0, 1 / 7), "attn.to_k": (1 / 7, 2 / 7), "attn.to_v": (2 / 7, 3 / 7), "proj_mlp": (3 / 7, 1)}),
    (r"(?<=single_blocks\.\d\.)proj_out", "linear2", None), (r"norm\.linear", "modulation.linear", None),
    (r"^norm_out\.linear", "final_layer.adaLN_modulation.1", "swapped"),
    (r"^proj_out", "final_layer.linear", None),
    (r"^time_guidance_embed\.timestep_embedder\.linear_1", "time_in.mlp.0", None),
    (r"^time_guidance_embed\.timestep_embedder\.linear_2", "time_in.mlp.2", None),
    (r"^context_embedder_2\.linear_", "byt5_in.fc", None),
)
"""As diffusers' scripts/convert_hunyuan_image_to_diffusers.py renames, once it has cut what the release fuses."""

PIXART = (
    (r"^transformer_blocks", "blocks", None),
    (r"attn1\.to_([qkv])", "attn.qkv", "qkv"), (r"attn1\.to_out\.0", "attn.proj", None),
    (r"attn2\.to_q", "cross_attn.q_linear", None), (r"attn2\.to_([kv])", "cross_attn.kv_linear", "kv"),
    (r"attn2\.to_out\.0", "cross_attn.proj", None),
    (r"ff\.net\.0\.proj", "mlp.fc1", None), (r"ff\.net\.2", "mlp.fc2", None),
    (r"^adaln_single\.linear", "t_block.1", None),
    (r"^adaln_single\.emb\.timestep_embedder\.linear_1", "t_embedder.mlp.0", None),
    (r"^adaln_single\.emb\.timestep_embedder\.linear_2", "t_embedder.mlp.2", None),
    (r"^adaln_single\.emb\.resolution_embedder\.linear_1", "csize_embedder.mlp.0", None),
    (r"^adaln_single\.emb\.resolution_embedder\.linear_2", "csize_embedder.mlp.2", None),
    (r"^adaln_single\.emb\.aspect_ratio_embedder\.linear_1", "ar_embedder.mlp.0", None),
    (r"^adaln_single\.emb\.aspect_ratio_embedder\.linear_2", "ar_embedder.mlp.2", None),
    (r"^caption_projection\.linear_", "y_embedder.y_proj.fc", None),
    (r"^proj_out", "final_layer.linear", None),
)
"""As diffusers' scripts/convert_pixart_alpha_to_diffusers.py and convert_pixart_sigma_to_diffusers.py rename."""

SANA = (
    (r"^transformer_blocks", "blocks", None),
    (r"attn1\.to_([qkv])", "attn.qkv", "qkv"), (r"attn1\.to_out\.0", "attn.proj", None),
    (r"attn2\.to_q", "cross_attn.q_linear", None), (r"attn2\.to_([kv])", "cross_attn.kv_linear", "kv"),
    (r"attn2\.to_out\.0", "cross_attn.proj", None),
    (r"^time_embed\.linear", "t_block.1", None),
    (r"^time_embed\.emb\.timestep_embedder\.linear_1", "t_embedder.mlp.0", None),
    (r"^time_embed\.emb\.timestep_embedder\.linear_2", "t_embedder.mlp.2", None),
    (r"^caption_projection\.linear_", "y_embedder.y_proj.fc", None),
    (r"^proj_out", "final_layer.linear", None),
)
"""As diffusers' scripts/convert_sana_to_diffusers.py renames."""

HUNYUAN_DIT = (
    (r"attn1\.to_([qkv])", "attn1.Wqkv", "qkv"), (r"attn2\.to_([kv])", "attn2.kv_proj", "kv"),
    (r"attn2\.to_q", "attn2.q_proj", None), (r"to_out\.0", "out_proj", None),
    (r"ff\.net\.0\.proj", "mlp.fc1", None), (r"ff\.net\.2", "mlp.fc2", None),
    (r"norm1\.linear", "default_modulation.1", None),
    (r"time_extra_emb\.pooler", "pooler", None),
    (r"time_extra_emb\.timestep_embedder\.linear_1", "t_embedder.mlp.0", None),
    (r"time_extra_emb\.timestep_embedder\.linear_2", "t_embedder.mlp.2", None),
    (r"time_extra_emb\.extra_embedder\.linear_1", "extra_embedder.0", None),
    (r"time_extra_emb\.extra_embedder\.linear_2", "extra_embedder.2", None),
    (r"^text_embedder\.linear_1", "mlp_t5.0", None), (r"^text_embedder\.linear_2", "mlp_t5.2", None),
    (r"^proj_out", "final_layer.linear", None),
    (r"^norm_out\.linear", "final_layer.adaLN_modulation.1", "swapped"),
)
"""As diffusers' scripts/convert_hunyuandit_to_diffusers.py renames."""


COSMOS1 = (
    (r"^transformer_blocks\.(?=\d)", "blocks.block", None),
    (r"\.to_q$", ".to_q.0", None), (r"\.to_k$", ".to_k.0", None), (r"\.to_v$", ".to_v.0", None),
    (r"(?<=\d\.)attn1", "blocks.0.block.attn", None), (r"(?<=\d\.)attn2", "blocks.1.block.attn", None),
    (r"ff\.net\.0\.proj", "blocks.2.block.layer1", None), (r"ff\.net\.2", "blocks.2.block.layer2", None),
    (r"norm1\.linear_", "blocks.0.adaLN_modulation.", None),
    (r"norm2\.linear_", "blocks.1.adaLN_modulation.", None),
    (r"norm3\.linear_", "blocks.2.adaLN_modulation.", None),
    (r"^time_embed\.t_embedder", "t_embedder.1", None), (r"^patch_embed\.proj", "x_embedder.proj.1", None),
    (r"^norm_out\.linear_", "final_layer.adaLN_modulation.", None), (r"^proj_out", "final_layer.linear", None),
)
"""As diffusers' loaders/single_file_utils.py renames, for Cosmos 1.0."""

CASCADE = (
    (r"attention\.to_out\.0", "attention.attn.out_proj", None), (r"attention\.to_", "attention.attn.to_", None),
)
"""The names of ComfyUI's model, which OneTrainer's adapters have."""


def renamed(name, table):
    rows = (0, 1)
    for pattern, native, parts in table:
        found = re.search(pattern, name)
        if not found:
            continue
        name = name[:found.start()] + native + name[found.end():]
        if parts == "swapped":
            rows = None
        elif isinstance(parts, dict):
            rows = parts[found[1]]
        elif parts:
            part = parts.index(found[1])
            rows = (part / len(parts), (part + 1) / len(parts))
    return name, rows


def places(family, model):
    if family in ROWS_OF:
        return Rows(family, model).place
    if family == "hunyuan-dit":
        return lambda name: renamed(name, HUNYUAN_DIT)
    if family == "hunyuan-video-1.5":
        return lambda name: renamed(name, HUNYUAN_VIDEO_15)
    if family == "hunyuan-image":
        return lambda name: renamed(name, HUNYUAN_IMAGE)
    if family in ("pixart", "sana"):
        return lambda name: renamed(name, PIXART if family == "pixart" else SANA)
    if family in ("cosmos1", "cascade"):
        return lambda name: renamed(name, COSMOS1 if family == "cosmos1" else CASCADE)
    return lambda name: (sgm_path(name) if family == "sdxl" else name, (0, 1))


def is_named(family, name):
    """The refiner of HunyuanVideo 1.5 is HunyuanVideo's, whose table has its names."""
    return not (family == "hunyuan-video-1.5" and name.startswith("context_embedder."))


def adapter(family, model, prefix="lora_unet_", seed=5):
    """Factors in kohya's names, and the change of every layer."""
    layers = {name: layer for name, layer in model.named_modules()
              if isinstance(layer, torch.nn.Linear) and is_named(family, name)}
    g = torch.Generator().manual_seed(seed)
    place, modules = places(family, model), {}
    for name, layer in layers.items():
        native, rows = place(name)
        modules.setdefault(native, []).append((rows, name, layer))
    tensors, changes = {}, {}
    for native, parts in modules.items():
        height = sum(len(layer.weight) for _, _, layer in parts)
        up, down = (torch.randn(shape, generator=g) / 4
                    for shape in ((height, RANK), (RANK, parts[0][2].in_features)))
        key = prefix + native.replace(".", "_")
        tensors |= {f"{key}.lora_up.weight": up, f"{key}.lora_down.weight": down,
                    f"{key}.alpha": torch.tensor(ALPHA)}
        delta = ALPHA / RANK * up.double() @ down.double()
        for rows, name, layer in parts:
            first, last = (round(part * height) for part in rows or (0, 1))
            part = delta[first:last]
            if len(part) != len(layer.weight):
                raise Failure(f"{name}: {len(layer.weight)} rows, {native} has {len(part)} for it")
            changes[name] = part if rows else torch.cat(part.chunk(2)[::-1])
    return tensors, changes


def weights(model):
    return {name: layer.weight.clone() for name, layer in model.named_modules()
            if isinstance(layer, torch.nn.Linear)}


def change(before, after):
    """Of the layers that changed."""
    return {name: (after[name] - tensor).double() for name, tensor in before.items()
            if not torch.equal(after[name], tensor)}


def expect_loaded(model, stored):
    loaded = sum(bool(re.search(r"lora_A\.\w+\.weight$", name)) for name, _ in model.named_parameters())
    if loaded != stored:
        raise Failure(f"{loaded} of {stored} modules loaded")


def prefix(model):
    """What keys of a file begin with in diffusers."""
    return "unet" if isinstance(model, diffusers.UNet2DConditionModel) else "transformer"


def in_diffusers(model, prefix, path):
    model.load_lora_adapter(str(path.parent), weight_name=path.name, prefix=prefix)
    expect_loaded(model, sum(key.startswith(prefix) and key.endswith("lora_A.weight")
                             for key in load_file(path)))
    model.fuse_lora()
    model.unload_lora()
    return weights(model)


def in_peft(model, folder):
    model = PeftModel.from_pretrained(model, folder)
    expect_loaded(model, sum(key.endswith("lora_A.weight")
                             for key in load_file(folder / "adapter_model.safetensors")))
    return weights(model.merge_and_unload())


def converted(bench, family, tensors, *options):
    source = bench.folder / f"{family}.source.safetensors"
    save_file(tensors, source)
    target = bench.folder / f"{family}.{'.'.join(options).replace('--', '')}"
    if "peft" not in options:
        target = target.with_name(target.name + ".safetensors")
    run(bench.binaries / "lyco-convert", source, "-o", target, "--family", family, *options)
    return target


def clip(width):
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=64, hidden_size=width, intermediate_size=32, num_hidden_layers=2,
        num_attention_heads=2, projection_dim=16))


TEXT_ENCODERS = {
    "sdxl": (("text_encoder", "lora_te1_"), ("text_encoder_2", "lora_te2_")),
    "flux": (("text_encoder", "lora_te1_"),),
}


def text_encoders(bench, family):
    """Factors of two encoders in one file, by the function that pipelines load them with."""
    tensors, expected, models = {}, {}, {}
    for seed, (component, prefix) in enumerate(TEXT_ENCODERS[family]):
        models[component] = clip(16)
        layers = {}
        part, changes = adapter("", models[component], prefix, seed)
        # Recent transformers leave out `text_model`; the trainers' names keep it.
        for key, value in part.items():
            layers[key if "_text_model_" in key else key.replace(prefix, f"{prefix}text_model_")] = value
        tensors |= layers
        expected |= {f"{component}/{name}": value for name, value in changes.items()}
    path = converted(bench, family, tensors, "--to", "diffusers")
    before = {f"{component}/{name}": value for component, model in models.items()
              for name, value in weights(model).items()}
    state = load_file(path)
    loader = diffusers.loaders.StableDiffusionXLLoraLoaderMixin
    for component, model in models.items():
        loader.load_lora_into_text_encoder(state, None, model, prefix=component)
        expect_loaded(model, len(tensors) // 3 // len(models))
        for module in model.modules():
            if hasattr(module, "merge"):
                module.merge()
    after = {}
    for component, model in models.items():
        for name, layer in model.named_modules():
            if hasattr(layer, "base_layer"):
                after[f"{component}/{name}"] = layer.base_layer.weight
    return f"{compare(change(before, after), expected)}, {len(expected)} layers"


def checks(bench):
    for family, make in MODELS.items():
        def loaded(family=family, make=make):
            torch.manual_seed(1)
            model = make()
            tensors, expected = adapter(
                family, model, "lora_prior_unet_" if family == "cascade" else "lora_unet_")
            before = weights(model)
            results = []
            # Of HunYuanDiT, PixArt and Stable Cascade diffusers loads no adapters; their modules are PEFT's all the same.
            for policy in ("fold", "config") if hasattr(model, "load_lora_adapter") else ():
                path = converted(bench, family, tensors, "--to", "diffusers", "--alpha", policy)
                found = change(before, in_diffusers(copy.deepcopy(model), prefix(model), path))
                results.append(compare(found, expected))
            folder = converted(bench, family, tensors, "--to", "peft")
            [config] = folder.rglob("adapter_config.json")
            results.append(compare(change(before, in_peft(model, config.parent)), expected))
            return f"{', '.join(results)}; {len(tensors) // 3} modules, {len(expected)} layers"
        yield f"diffusers and peft load {family}", loaded

    def conditioner():
        model = diffusers.AnimaTextConditioner(
            source_dim=16, target_dim=16, model_dim=16, num_layers=2, num_attention_heads=2,
            target_vocab_size=64)
        tensors, expected = adapter("", model, "lora_unet_llm_adapter_")
        before = weights(model)
        path = converted(bench, "anima", tensors, "--to", "diffusers")
        found = change(before, in_diffusers(model, "text_conditioner", path))
        return f"{compare(found, expected)}, {len(expected)} layers"
    yield "diffusers loads anima's text conditioner", conditioner

    def processors():
        """XLabs' names, against what diffusers' own loader makes of them."""
        torch.manual_seed(1)
        model = MODELS["flux"]()
        g = torch.Generator().manual_seed(7)
        tensors = {}
        for block, layers in (("double", {"qkv_lora1": (96, 32), "qkv_lora2": (96, 32), "proj_lora1": (32, 32),
                                          "proj_lora2": (32, 32)}),
                              ("single", {"qkv_lora": (96, 32), "proj_lora": (32, 160)})):
            for number in range(2):
                for layer, (rows, columns) in layers.items():
                    key = f"{block}_blocks.{number}.processor.{layer}"
                    tensors[f"{key}.up.weight"] = torch.randn(rows, RANK, generator=g) / 4
                    tensors[f"{key}.down.weight"] = torch.randn(RANK, columns, generator=g) / 4
        before = weights(model)
        goal = bench.folder / "xlabs.goal.safetensors"
        state = diffusers.FluxPipeline.lora_state_dict(dict(tensors))
        save_file({key: value.contiguous().clone() for key, value in state.items()}, goal)
        expected = change(before, in_diffusers(copy.deepcopy(model), "transformer", goal))
        path = converted(bench, "flux", tensors, "--to", "diffusers")
        found = change(before, in_diffusers(copy.deepcopy(model), "transformer", path))
        return f"{compare(found, expected)}, {len(expected)} layers"
    yield "XLabs' names of flux mean what diffusers reads", processors

    for family in TEXT_ENCODERS:
        yield (f"diffusers loads the text encoders of {family}",
               lambda family=family: text_encoders(bench, family))
