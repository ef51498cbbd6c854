import Adapters
import Checkpoints
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Merges of whole files against other programs.
///
/// One after the other: hundreds of merges that wait for one another would each hold an open file.
@Suite(.serialized) struct GoldenMergeTests {
  /// Writes a golden case as a base and an adapter of one module `m`.
  private func write(_ golden: GoldenCase, into folder: borrowing TemporaryFolder) throws {
    var base = ["m.weight": golden.base.stored, "untouched": golden.base.stored]
    base["m.bias"] = golden.bias?.stored
    base["m.scale_weight"] = golden.baseScale?.stored
    try folder.write("base.safetensors", base)
    var adapter: [String: EncodedTensor] = [:]
    for (suffix, view) in golden.factors { adapter["m.\(suffix)"] = view.stored }
    try folder.write("a.safetensors", adapter)
  }

  @Test(arguments: GoldenCase.names, GoldenCase.multipliers)
  func mergesAsTheReference(name: String, multiplier: String) async throws {
    let golden = try GoldenCase(name)
    let folder = TemporaryFolder()
    try write(golden, into: folder)
    let strength = Float(multiplier)!
    try await merge(
      folder.file("base.safetensors"),
      [Strength(path: folder.file("a.safetensors"), denoiser: strength, textEncoder: strength)],
      to: folder.file("m.safetensors"), as: .generic,
      settings: MergeSettings(
        filter: ModuleFilter(), assertions: [.principalSingularVectors], threads: 2))
    let merged = try TensorFile(opening: folder.file("m.safetensors")).contents
    #expect(merged["untouched"] == golden.base.stored)
    let weight = try #require(merged["m.weight"])
    if strength == 0 {
      // Bit for bit, and no bias that was not there.
      #expect(merged == (try TensorFile(opening: folder.file("base.safetensors")).contents))
    } else {
      expectMerged(weight, golden.merged(multiplier), "\(name) at \(multiplier)")
      #expect(
        (merged["m.bias"] == nil) == (golden.mergedBias(multiplier) == nil && golden.bias == nil))
      if let bias = golden.mergedBias(multiplier) {
        expectMerged(try #require(merged["m.bias"]), bias, "bias of \(name) at \(multiplier)")
      }
    }
    if let expected = golden.file.tensors["merged_scale.\(multiplier)"]?.tensor(), strength != 0 {
      let scale = try #require(merged["m.scale_weight"]).decoded()
      // Two roundings of f32: the largest weight and the quotient.
      expectClose(scale, expected, tolerance: 5e-7, "scale of \(name)")
    }
  }

  /// f32 against float64: a hundred roundings. 16 and 8 bits: one step, where the two fall on the
  /// sides of a tie.
  private func expectMerged(
    _ actual: EncodedTensor, _ expected: EncodedTensor, _ what: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(actual.dtype == expected.dtype, sourceLocation: sourceLocation)
    guard actual.dtype == expected.dtype, expected.dtype != .f32 else {
      expectClose(
        actual.decoded(), expected.decoded(), tolerance: 1e-5, what, sourceLocation: sourceLocation)
      return
    }
    let step = largestStep(actual, expected)
    #expect(
      step <= 1, "\(what): \(step) steps of \(expected.dtype)", sourceLocation: sourceLocation)
  }

  /// Two adapters are summed before the one rounding: rounding after each would be off.
  @Test(arguments: [false, true])
  func sumsBeforeRounding(reversed: Bool) async throws {
    let file = try TensorFile(opening: Fixtures.path("lora/sum-bf16.safetensors"))
    let folder = TemporaryFolder()
    try folder.write("base.safetensors", ["m.weight": file.tensors["base"]!.stored])
    var strengths: [Strength] = []
    for (name, ratio) in [("first", 0.7), ("second", -0.3)] as [(String, Float)] {
      var adapter: [String: EncodedTensor] = [:]
      for (key, view) in file.tensors where key.hasPrefix(name + ".") {
        adapter["m." + key.dropFirst(name.count + 1)] = view.stored
      }
      strengths.append(
        Strength(path: try folder.write("\(name).safetensors", adapter), denoiser: ratio))
    }
    try await merge(
      folder.file("base.safetensors"), reversed ? strengths.reversed() : strengths,
      to: folder.file("m.safetensors"))
    let merged = try TensorFile(opening: folder.file("m.safetensors"))
    let step = largestStep(
      merged.tensors["m.weight"]!.stored, file.tensors["merged.sum"]!.stored)
    #expect(step == 0, "\(step) steps of BF16")
  }

  /// Every adapter of the folder that has a merged model beside it.
  static let writers = directoryEntries(Fixtures.path("lora/sd1-small"))
    .filter { $0.hasSuffix(".merged.safetensors") }
    .map { String($0.dropLast(".merged.safetensors".count)) }

  /// Adapters by four programs and of every algorithm, merged into the small SD1 model as a folder and
  /// as a single file.
  @Test(arguments: writers, [true, false])
  func mergesAdaptersOfOtherPrograms(writer: String, intoFolder: Bool) async throws {
    let folder = TemporaryFolder()
    let output = folder.file(intoFolder ? "merged" : "merged.safetensors")
    let base = Fixtures.path("lora/sd1-small/\(intoFolder ? "base" : "base.ldm.safetensors")")
    let report = try await merge(
      base, [Strength(path: Fixtures.path("lora/sd1-small/\(writer).safetensors"))],
      to: output, as: ModelFamily.named("sd1"))
    #expect(report.unmatched == [])
    let expected = try TensorFile(
      opening: Fixtures.path("lora/sd1-small/\(writer).merged.safetensors"))
    let merged = try TensorFile(opening: output)
    let before = try TensorFile(opening: base)
    #expect(report.changedTensors == expected.tensors.count)
    var names: [String: String] = [:]
    for line in try fixtureLines("lora/sd1-small/names.tsv") {
      let columns = line.split(separator: "\t").map(String.init)
      names[intoFolder ? columns[1] : columns[0]] = columns[1]
    }
    #expect(Set(merged.tensors.keys) == Set(before.tensors.keys))
    for (key, view) in merged.tensors {
      if let goal = expected.tensors[try #require(names[key], "\(key)")] {
        // f32 against float64.
        expectClose(
          view.tensor().reshaped(goal.shape), goal.tensor(), tolerance: 1e-6, "\(writer) \(key)")
      } else {
        #expect(view.stored == before.tensors[key]!.stored, "\(key)")
      }
    }
  }
}
