/// Which samples a batch holds, before any image is read. All are of one resolution, and of one length.
package struct BatchPlan: Equatable, Sendable {
  package struct Sample: Hashable, Sendable {
    /// Position in the set's examples.
    package let example: Int
    /// Identity in the epoch, for random numbers: repeats of one image differ in it.
    package let number: Int
  }

  package let dataset: Int
  package let bucket: Resolution
  /// Of a video; 1 for pictures.
  package let frames: Int
  package let samples: [Sample]
}

extension TrainingSet {
  /// All batches of an epoch in their order: samples shuffled within their bucket, then batches among
  /// each other. It depends on nothing but the set, seed and epoch, so that a run resumes anywhere.
  /// - Parameter epoch: from 0
  package func batches(epoch: Int, seed: UInt64) -> [BatchPlan] {
    var batches: [BatchPlan] = []
    for (place, bucket) in buckets(of: examples).enumerated() {
      var samples = bucket.samples
      Self.shuffle(&samples, seed: seed, epoch: epoch, place + 1)
      batches += cut(samples, of: bucket)
    }
    Self.shuffle(&batches, seed: seed, epoch: epoch, 0)
    return batches
  }

  /// Batches of the images that are held out, always the same.
  package func validationBatches() -> [BatchPlan] {
    buckets(of: validation).flatMap { cut($0.samples, of: $0) }
  }

  /// Samples of one dataset and one kind, ascending.
  struct Bucket {
    let dataset: Int
    let kind: BatchKind
    var samples: [BatchPlan.Sample]
  }

  /// By dataset, then by kind.
  func buckets(of examples: [TrainingExample]) -> [Bucket] {
    var buckets: [Bucket] = []
    for dataset in configuration.datasets.indices {
      var found: [BatchKind: [BatchPlan.Sample]] = [:]
      for (i, example) in examples.enumerated() where example.dataset == dataset {
        found[example.kind, default: []] += (0..<example.repeats).map {
          BatchPlan.Sample(example: i, number: example.firstSample + $0)
        }
      }
      buckets += found.sorted { $0.key < $1.key }.map {
        Bucket(dataset: dataset, kind: $0.key, samples: $0.value)
      }
    }
    return buckets
  }

  private func cut(_ samples: [BatchPlan.Sample], of bucket: Bucket) -> [BatchPlan] {
    let size = configuration.datasets[bucket.dataset].batchSize
    return stride(from: 0, to: samples.count, by: size).map {
      BatchPlan(
        dataset: bucket.dataset, bucket: bucket.kind.resolution, frames: bucket.kind.frames,
        samples: Array(samples[$0..<min($0 + size, samples.count)]))
    }
  }

  private static func shuffle<Element>(
    _ elements: inout [Element], seed: UInt64, epoch: Int, _ place: Int
  ) {
    var generator = CounterGenerator(seed: seed, epoch: epoch, sample: place, purpose: .shuffle)
    for i in elements.indices.dropFirst().reversed() {
      elements.swapAt(i, generator.integer(below: i + 1))
    }
  }
}
