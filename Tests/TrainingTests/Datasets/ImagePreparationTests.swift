import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Images in their buckets against those that sd-scripts' own code prepared.
struct ImagePreparationTests {
  @Test func equalsSdScripts() throws {
    let goldens = try TensorFile(
      opening: Fixtures.path("training/data/prepared.safetensors")
    ).contents
    #expect(goldens.count == 10)
    for (name, golden) in goldens {
      let fixture = name.hasPrefix("rgb") ? "rgb.png" : "gray-alpha.png"
      let folder = ImageFolder()
      try folder.image("a.png", fixture, caption: "a")
      let bucket = Resolution(golden.shape.dimensions[1], golden.shape.dimensions[0])
      let set = try folder.set { $0.values.resolution = bucket }
      let pixels = try ImagePreparation(set.examples[0], of: set)
        .prepared(isFlipped: false, at: nil).pixels
      #expect(pixels.shape == golden.shape)
      let worst =
        zip(pixels.elements, golden.bytes)
        .map { abs(($0 + 1) * 127.5 - Float($1)) }.max() ?? 0
      // One step of rounding, see ResizingTests.
      #expect(worst < 1.01, "\(name): off by \(worst)")
    }
  }

  @Test func randomCropsStayInsideAndVary() throws {
    let folder = ImageFolder()
    try folder.image("a.png", caption: "a")
    let set = try folder.set {
      $0.values.randomCrop = true
      $0.values.resolution = Resolution(16, 40)
    }
    let preparation = ImagePreparation(set.examples[0], of: set)
    let crops = try (0..<40).map { sample in
      try preparation.prepared(
        isFlipped: false,
        at: CaptionPipeline.Moment(seed: 1, epoch: 0, sample: sample, step: 0, stepCount: 0)
      ).pixels
    }
    #expect(crops.allSatisfy { $0.shape == [40, 16, 3] })
    // 33 places; 40 draws are expected to meet 23 of them.
    #expect(Set(crops.map(\.elements)).count > 15)
    let center = try preparation.prepared(isFlipped: false, at: nil).pixels
    #expect(try center.mirrored() == preparation.prepared(isFlipped: true, at: nil).pixels)
  }
}
