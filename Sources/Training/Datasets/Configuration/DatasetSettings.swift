package import Images

/// A dataset of the configuration, all levels applied: one resolution, one batch size, some subsets.
package struct DatasetSettings: Equatable, Sendable {
  package var batchSize = 1
  package var resolution: Resolution
  /// nil where every image is brought to `resolution`.
  package var buckets: BucketSettings?
  package var networkMultiplier: Float = 1
  /// Share of the images that is held out.
  package var validationSplit: Double = 0
  package var validationSeed: Int?
  package var interpolation: Interpolation?
  package var priorLossWeight: Float = 1
  package var subsets: [SubsetSettings] = []
  /// nil where pictures and captions are read; else there is one subset.
  package var prepared: PreparedSettings?

  package init(resolution: Resolution) { self.resolution = resolution }
}
