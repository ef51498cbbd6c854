import ModelFamilies
import Tensors
import Testing

@testable import Training

/// Which batch a plan weighs.
struct LargestBatchTests {
  private func summary(
    _ buckets: [(side: Int, frames: Int, shown: Int, count: Int)], batch: Int
  ) -> DatasetSummary {
    DatasetSummary(
      datasets: [
        .init(
          trainingSamples: 1, regularizationImages: 0, samples: 1, batchSize: batch, batches: 1,
          resolution: Resolution(64, 64),
          buckets: buckets.map {
            .init(
              resolution: Resolution($0.side, $0.side), frames: $0.frames, shownPlaces: $0.shown,
              count: $0.count)
          }, hasBuckets: true, isPrepared: true, meanProportionError: 0, subsets: [])
      ], validationImages: 0)
  }

  /// Places of pictures that are seen beside count as those of the picture itself.
  @Test func shownPicturesCount() throws {
    let latents = try #require(ModelFamily.named("qwen-image")?.latents)
    // 16² places of its own; 12² with 2 · 16² beside.
    let small = (side: 96, frames: 1, shown: 512, count: 8)
    let large = (side: 128, frames: 1, shown: 0, count: 8)
    let both = try #require(summary([large, small], batch: 2).largestBatch(latents))
    #expect(both.resolution == Resolution(96, 96) && both.shownPlaces == 512 && both.size == 2)
    // Two of the large one are less than one of the small one; four are more.
    let one = (side: 96, frames: 1, shown: 512, count: 1)
    #expect(summary([large, one], batch: 2).largestBatch(latents)?.shownPlaces == 512)
    #expect(summary([large, one], batch: 4).largestBatch(latents)?.shownPlaces == 0)
  }
}
