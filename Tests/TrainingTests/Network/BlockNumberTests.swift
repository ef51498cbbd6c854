import ModelFamilies
import TestSupport
import Testing

@testable import Training

/// The blocks that ranks and rates are given by, and those of the families' tables.
@Suite struct BlockNumberTests {
  @Test(arguments: ["sd1.ldm", "sd1.unet.diffusers", "sd2.unet.diffusers"])
  func areThoseOfTheFamily(list: String) throws {
    let layout = try KeyList(list).layout()
    let numbers = try #require(layout.family.blocks?.numbers)
    #expect(numbers.count == BlockNumber.count)
    for module in layout.modules where module.role == .denoiser {
      try #require(numbers.number(of: module.path) == BlockNumber.of(module.path), "\(module.path)")
    }
  }
}
