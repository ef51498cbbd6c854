package import Images
package import SystemPackage

/// Hears how a run gets on.
package struct TrainingObserver {
  /// What is being done.
  package enum Phase: Equatable, Sendable {
    /// Encoded items, before the checkpoint.
    case readingItems
    case loading
    case encodingImages
    case encodingCaptions
    /// By the model that is learned from.
    case drawingLatents
    case training(from: Int, to: Int)
  }

  /// A step of an optimizer.
  package struct Step: Sendable {
    /// From 1.
    package let number: Int
    /// How many the run has.
    package let count: Int
    /// From 1.
    package let epoch: Int
    package let averageLoss: Double
    /// Of the last group of parameters.
    package let rate: Double
  }

  /// A step of a sample picture.
  package struct Drawing: Sendable {
    /// From 1, of those that are drawn at this time.
    package let picture, pictureCount: Int
    /// From 1, of that picture.
    package let step, stepCount: Int
  }

  /// A sample picture.
  package struct Picture {
    /// After which step.
    package let step: Int
    /// Which of the prompts, from 0.
    package let promptIndex: Int
    package let prompt: String
    package let seed: UInt64
    package let image: RasterImage
    /// Where it was written.
    package let path: FilePath
  }

  /// Norms of all modules after a step.
  package struct Norms {
    package let step: Int
    /// Whether they are those of ΔW; else of what is trained.
    package let areChanges: Bool
    package let modules: [AdapterNetwork.ModuleNorm]
  }

  /// A phase begins.
  package var begin: (Phase) -> Void = { _ in }
  /// So many of all that a phase has to do are done.
  package var progress: (Phase, Int, Int) -> Void = { _, _, _ in }
  /// A step was taken.
  package var stepped: (Step) -> Void = { _ in }
  /// Numbers by the names of `StepLog`, as logs have them: tags and values, and the step and the epoch that they are of.
  package var logged: ([(tag: String, value: Double)], Int, Int) -> Void = { _, _, _ in }
  /// Asked after every step: whether norms are wanted, which take as long as they take.
  package var wantsNorms: () -> Bool = { false }
  /// Norms that were wanted.
  package var measured: (Norms) -> Void = { _ in }
  /// Images that are held out were judged after a step: their loss.
  package var validated: (Int, Double) -> Void = { _, _ in }
  /// A step of a sample picture was taken.
  package var drawing: (Drawing) -> Void = { _ in }
  /// A sample picture was written.
  package var sampled: (Picture) -> Void = { _ in }
  /// An adapter was written.
  package var saved: (FilePath) -> Void = { _ in }
  /// Something that a user should know.
  package var note: (String) -> Void = { _ in }

  package init() {}
}
