import Checkpoints
import ModelFamilies
import Tensors

/// Which format each tensor of a checkpoint is written in.
///
/// 8 bit suit the weights of layers alone: of the denoiser and the text encoders, convolutions and
/// linear layers; with scales, linear layers within the blocks of the denoiser, without modulation
/// (musubi-tuner's `FP8_OPTIMIZATION_TARGET_KEYS`; ComfyUI's loader applies scales to linear layers).
/// Everything else keeps 16 bit: F32 becomes BF16 beside 8-bit weights.
struct ConversionFormats {
  private let storage: CheckpointStorage?
  /// Keys of weights that are stored in 8 bit.
  let narrowKeys: Set<String>

  init(_ storage: CheckpointStorage?, of layout: ModelLayout) {
    self.storage = storage
    guard let storage, storage.dtype.isFloat8 else {
      narrowKeys = []
      return
    }
    let isScaled = storage == .scaledFloat8
    let layers = layout.modules.filter {
      guard $0.weight.key.hasSuffix(".weight") else { return false }
      switch $0.kind {
      case .linear: return $0.role == .denoiser || (!isScaled && $0.role != .autoencoder)
      case .convolution: return !isScaled && $0.role != .autoencoder
      case .norm, .embedding: return false
      }
    }
    let inBlocks = layers.filter(\.isInBlock)
    let chosen = isScaled && !inBlocks.isEmpty ? inBlocks : layers
    narrowKeys = Set(chosen.filter { !isScaled || !$0.isModulation }.map(\.weight.key))
  }

  /// - Parameter dtype: what the tensor is stored in; wider than 8 bit where scales belong to it.
  func format(of key: String, _ dtype: DType) -> DType {
    guard let storage else { return dtype }
    guard storage.dtype.isFloat8 else { return storage.dtype }
    if narrowKeys.contains(key) { return storage.dtype }
    return dtype.bitsPerElement > 16 ? .bf16 : dtype
  }
}

extension FamilyModule {
  /// `down_blocks.0…`, `double_blocks.3…`, `layers.2…`
  fileprivate var isInBlock: Bool {
    path.split(separator: ".").contains {
      $0.hasSuffix("block") || $0.hasSuffix("blocks") || $0 == "layers"
    }
  }

  /// What turns the time into shifts and scales of all channels.
  fileprivate var isModulation: Bool {
    path.split(separator: ".").contains {
      $0.hasSuffix("_mod") || $0.contains("modulation") || $0.contains("norm")
        || $0.contains("emb")
    }
  }
}
