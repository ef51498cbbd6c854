import Tensors

extension Quantization {
  /// ComfyUI's description of one layer, JSON in bytes.
  static let description = ".comfy_quant"

  private static let scales = WeightScaling.endings + WeightScaling.companions
  private static let blockScales = [
    ".weight_scale", ".weight_scale_2", ".input_scale", description,
  ]
  private static let fourBit = [
    ".absmax", ".quant_map", ".nested_absmax", ".nested_quant_map",
  ]

  /// All that are known; of several that a weight shows, the first.
  ///
  /// Sources: ComfyUI `comfy/ops.py` and `comfy/quant_ops.py`; bitsandbytes `functional.py`
  /// (`QuantState.as_dict`) and `nn/modules.py` (`Linear8bitLt`); nunchaku `models/linear.py`; AutoGPTQ and AutoAWQ
  /// `qlinear`; compressed-tensors; optimum-quanto `tensor/weights`; torchao
  /// `prototype/safetensors/safetensors_support.py`; HQQ `core/quantize.py`; SDNQ.
  static let all = [
    Quantization(
      "bitsandbytes NF4", signs: [".quant_state.bitsandbytes__nf4"],
      companions: fourBit + [".quant_state.bitsandbytes__nf4"], isOfLayer: false, .fourBit(.nf4)),
    Quantization(
      "bitsandbytes FP4", signs: [".quant_state.bitsandbytes__fp4"],
      companions: fourBit + [".quant_state.bitsandbytes__fp4"], isOfLayer: false, .fourBit(.fp4)),
    Quantization(
      "bitsandbytes 4-bit", signs: [".absmax"], companions: fourBit, isOfLayer: false,
      .refused("the file lacks 'quant_state', which tells shape and kind")),
    Quantization(
      "bitsandbytes int8", signs: [".SCB"], companions: [".SCB", ".weight_format"], .scaled),
    Quantization("nvfp4", word: "nvfp4", companions: blockScales, .blocks(.nvfp4)),
    Quantization("mxfp8", word: "mxfp8", companions: blockScales, .blocks(.mxfp8)),
    Quantization("int8", word: "int8_tensorwise", companions: scales, .scaled),
    Quantization("fp8", word: "float8_e4m3fn", companions: scales, .scaled),
    Quantization("fp8", word: "float8_e5m2", companions: scales, .scaled),
    Quantization(
      "ConvRot W4A4", word: "convrot_w4a4", companions: scales,
      .refused("its codes are those of rotated weights")),
    Quantization(
      "W4A8", word: "asym_w4a8_int8", signs: [".weight_s_rel"],
      companions: scales + [".weight_s_rel", ".weight_s_channel", ".weight_codebook"],
      .refused("its codes are those of rotated weights")),
    Quantization(
      "AWQ W4A16", word: "awq_w4a16", companions: scales + [".weight_zeros"],
      .refused("its codes are packed for one program")),
    Quantization(
      "nvfp4", signs: [".weight_scale_2"], companions: blockScales + [".pre_quant_scale"],
      .refused(
        "the file does not say in which order its scales stand, as ComfyUI's 'comfy_quant' does")),
    Quantization(
      "fp8 in blocks", signs: [".weight_scale_inv"],
      companions: [".weight_scale_inv", ".input_scale"],
      .refused("the file does not say which numbers share a scale")),
    Quantization(
      "Nunchaku (SVDQuant)",
      signs: [".wscales", ".smooth_factor", ".proj_down", ".wzeros", ".wcscales", ".wtscale"],
      companions: [
        ".qweight", ".wscales", ".smooth_factor", ".smooth_factor_orig", ".proj_down", ".proj_up",
        ".wzeros", ".wcscales", ".wtscale",
      ], .refused("its codes are packed for the kernels of one program")),
    Quantization(
      "GPTQ or AWQ", signs: [".qweight", ".qzeros", ".g_idx"],
      companions: [".qweight", ".qzeros", ".g_idx", ".scales"],
      .refused("its codes are packed for the kernels of one program")),
    Quantization(
      "compressed-tensors", signs: [".weight_packed"],
      companions: [
        ".weight_packed", ".weight_shape", ".weight_zero_point", ".weight_scale", ".weight_g_idx",
        ".weight_global_scale", ".input_global_scale",
      ], .refused("its rule stands in another file, the model's configuration")),
    Quantization(
      "quanto", signs: [".weight._data", ".weight._scale"],
      companions: [
        ".weight._data", ".weight._scale", ".weight._shift", ".input_scale", ".output_scale",
      ], .refused("its rule stands in another file, the map of quantized layers")),
    Quantization(
      "torchao", signs: ["._weight_qdata"],
      companions: ["._weight_qdata", "._weight_scale", "._weight_zero_point"],
      .refused("its rule stands in the header, in the words of one program")),
    Quantization(
      "HQQ", signs: [".W_q"], companions: [".W_q"], .refused("its codes are packed by groups")),
    Quantization(
      "SDNQ", signs: [".zero_point", ".svd_up"],
      companions: [".scale", ".zero_point", ".svd_up", ".svd_down"],
      .refused("its rule stands in another file, the model's configuration")),
    Quantization("scaled", signs: WeightScaling.endings, companions: scales, .scaled),
  ]

  /// What a weight of a format that none has is where nothing in the file explains it.
  static func unknown(_ dtype: DType) -> Quantization {
    Quantization(
      "unknown quantization in \(dtype)",
      .refused(
        "its codes stand without a scale that is known; blocks of GGUF that were put into a file "
          + "look so"))
  }
}
