package import Autograd
package import ModelFamilies
package import SystemPackage

/// What a model is opened with.
package struct ModelSettings: Sendable {
  package var base: FilePath
  /// Of the encoder of pictures, where it has a file of its own.
  package var vae: FilePath?
  /// nil to recognize it.
  package var family: ModelFamily?
  package var supposed: [SupposedFamily] = []
  /// 1 for the last layer of the text encoder.
  package var clipSkip: Int?
  /// 75, 150 or 225.
  package var maxTokenLength = 75
  /// Whether captions say how much their parts count.
  package var weighsCaptions = false
  /// Whether captions come encoded, so that no text encoders are asked for.
  package var textIsKept = false
  package var compute = ComputeType.f32
  /// Whether frozen linear layers are held in 8 bits.
  package var holdsInt8 = false
  /// Adapters that are merged into the base first, with their strengths.
  package var merged: [(path: FilePath, ratio: Float)] = []

  package init(base: FilePath) { self.base = base }

  /// How frozen layers are held.
  var storage: FrozenStorage { holdsInt8 ? .int8 : .compute }
}
