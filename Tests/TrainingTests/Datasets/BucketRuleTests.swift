import Safetensors
import SystemPackage
import TestSupport
import Testing

@testable import Training

/// Buckets against those that sd-scripts' own code chose, see `scripts/fixtures/training/make-data-fixtures.py`.
struct BucketRuleTests {
  static func cases() throws -> [JSONValue] {
    let text = String(
      decoding: try contents(of: Fixtures.path("training/data/buckets.json")), as: UTF8.self)
    return try #require(JSONValue(parsing: text)).elements
  }

  private func resolution(_ value: JSONValue?) throws -> Resolution {
    let sides = (value?.elements ?? []).compactMap(\.integer)
    try #require(sides.count == 2)
    return Resolution(sides[0], sides[1])
  }

  private func number(_ value: JSONValue?) throws -> Double {
    guard case .number(let text) = value else { return .nan }
    return try #require(Double(text))
  }

  @Test func equalSdScripts() throws {
    var (images, worst) = (0, 0.0)
    for entry in try Self.cases() {
      var settings = BucketSettings()
      settings.smallest = try #require(entry["min"]?.integer)
      settings.largest = try #require(entry["max"]?.integer)
      settings.step = try #require(entry["steps"]?.integer)
      settings.neverEnlarges = entry["no_upscale"] == .bool(true)
      let rule = BucketRule(try resolution(entry["resolution"]), settings)
      #expect(try rule.resolutions == (entry["resolutions"]?.elements ?? []).map(resolution))
      for chosen in entry["chosen"]?.elements ?? [] {
        let size = try resolution(chosen["size"])
        let choice = try #require(rule.choice(for: size), "\(size)")
        #expect(try choice.bucket == resolution(chosen["bucket"]), "\(size)")
        #expect(try choice.resized == resolution(chosen["resized"]), "\(size)")
        worst = max(worst, abs(choice.proportionError - (try number(chosen["error"]))))
        let edges = BucketRule.edges(of: size, in: choice.bucket)
        let crop = try (chosen["crop"]?.elements ?? []).map { try number($0) }
        for (a, b) in zip([edges.left, edges.top, edges.right, edges.bottom], crop) {
          worst = max(worst, abs(a - b))
        }
        images += 1
      }
    }
    #expect(images > 500)
    // The same double operations in the same order.
    #expect(worst == 0)
  }

  @Test func smallImagesHaveNoBucketUnlessEnlarged() {
    var settings = BucketSettings()
    settings.neverEnlarges = true
    #expect(BucketRule(Resolution(512, 512), settings).choice(for: Resolution(63, 500)) == nil)
    settings.neverEnlarges = false
    #expect(BucketRule(Resolution(512, 512), settings).choice(for: Resolution(63, 500)) != nil)
    #expect(
      BucketRule(fixed: Resolution(512, 512)).choice(for: Resolution(100, 50))?.resized
        == Resolution(1024, 512))
  }

  @Test func oddSidesAreRounded() {
    var settings = BucketSettings()
    (settings.smallest, settings.largest) = (300, 1000)
    #expect(BucketRule.sides(settings) == 256...1024)
  }
}
