import ModelFamilies

/// The arithmetic of a run's images, as sd-scripts prints it.
package struct DatasetSummary: Equatable, Sendable {
  package struct Dataset: Equatable, Sendable {
    package struct Bucket: Equatable, Sendable {
      package let resolution: Resolution
      /// Of videos; 1 for pictures.
      package let frames: Int
      /// Places of the latents of other pictures that are seen with each.
      package let shownPlaces: Int
      /// Samples of an epoch, repeats included.
      package let count: Int
    }

    /// Training images times repeats.
    package let trainingSamples: Int
    /// Regularization images times their own repeats, before they are balanced.
    package let regularizationImages: Int
    /// Samples of an epoch, balanced regularization images included.
    package let samples: Int
    package let batchSize: Int
    package let batches: Int
    package let resolution: Resolution
    /// Ascending; one where the dataset has no buckets and pictures are read.
    package let buckets: [Bucket]
    package let hasBuckets: Bool
    /// Whether its items come encoded.
    package let isPrepared: Bool
    /// Mean distance between the proportions of images and of their buckets, without repeats.
    package let meanProportionError: Double
    package let subsets: [SubsetSummary]
  }

  package let datasets: [Dataset]
  package let validationImages: Int

  /// Training images times repeats, of all datasets.
  package var trainingSamples: Int { datasets.reduce(0) { $0 + $1.trainingSamples } }
  package var regularizationImages: Int { datasets.reduce(0) { $0 + $1.regularizationImages } }
  package var batchesPerEpoch: Int { datasets.reduce(0) { $0 + $1.batches } }
}

extension DatasetSummary {
  /// What takes most of a step: of items that come encoded the largest bucket, with all pictures that are seen beside,
  /// else the resolution of a dataset.
  func largestBatch(
    _ latents: LatentLayout
  ) -> (resolution: Resolution, frames: Int, shownPlaces: Int, size: Int)? {
    let batches = datasets.flatMap { dataset in
      dataset.isPrepared
        ? dataset.buckets.map {
          ($0.resolution, $0.frames, $0.shownPlaces, min(dataset.batchSize, $0.count))
        } : [(dataset.resolution, 1, 0, dataset.batchSize)]
    }
    /// Of all samples.
    func places(_ batch: (Resolution, frames: Int, shownPlaces: Int, size: Int)) -> Int {
      let extents = latents.extents(ofPicture: batch.0.height, batch.0.width)
      let own = latents.frames(ofVideo: batch.frames) * extents.height * extents.width
      return (own + batch.shownPlaces) * batch.size
    }
    return batches.max { places($0) < places($1) }
  }
}

extension TrainingSet {
  package var summary: DatasetSummary {
    let buckets = buckets(of: examples)
    return DatasetSummary(
      datasets: configuration.datasets.enumerated().map { index, settings in
        let own = examples.filter { $0.dataset == index }
        let found = buckets.filter { $0.dataset == index }
        let samples = found.reduce(0) { $0 + $1.samples.count }
        let errors = own.map { abs($0.choice.proportionError) }
        return DatasetSummary.Dataset(
          trainingSamples: own.reduce(0) { $0 + ($1.isRegularization ? 0 : $1.repeats) },
          regularizationImages: subsets[index].reduce(0) {
            $0 + ($1.isRegularization ? $1.images * $1.repeats : 0)
          },
          samples: samples, batchSize: settings.batchSize,
          batches: found.reduce(0) {
            $0 + ($1.samples.count + settings.batchSize - 1) / settings.batchSize
          },
          resolution: settings.resolution,
          buckets: found.map {
            .init(
              resolution: $0.kind.resolution, frames: $0.kind.frames,
              shownPlaces: $0.kind.shownPlaces, count: $0.samples.count)
          },
          hasBuckets: settings.buckets != nil, isPrepared: settings.prepared != nil,
          meanProportionError: errors.isEmpty ? 0 : errors.reduce(0, +) / Double(errors.count),
          subsets: subsets[index])
      },
      validationImages: validation.count)
  }
}

extension DatasetSummary {
  /// For the plan. Names of folders stand as they are.
  package var lines: [String] {
    var lines: [String] = []
    for (i, dataset) in datasets.enumerated() {
      lines.append(
        "dataset \(i + 1): \(dataset.resolution), batch size \(dataset.batchSize), "
          + "\(dataset.samples) samples in \(dataset.batches) batches")
      let items = dataset.isPrepared ? "items" : "images"
      for subset in dataset.subsets {
        lines.append(
          "  \(subset.source): \(subset.images) \(subset.isRegularization ? "regularization " : "")"
            + "\(items) x \(subset.repeats) = \(subset.images * subset.repeats)")
      }
      guard dataset.hasBuckets || dataset.isPrepared else { continue }
      lines += dataset.buckets.map {
        "  bucket \($0.resolution)" + ($0.frames > 1 ? "x\($0.frames)" : "") + ": \($0.count)"
      }
    }
    let items = datasets.contains { $0.isPrepared } ? "items" : "images"
    lines.append("\(items) x repeats: \(trainingSamples)")
    if regularizationImages > 0 { lines.append("regularization images: \(regularizationImages)") }
    if validationImages > 0 { lines.append("held out for validation: \(validationImages)") }
    lines.append("batches per epoch: \(batchesPerEpoch)")
    return lines
  }
}
