package import Pipelines
import Sampling
package import SystemPackage
package import Tensors

/// Everything that a run is told.
package struct TrainingConfiguration: Sendable {
  /// What is trained.
  package struct Network: Sendable {
    package var flags = NetworkSettings.Flags()
    /// `key=value`
    package var arguments: [String] = []
    /// An adapter to go on from.
    package var weights: FilePath?
    package var takesRanksFromWeights = false
    /// Bound of the norm of every module's change.
    package var normLimit: Float?

    package init() {}
  }

  /// Whether and how latents are kept.
  package struct Cache: Sendable {
    /// nil to encode every image each time.
    package var place: LatentCacheSettings.Place?
    package var isTrusted = false
    /// Images that the VAE sees at a time.
    package var batchSize = 1

    package init() {}
  }

  /// Whether what text encoders make of captions is kept.
  package enum TextCaching: Sendable {
    case none, memory
    /// Beside the images.
    case disk
  }

  /// Learning rates before any schedule; nil for that of the whole.
  package struct Rates: Sendable {
    package var common = 2e-6
    package var unet: Double?
    /// One for each text encoder; the last holds for all further ones.
    package var textEncoders: [Double] = []

    package init() {}

    package var unetRate: Double { unet ?? common }
    package var textEncoderRates: [Double] { textEncoders.isEmpty ? [common] : textEncoders }
  }

  /// How long, and what is looked at on the way.
  package struct Run: Sendable {
    package var steps = 1600
    package var epochs: Int?
    package var accumulation = 1
    package var checkpointsBlocks = false
    /// nil for that of the state that is resumed, or one that is drawn.
    package var seed: UInt64?
    /// nil for as many as help.
    package var threads: Int?
    package var resumed: FilePath?
    /// Counted from 1; nil for the first.
    package var initialEpoch: Int?
    package var initialStep: Int?
    /// Whether a start in the middle of an epoch leaves out its images, not only whole epochs.
    package var skipsToInitialStep = false
    /// Bound of the norm of all gradients; 0 for none.
    package var largestGradient = 1.0
    package var averageDecay: Double?
    package var validationSeed: UInt64?
    package var validationSteps: Int?
    package var validationEpochs: Int?
    package var mostValidationBatches: Int?

    package init() {}
  }

  /// Pictures that are drawn on the way.
  package struct Samples: Sendable {
    /// A file of prompts.
    package var prompts: FilePath?
    package var everySteps: Int?
    package var everyEpochs: Int?
    package var drawsAtFirst = false
    /// By a name of kohya's scripts or of a web UI; a prompt may name another.
    package var sampler = SamplerName.ddim.rawValue

    package init() {}

    /// Whether there are prompts, and times at which they are drawn.
    package var isAsked: Bool {
      prompts != nil && (everySteps != nil || everyEpochs != nil || drawsAtFirst)
    }
  }

  /// What is written.
  package struct Output: Sendable {
    package var folder: FilePath
    package var name: String
    package var dtype = DType.f32
    package var everyEpochs: Int?
    package var everySteps: Int?
    package var epochRatio: Int?
    package var lastEpochs: Int?
    package var lastEpochStates: Int?
    package var lastSteps: Int?
    package var lastStepStates: Int?
    package var savesState = false
    package var savesStateAtEnd = false
    package var omitsMetadata = false
    /// The program and its version, for metadata.
    package var writer = "lyco"
    package var comment: String?
    /// `modelspec.title` and the like, by the word behind the dot.
    package var description: [String: String] = [:]
    package var logFolder: FilePath?
    package var logPrefix = ""
    package var tracker = "network_train"
    package var table: FilePath?
    /// A page, or a description in JSON, that is written anew while the run gets on.
    package var page: FilePath?

    package init(folder: FilePath, name: String) {
      self.folder = folder
      self.name = name
    }
  }

  /// What is trained upon.
  package var model: ModelSettings
  /// What is learned from; nil for what was done to latents.
  package var teacher: TeacherSettings?
  /// `--mixed_precision` as it was given.
  package var precision = "no"
  package var network = Network()
  package var images = DatasetDefaults()
  package var cache = Cache()
  package var textCaching = TextCaching.none
  /// What is left out of captions.
  package var textDropout = TextDropout()
  package var noise = NoiseSettings()
  /// For models that find a flow.
  package var flow = FlowSettings()
  /// Between which timesteps samples lie, as options give it; nil for all.
  package var firstTimestep: Int?
  package var lastTimestep: Int?
  package var hasZeroTerminalSNR = false
  package var loss = LossSettings()
  /// Whether images are expected to have masks.
  package var masksLoss = false
  package var optimizer = ""
  package var optimizerArguments: [String] = []
  package var schedule = ScheduleSettings()
  package var rates = Rates()
  package var run = Run()
  package var output: Output
  package var samples = Samples()
  /// Settings as Python would write what was given, by the names of metadata without `ss_`.
  package var spellings: [String: String] = [:]

  package init(model: ModelSettings, output: Output) {
    self.model = model
    self.output = output
  }

  /// The model as text encoders are read, or another one: in 8 bits only where they are trained. What those make that only encode may be
  /// kept for good.
  func textModel(_ network: NetworkPlan, of other: ModelSettings? = nil) -> ModelSettings {
    var model = other ?? model
    if network.textEncoderCount == 0 { model.holdsInt8 = false }
    return model
  }
}
