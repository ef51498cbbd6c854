package import Sampling
package import SystemPackage

/// One image of a run, with all that is known of it before it is decoded.
package struct TrainingExample: Equatable, Sendable {
  package let path: FilePath
  /// As it stands in the caption file, before the pipeline.
  package let caption: String
  package let size: Resolution
  /// How often an epoch shows it.
  package var repeats: Int
  package let isRegularization: Bool
  /// Places in the configuration.
  package let dataset: Int
  package let subset: Int
  /// Where the mask of the loss is.
  package let mask: FilePath?
  package let choice: BucketRule.Choice
  /// Where latents and caption come encoded, with `path` that of the latents.
  package var prepared: PreparedItem?
  /// As what its latents are drawn, where there is no picture.
  package var drawn: PictureRequest?
  /// Number of its first sample: repeats of all examples are numbered through, so that each has
  /// random numbers of its own.
  package var firstSample = 0

  /// The resolution it is trained in.
  package var bucket: Resolution { choice.bucket }

  /// What it has in common with the others of its batch.
  var kind: BatchKind {
    BatchKind(
      resolution: bucket, frames: prepared?.frames ?? 1, arrays: prepared?.arrays ?? [],
      shownPlaces: prepared?.shownPlaces ?? 0)
  }
}
