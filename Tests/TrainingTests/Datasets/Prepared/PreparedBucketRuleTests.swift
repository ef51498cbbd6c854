import Safetensors
import SystemPackage
import TestSupport
import Testing

@testable import Training

/// Buckets against those of musubi-tuner's own code, see `scripts/fixtures/training/make-prepared-fixtures.py`.
struct PreparedBucketRuleTests {
  private func resolution(_ value: JSONValue?) throws -> Resolution {
    let sides = (value?.elements ?? []).compactMap(\.integer)
    try #require(sides.count == 2)
    return Resolution(sides[0], sides[1])
  }

  @Test func equalMusubi() throws {
    let text = String(
      decoding: try contents(of: Fixtures.path("training/prepared/buckets.json")), as: UTF8.self)
    var items = 0
    for entry in try #require(JSONValue(parsing: text)).elements {
      let resolution = try resolution(entry["resolution"])
      let rule =
        entry["enable_bucket"] == .bool(true)
        ? PreparedBucketRule(
          resolution, step: 16, neverEnlarges: entry["no_upscale"] == .bool(true))
        : PreparedBucketRule(fixed: resolution)
      #expect(try rule.resolutions == (entry["resolutions"]?.elements ?? []).map(self.resolution))
      for chosen in entry["chosen"]?.elements ?? [] {
        let size = try self.resolution(chosen["size"])
        let expected = chosen["bucket"] == .null ? nil : try self.resolution(chosen["bucket"])
        #expect(rule.bucket(of: size) == expected, "\(size) in \(resolution)")
        items += 1
      }
    }
    #expect(items == 8 * 69)
  }

  /// Areas in which no side is a step: musubi-tuner divides by nothing there.
  @Test func smallAreas() {
    #expect(
      PreparedBucketRule(Resolution(16, 16), step: 16, neverEnlarges: false).resolutions == [
        Resolution(16, 16)
      ])
    let none = PreparedBucketRule(Resolution(8, 8), step: 16, neverEnlarges: false)
    #expect(none.resolutions.isEmpty && none.bucket(of: Resolution(10, 10)) == nil)
  }
}
