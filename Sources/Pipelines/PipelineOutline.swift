package import Checkpoints
package import ModelFamilies

/// What is known of a model before a weight is read.
package struct PipelineOutline: Sendable {
  /// What can be adapted, in the order of the checkpoint.
  package let modules: [FamilyModule]
  /// The denoiser's parts, in the order of the checkpoint.
  package let units: [LayerUnit]
  /// Those of its blocks that need not be kept in memory, in the order in which they are computed.
  package let blocks: [[FamilyModule]]
  package let latents: LatentLayout
  /// nil where nothing in the checkpoint says it.
  package let prediction: Prediction?
  /// Whether the checkpoint says that its last timestep is noise alone.
  package let hasZeroTerminalSNR: Bool
  /// By which noise is added, where the model does not find a flow.
  package let betas: NoiseBetas
  /// How many layers the text encoder has, so that some can be skipped; nil where none can.
  package let skippableTextLayers: Int?
  /// What tells models of the family apart in its file, see `ModelFamily.flowRules(of:)`; nil for none.
  package let variant: String?
  /// Pixels of the longest side of a picture of which the denoiser knows all places; nil where there is no longest.
  package let longestSide: Int?
  /// Tokens that the denoiser sees of a caption.
  package let tokens: Int
  /// What is kept of a caption.
  package let captionBytes: Int
  /// Blocks of a text encoder that is never trained, in the order in which they are computed: two of them are in
  /// memory at a time. They are not among the modules.
  package let streamedText: [[FamilyModule]]
  /// nil where there is no encoder of pictures.
  package let autoencoder: AutoencoderOutline?
  /// Whether the denoiser is told a strength of guidance.
  package let takesGuidance: Bool
  /// Whether there may be another network for much noise.
  package let takesHighNoise: Bool
  /// That network, where one is named.
  package let highNoise: BaseModel?
  /// What the user should know of the checkpoint.
  package let notices: [String]
  /// What is needed of items that come encoded; nil where pictures and captions are read.
  package let prepared: PreparedItems?

  package init(
    modules: [FamilyModule], units: [LayerUnit], blocks: [[FamilyModule]] = [],
    latents: LatentLayout, prediction: Prediction?,
    variant: String? = nil, hasZeroTerminalSNR: Bool = false, betas: NoiseBetas = .standard,
    skippableTextLayers: Int?, longestSide: Int? = nil, tokens: Int,
    captionBytes: Int = 0, streamedText: [[FamilyModule]] = [],
    autoencoder: AutoencoderOutline? = nil, notices: [String] = [],
    takesGuidance: Bool = false, takesHighNoise: Bool = false,
    highNoise: BaseModel? = nil, prepared: PreparedItems? = nil
  ) {
    self.modules = modules
    self.units = units
    self.blocks = blocks
    self.latents = latents
    self.prediction = prediction
    self.hasZeroTerminalSNR = hasZeroTerminalSNR
    self.betas = betas
    self.skippableTextLayers = skippableTextLayers
    self.variant = variant
    self.longestSide = longestSide
    self.tokens = tokens
    self.captionBytes = captionBytes
    self.streamedText = streamedText
    self.autoencoder = autoencoder
    self.takesGuidance = takesGuidance
    self.takesHighNoise = takesHighNoise
    self.highNoise = highNoise
    self.notices = notices
    self.prepared = prepared
  }

  /// Whether there is what turns latents into pictures.
  package var hasDecoder: Bool { autoencoder?.hasDecoder ?? false }

  /// Bytes of what a text encoder has in memory at a time that is read as it is computed: two of its blocks, which are
  /// never held in 8 bits.
  package func streamedTextBytes(_ settings: ModelSettings) -> Int {
    let blocks = streamedText.map { block in
      block.reduce(0) { $0 + settings.bytes(of: $1, inEightBits: false) }
    }
    return 2 * (blocks.max() ?? 0)
  }

  /// Whether the denoiser is a row of blocks, whose weights may be in few bits and be read when they are needed.
  package var isTransformer: Bool { !blocks.isEmpty }
}

/// What a denoiser is trained to find in noisy latents.
package enum Prediction: Hashable, Sendable {
  /// ε, of a schedule of 1000 steps.
  case noise
  /// v of the same: √ᾱ ε − √(1 − ᾱ) x.
  case velocity
  /// ε − x, of a mixture of both that has no schedule.
  /// - Parameter timeOffset: what the trainer that users come from adds to 1000 times the share of noise where that
  ///   is no whole timestep; adapters behave the same with it.
  case flow(timeOffset: Double)
}
