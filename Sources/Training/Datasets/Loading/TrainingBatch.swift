package import Pipelines
package import SystemPackage
package import Tensors

/// One batch as the step takes it: images of one size with their captions, everything drawn that is to be
/// drawn for them.
package struct TrainingBatch: Equatable, Sendable {
  /// What the step starts from.
  package enum Content: Equatable, Sendable {
    /// `[batch, height, width, 3]` from -1 to 1, to be encoded; see `sampled(_:)`.
    case pixels(Tensor)
    /// `[batch, height, width, channels]`, with frames behind the batch where there are any; samples, not
    /// scaled but where the cache holds them so.
    case latents(Tensor)
  }

  package let plan: BatchPlan
  package let content: Content
  /// After the pipeline.
  package let captions: [String]
  /// What text encoders made of each caption, where that is kept in files; of items that come encoded all but the
  /// latents.
  package let kept: [[String: Tensor]]?
  /// Of every caption the parts that are left out, by the words of `ModelPipeline.textParts`.
  package let textLeftOut: [Set<String>]
  /// 1, or the prior loss weight for regularization images.
  package let lossWeights: [Float]
  /// What each image was, and what became of it.
  package let sizes: [PictureSize]
  /// Weights of the loss at each latent, `[batch, height, width]`; nil if no image has any.
  package let mask: Tensor?
  /// Files, for messages.
  package let paths: [FilePath]
  package let networkMultiplier: Float
  /// Seed and epoch that samples are drawn with, and the purpose: training or validation.
  let draws: SampleDraws

  /// Identities of the samples in their epoch, for random numbers.
  package var samples: [Int] { plan.samples.map(\.number) }

  /// Samples of what the encoder made of `pixels`: the same that a cache of distributions would have given.
  package func sampled(_ encoded: (mean: Tensor, logVariance: Tensor)) -> Tensor {
    Tensor(
      stacking: plan.samples.indices.map {
        LatentDistribution($0, of: encoded).sample(
          using: draws.generator(of: plan.samples[$0].number))
      })
  }
}
