package import Autograd
package import ModelFamilies
import Safetensors
package import SystemPackage

/// What a model is opened with.
package struct ModelSettings: Sendable {
  package var base: FilePath
  /// Of the encoder of pictures, where it has a file of its own.
  package var vae: FilePath?
  /// Of other parts that have files of their own, by the options that name them: `clip_l`.
  package var componentFiles: [String: FilePath] = [:]
  /// Those of them that are not there.
  package var absentFiles: [String: FilePath] { componentFiles.filter { $0.value.kind == nil } }
  /// A file or folder of the tokenizer that does not come with this program: that of T5.
  package var tokenizer: FilePath?
  /// Tokens that T5 reads of a caption; nil for what the family's trainers take.
  package var t5MaxTokenLength: Int?
  /// nil to recognize it.
  package var family: ModelFamily?
  package var supposed: [SupposedFamily] = []
  /// 1 for the last layer of the text encoder.
  package var clipSkip: Int?
  /// 75, 150 or 225.
  package var maxTokenLength = 75
  /// Whether captions are never cut: those that are encoded together take as many tokens as the longest needs, in
  /// steps of 75.
  package var takesWholeCaptions = false
  /// Whether captions say how much their parts count.
  package var weighsCaptions = false
  /// Whether the mean of a caption's vectors is then put right, as web UIs do it.
  package var restoresMeans = false
  /// Whether captions come encoded, so that no text encoders are asked for.
  package var textIsKept = false
  /// Whether latents and captions come encoded as the family's `[caches]` has them, for a family of which both are
  /// trained: such, and pictures.
  package var itemsAreEncoded = false
  /// Whether CLIP does not see the padding of captions, of families in which it is asked.
  package var appliesCLIPMask = false
  /// Whether what T5 makes of the padding of captions is not seen.
  package var appliesT5Mask = false
  /// The network for much noise of a model that has two, and the share of noise from which on it counts; nil for
  /// what the model was trained with.
  package var highNoise: FilePath?
  package var boundary: Double?
  /// What a model with a guidance input is told; nil for what its trainers tell it.
  package var guidance: Double?
  /// What the weights do not tell apart, in the words of the family's file: `edit`; nil for what it was first.
  package var variant: String?
  package var compute = ComputeType.f32
  /// The format of a transformer's weights, where one was asked for by itself.
  package var transformerCompute: ComputeType?
  /// Whether a transformer's weights are to be held in 8 bits, as its trainers do with e4m3.
  package var asksFP8 = false
  /// Blocks of a transformer that are not kept in memory.
  package var streamedBlocks = 0
  /// Whether frozen linear layers are held in 8 bits.
  package var holdsInt8 = false
  /// Adapters that are merged into the base first, with their strengths.
  package var merged: [MergedAdapter] = []

  package init(base: FilePath) { self.base = base }

  /// How frozen layers are held.
  var storage: FrozenStorage { holdsInt8 ? .int8 : .compute }
}
