package import ModelFamilies

/// How the metadata of adapters names a family.
package struct FamilyMetadata: Sendable {
  /// `ss_base_model_version`, as kohya's scripts and musubi-tuner write it.
  package let baseModelVersion: String
  /// `modelspec.architecture`, without the `/lora` that an adapter appends.
  package let architecture: String
  /// `modelspec.implementation`
  package let implementation: String
  /// `modelspec.resolution`, the size the family was trained at.
  package let resolution: String

  private static let stability = "https://github.com/Stability-AI/generative-models"

  /// By family name. Source: sd-scripts `library/sai_model_spec.py` and `library/model_util.py`,
  /// musubi-tuner `dataset/architectures.py`. For families that neither trains, the name and place of the
  /// release in the same form.
  private static let table: [String: FamilyMetadata] = [
    "sd1": .init("sd_v1", "stable-diffusion-v1", stability, "512x512"),
    "sd2": .init("sd_v2", "stable-diffusion-v2-512", stability, "512x512"),
    "sdxl": .init("sdxl_base_v1-0", "stable-diffusion-xl-v1-base", stability, "1024x1024"),
    "sdxl-refiner": .init(
      "sdxl_refiner_v1-0", "stable-diffusion-xl-v1-refiner", stability, "1024x1024"),
    "sd3": .init("sd3", "stable-diffusion-3", stability, "1024x1024"),
    "flux": .init(
      "flux1", "flux-1-dev", "https://github.com/black-forest-labs/flux", "1024x1024"),
    "chroma": .init(
      "chroma", "chroma", "https://huggingface.co/lodestones/Chroma", "1024x1024"),
    "flux2": .init(
      "flux_2_dev", "Flux.2-dev", "https://github.com/black-forest-labs/flux2", "1024x1024"),
    "hunyuan-video": .init(
      "hunyuan_video", "hunyuan-video", "https://github.com/Tencent/HunyuanVideo", "1280x720"),
    "hunyuan-video-1.5": .init(
      "hunyuan_video_1_5", "hunyuan-video-1.5",
      "https://github.com/Tencent-Hunyuan/HunyuanVideo-1.5", "1280x720"),
    "wan": .init("wan", "wan2.1", "https://github.com/Wan-Video/Wan2.1", "1280x720"),
    "qwen-image": .init(
      "qwen_image", "Qwen-Image", "https://github.com/QwenLM/Qwen-Image", "1328x1328"),
    "framepack": .init(
      "framepack", "framepack", "https://github.com/lllyasviel/FramePack", "1280x720"),
    "z-image": .init(
      "z_image", "Z-Image", "https://github.com/Tongyi-MAI/Z-Image", "1024x1024"),
    "lumina2": .init(
      "lumina2", "lumina-2", "https://github.com/Alpha-VLLM/Lumina-Image-2.0", "1024x1024"),
    "hunyuan-dit": .init(
      "hunyuan_dit", "hunyuan-dit", "https://github.com/Tencent/HunyuanDiT", "1024x1024"),
    "anima": .init(
      "anima", "anima-preview", "https://huggingface.co/circlestone-labs/Anima", "1024x1024"),
    "krea2": .init("krea2", "Krea-2", "https://github.com/krea-ai/krea-2", "1024x1024"),
    "hunyuan-image": .init(
      "hunyuan-image-2.1", "hunyuan-image-2.1",
      "https://github.com/Tencent-Hunyuan/HunyuanImage-2.1", "2048x2048"),
    "hidream": .init(
      "hidream_i1", "HiDream-I1", "https://github.com/HiDream-ai/HiDream-I1", "1024x1024"),
    "ltx-video": .init(
      "ltx_video", "LTX-Video", "https://github.com/Lightricks/LTX-Video", "768x512"),
    "ltx2": .init("ltx2", "LTX-2", "https://github.com/Lightricks/LTX-2", "768x512"),
    "ernie-image": .init(
      "ernie_image", "ERNIE-Image", "https://huggingface.co/baidu/ERNIE-Image", "1024x1024"),
    "kandinsky5": .init(
      "kandinsky5", "Kandinsky-5", "https://github.com/kandinskylab/kandinsky-5", "768x512"),
    "omnigen2": .init(
      "omnigen2", "OmniGen2", "https://github.com/VectorSpaceLab/OmniGen2", "1024x1024"),
    "auraflow": .init(
      "auraflow", "AuraFlow", "https://huggingface.co/fal/AuraFlow", "1024x1024"),
    "pixart": .init(
      "pixart_sigma", "PixArt-Sigma", "https://github.com/PixArt-alpha/PixArt-sigma", "1024x1024"),
    "cogvideox": .init(
      "cogvideox", "CogVideoX", "https://github.com/zai-org/CogVideo", "720x480"),
    "mochi": .init("mochi", "Mochi-1", "https://github.com/genmoai/mochi", "848x480"),
    "cosmos1": .init(
      "cosmos-1.0", "Cosmos-1.0", "https://github.com/nvidia-cosmos/cosmos-predict1", "1280x704"),
    "cascade": .init(
      "stable_cascade", "stable-cascade", "https://github.com/Stability-AI/StableCascade",
      "1024x1024"),
  ]

  /// nil for a family that the field's metadata have no word for.
  package init?(of family: ModelFamily) {
    guard let found = Self.table[family.name] else { return nil }
    self = found
  }

  private init(
    _ baseModelVersion: String, _ architecture: String, _ implementation: String,
    _ resolution: String
  ) {
    self.baseModelVersion = baseModelVersion
    self.architecture = architecture
    self.implementation = implementation
    self.resolution = resolution
  }
}
