package import Autograd
package import Checkpoints
import ModelFamilies
package import Tensors

/// A loaded model in which an adapter may be trained.
///
/// One file in a folder of the family conforms to it; nothing else knows what is in the family. What is known
/// before a weight is read, it says in its `outline`.
package protocol ModelPipeline: AnyObject {
  /// What captions and sizes become: only the family knows what is in it.
  associatedtype Condition

  /// Short names of the families that it is for.
  static var families: [String] { get }

  /// Whether a checkpoint whose widths are those of no known model is built as its family is.
  static func fits(_ base: BaseModel) -> Bool

  /// What a checkpoint holds, told by names and shapes.
  /// - Throws: `ModelLoadingError` for what cannot be trained on.
  static func outline(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> PipelineOutline

  /// The encoder of pictures alone, from the file of its own that the settings name or the checkpoint; nil
  /// where there is none.
  /// - Throws: `ModelLoadingError`, and what opening throws.
  static func encoder(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> (any LatentEncoder)?

  /// Whether pictures can be drawn of captions: text encoders and decoder are built.
  static var drawsPictures: Bool { get }

  /// Whether captions may say how much their parts count.
  static var readsWeights: Bool { get }

  /// What turns latents into pictures, from the file of its own that the settings name or the checkpoint; nil
  /// where there is none.
  /// - Throws: `ModelLoadingError`, and what opening throws.
  static func decoder(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> (any LatentDecoder)?

  /// The text encoders alone, in the order of the family: where all captions are known they are gone when the
  /// denoiser comes. None where captions come encoded.
  /// - Parameter checkpointsBlocks: whether blocks keep only their inputs for the backward pass.
  /// - Throws: `ModelLoadingError`, and what reading throws.
  static func captionEncoders(
    of base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool
  ) throws -> [any CaptionEncoder]

  /// Reads the weights of the denoiser.
  /// - Parameter checkpointsBlocks: whether blocks keep only their inputs for the backward pass.
  /// - Throws: `ModelLoadingError`, and what reading throws.
  init(_ base: BaseModel, _ settings: ModelSettings, checkpointsBlocks: Bool) throws

  /// Every layer of the denoiser that can be adapted.
  var layers: [Layer] { get }

  /// - Parameters:
  ///   - encoded: what all caption encoders make of the captions, in their order.
  ///   - sizes: one for every caption.
  func condition(_ encoded: [Variable], _ sizes: [PictureSize]) -> Condition

  /// Whether captions may be kept in files.
  static var keepsText: Bool { get }

  /// How captions are kept in files; nil for a family of which they are not.
  /// - Throws: `ModelLoadingError`
  static func textLayout(of base: BaseModel, _ settings: ModelSettings) throws -> KeptText?

  /// - Parameters:
  ///   - kept: of every caption, by the names of `KeptText.arrays`.
  ///   - sizes: one for every caption.
  func condition(kept: [[String: Tensor]], _ sizes: [PictureSize]) -> Condition

  /// What of captions can be left out by itself, by the words of `--…_dropout_rate`.
  static var textParts: [String] { get }

  /// A condition with zeros for parts of captions.
  /// - Parameter parts: of every caption, of `textParts`.
  func leavingOut(_ parts: [Set<String>], of condition: Condition) -> Condition

  /// A condition with a strength of guidance, for a denoiser that is told one.
  func telling(_ guidance: Float, in condition: Condition) -> Condition

  /// What the denoiser makes of noisy latents.
  /// - Parameters:
  ///   - noisy: `[batch, …, channels]`, scaled.
  ///   - times: one for every sample, as the objective counts them.
  /// - Returns: of the shape of `noisy`.
  func predict(_ noisy: Variable, at times: [Float], _ condition: Condition) -> Variable
}

/// A family whose pictures are not drawn.
extension ModelPipeline {
  package static var drawsPictures: Bool { false }

  package static func decoder(
    of base: BaseModel, _ settings: ModelSettings
  ) throws -> (any LatentDecoder)? { nil }
}

/// A family that reads weights in captions.
extension ModelPipeline {
  package static var readsWeights: Bool { true }
}

/// A family whose denoiser is told no strength of guidance.
extension ModelPipeline {
  package func telling(_ guidance: Float, in condition: Condition) -> Condition { condition }
}

/// A family whose captions count as a whole.
extension ModelPipeline {
  package static var textParts: [String] { [] }

  package func leavingOut(_ parts: [Set<String>], of condition: Condition) -> Condition {
    preconditionFailure("captions of \(Self.families) have no parts")
  }
}

/// A family whose captions are not kept.
extension ModelPipeline {
  package static var keepsText: Bool { false }

  package static func textLayout(of base: BaseModel, _ settings: ModelSettings) -> KeptText? { nil }

  package func condition(kept: [[String: Tensor]], _ sizes: [PictureSize]) -> Condition {
    preconditionFailure("captions are not kept for \(Self.families)")
  }
}
