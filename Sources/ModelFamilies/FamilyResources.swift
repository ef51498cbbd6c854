/// The embedded files: which families there are, and the name tables they refer to.
enum FamilyResources {
  /// Families in order of preference: where a file fits several equally well, the first is taken.
  static let families: [[UInt8]] = [
    PackageResources.sd1_toml,
    PackageResources.sd2_toml,
    PackageResources.sdxl_toml,
    PackageResources.sdxl_refiner_toml,
    PackageResources.flux_toml,
    PackageResources.chroma_toml,
    PackageResources.flux2_toml,
    PackageResources.sd3_toml,
    PackageResources.hunyuan_video_toml,
    PackageResources.hunyuan_video_1_5_toml,
    PackageResources.wan_toml,
    PackageResources.qwen_image_toml,
    PackageResources.framepack_toml,
    PackageResources.z_image_toml,
    PackageResources.lumina2_toml,
    PackageResources.hunyuan_dit_toml,
    PackageResources.anima_toml,
    PackageResources.krea2_toml,
    PackageResources.hunyuan_image_toml,
    PackageResources.hidream_toml,
    PackageResources.ltx_video_toml,
    PackageResources.ltx2_toml,
    PackageResources.ernie_image_toml,
    PackageResources.kandinsky5_toml,
    PackageResources.omnigen2_toml,
    PackageResources.auraflow_toml,
    PackageResources.pixart_toml,
    PackageResources.cogvideox_toml,
    PackageResources.mochi_toml,
    PackageResources.cosmos1_toml,
    PackageResources.cascade_toml,
  ]

  /// Bytes of a name table by the name that families refer to it with.
  static func nameTable(_ name: String) -> [UInt8] {
    switch name {
    case "unet": PackageResources.names_unet_toml
    case "unet-sd": PackageResources.names_unet_sd_toml
    case "unet-sdxl": PackageResources.names_unet_sdxl_toml
    case "unet-refiner": PackageResources.names_unet_refiner_toml
    case "clip": PackageResources.names_clip_toml
    case "t5": PackageResources.names_t5_toml
    case "vae": PackageResources.names_vae_toml
    case "flux": PackageResources.names_flux_toml
    case "sd3": PackageResources.names_sd3_toml
    case "hunyuan-video": PackageResources.names_hunyuan_video_toml
    case "hunyuan-video-1.5": PackageResources.names_hunyuan_video_1_5_toml
    case "wan": PackageResources.names_wan_toml
    case "qwen-image": PackageResources.names_qwen_image_toml
    case "bert": PackageResources.names_bert_toml
    case "llm": PackageResources.names_llm_toml
    case "flux2": PackageResources.names_flux2_toml
    case "z-image": PackageResources.names_z_image_toml
    case "lumina2": PackageResources.names_lumina2_toml
    case "hunyuan-dit": PackageResources.names_hunyuan_dit_toml
    case "anima": PackageResources.names_anima_toml
    case "llm-adapter": PackageResources.names_llm_adapter_toml
    case "krea2": PackageResources.names_krea2_toml
    case "hunyuan-image": PackageResources.names_hunyuan_image_toml
    case "hidream": PackageResources.names_hidream_toml
    case "ltx-video": PackageResources.names_ltx_video_toml
    case "ltx2": PackageResources.names_ltx2_toml
    case "ernie-image": PackageResources.names_ernie_image_toml
    case "kandinsky5": PackageResources.names_kandinsky5_toml
    case "omnigen2": PackageResources.names_omnigen2_toml
    case "auraflow": PackageResources.names_auraflow_toml
    case "pixart": PackageResources.names_pixart_toml
    case "cogvideox": PackageResources.names_cogvideox_toml
    case "mochi": PackageResources.names_mochi_toml
    case "cosmos1": PackageResources.names_cosmos1_toml
    case "cascade": PackageResources.names_cascade_toml
    default: preconditionFailure("no name table '\(name)'")
    }
  }
}
