import Operations
import SystemPackage
import TestSupport
import Testing

/// Metadata of a trainer, put in order.
@Suite struct TrainingSummaryTests {
  private func training() throws -> (TrainingSummary, [String: String]) {
    let report = try Inspection(opening: Fixtures.path("inspect/trained.safetensors")).report()
    return (try #require(report.training), report.metadata)
  }

  @Test func essentialsComeFirst() throws {
    let facts = try Dictionary(
      uniqueKeysWithValues: training().0.facts.map { ($0.name, $0.value) })
    #expect(facts["title"] == "Lighthouse")
    #expect(facts["base model"] == "v1-5-pruned.safetensors, sd_v1")
    #expect(facts["network args"] == "algo=locon, conv_dim=4")
    #expect(facts["text enc. rate"] == "5e-05")
    // date -u -d @1714566645
    #expect(facts["started"] == "2024-05-01 12:30 UTC")
    #expect(facts["finished"] == "2024-05-01 13:30 UTC")
  }

  @Test func datasetsAndTags() throws {
    let (training, _) = try training()
    #expect(training.datasets.map(\.name) == ["10_lighthouse", "reg"])
    #expect(training.datasets.map(\.images) == [20, 7])
    #expect(training.datasets.map(\.repeats) == [3, 1])
    #expect(training.datasets.map(\.isRegularization) == [false, true])
    #expect(training.datasets[0].details == "512x768, batch 2, 'lighthouse'")
    // Over both folders, the most frequent first, then by name.
    #expect(training.tags.map(\.name) == ["sea", "lamp", "night sky"])
    #expect(training.tags.map(\.count) == [15, 12, 5])
  }

  /// Every entry is told somewhere, and once.
  @Test func nothingIsLost() throws {
    let (training, metadata) = try training()
    let told = training.groups.flatMap(\.facts).map(\.name)
    #expect(Set(told).count == told.count)
    let rest = ["noise_offset", "bucket_info", "vae_name", "session_id", "thumbnail", "note"]
    for name in rest { #expect(told.contains(name), "\(name)") }
    #expect(metadata.count == 38)
    let thumbnail = training.groups.flatMap(\.facts).first { $0.name == "thumbnail" }
    #expect(thumbnail?.value == "(122 bytes)")
  }
}
