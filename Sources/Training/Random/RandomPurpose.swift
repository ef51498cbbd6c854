/// What random numbers are drawn for. Each purpose has numbers of its own, so that one more or one fewer draw
/// for it changes no other.
package enum RandomPurpose: Hashable, Sendable {
  case noise
  case timestep
  /// The sample from the distribution that the VAE gives.
  case latent
  case noiseOffset
  case multires
  case inputPerturbation
  case caption
  case captionDropout
  case tagDropout
  case crop
  case flip
  case color
  case shuffle
  /// Numbers of the first factors of an adapter.
  case initialization(module: Int)
  case dropout(module: Int)
  case rankDropout(module: Int)
  case moduleDropout(module: Int)
  case validationSplit
  case validationLatent
  /// The parts of the range from which the timesteps of an epoch are drawn.
  case timestepOrder
  /// Whether a part of a caption is left out.
  case textDropout(part: Int)

  /// A number of its own for every purpose, which never changes: the kind in the upper 8 bits, the module or part in the lower 24.
  /// - Precondition: modules are numbered below 2²⁴.
  var code: UInt32 {
    let (kind, module): (UInt32, Int) =
      switch self {
      case .noise: (1, 0)
      case .timestep: (2, 0)
      case .latent: (3, 0)
      case .noiseOffset: (4, 0)
      case .multires: (5, 0)
      case .inputPerturbation: (6, 0)
      case .caption: (8, 0)
      case .captionDropout: (9, 0)
      case .tagDropout: (10, 0)
      case .crop: (11, 0)
      case .flip: (12, 0)
      case .color: (13, 0)
      case .shuffle: (14, 0)
      case .initialization(let module): (15, module)
      case .dropout(let module): (16, module)
      case .rankDropout(let module): (17, module)
      case .moduleDropout(let module): (18, module)
      case .validationSplit: (19, 0)
      case .validationLatent: (22, 0)
      case .timestepOrder: (23, 0)
      case .textDropout(let part): (24, part)
      }
    precondition(0..<(1 << 24) ~= module, "module \(module) of a random purpose")
    return kind << 24 | UInt32(module)
  }
}
