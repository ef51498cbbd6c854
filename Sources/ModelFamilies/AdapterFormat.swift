/// A way of spelling the keys of an adapter file, by the tool that reads it.
package enum AdapterFormat: String, CaseIterable, Sendable {
  /// kohya's sd-scripts, LyCORIS and the web UI: `lora_unet_…` with underscores, `.lora_up.weight`.
  case kohya
  /// The same with the names of the original UNet for every Stable Diffusion: `lora_unet_input_blocks_…`.
  case sgm
  /// What musubi-tuner trains: kohya's, by the names of musubi-tuner's own models.
  case musubi
  /// What musubi-tuner's `convert_lora.py --target other` writes: `diffusion_model.…lora_A.weight`.
  case musubiOther = "musubi-other"
  /// Dotted names of ComfyUI's models: `diffusion_model.…`, `text_encoders.…`.
  case comfy
  /// diffusers' `save_lora_adapter`: `unet.…` or `transformer.…`, `.lora_A.weight`.
  case diffusers
  /// PEFT's `save_pretrained`: `base_model.model.…` in a folder with `adapter_config.json`.
  case peft
  /// Dotted names of the original checkpoint, as they stand there.
  case original
  /// HCP-Diffusion: `….___.layer.W_up`, a file for each component.
  case hcp

  /// Whether names are flattened with underscores.
  package var isUnderscored: Bool { [.kohya, .sgm, .musubi].contains(self) }

  /// The format whose names are used where a family says nothing of this one.
  var substitute: AdapterFormat? {
    switch self {
    case .sgm, .musubi: .kohya
    case .musubiOther, .original: .comfy
    case .peft, .hcp: .diffusers
    case .kohya, .comfy, .diffusers: nil
    }
  }
}
