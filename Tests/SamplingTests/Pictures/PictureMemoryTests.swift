import Pipelines
import SystemPackage
import TestSupport
import Testing

@testable import Sampling

/// What is said of pictures that do not fit.
struct PictureMemoryTests {
  /// Smaller pictures help where the weights fit, and only there.
  @Test func weightsAlone() throws {
    var configuration = SamplingConfiguration(
      model: .init(base: Fixtures.path("training/tiny")), prompts: [])
    configuration.prompts = [.init("a bag", at: "line 1")]
    (configuration.width, configuration.height) = (512, 512)
    let plan = try SamplingPlan(configuration)
    func said(_ available: Int) -> String {
      do {
        try plan.checkMemory(available)
        return "nothing"
      } catch { return "\(error)" }
    }
    #expect(said(1 << 40) == "nothing")
    let picture = said(plan.bytes - 1)
    #expect(picture.contains("a picture of 512x512") && picture.contains("smaller '--width'"))
    let weights = said(1000)
    #expect(
      weights.hasPrefix("the model's weights take about ") && !weights.contains("--width")
        && weights.hasSuffix("'--mixed_precision bf16' holds them in half of it"), "\(weights)")
  }
}
