import Adapters
import Checkpoints
import LinearAlgebra
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Pairs of checkpoints in the original's and in diffusers' layout, in every combination: the first blocks of
/// real models at a 32nd of their height, by the rows that diffusers' converters take (`Fixtures/families`).
@Suite struct LayoutPairTests {
  /// One weight: where the two layouts have it.
  struct Line {
    let diffusers: String
    let native: String
    /// nil where the halves change places.
    let rows: Range<Int>?
  }

  struct Model: Sendable, CustomTestStringConvertible {
    let list: String
    let family: String
    /// Whether extraction from diffusers' layout keeps that layout's names, since programs load them.
    var keepsNames = false
    var testDescription: String { list }
  }

  static let models = [
    Model(list: "flux1", family: "flux", keepsNames: true),
    Model(list: "chroma", family: "chroma", keepsNames: true),
    Model(list: "sd3", family: "sd3", keepsNames: true),
    Model(list: "hunyuan-video", family: "hunyuan-video"),
    Model(list: "flux2-klein-4B", family: "flux2"),
    Model(list: "z-image", family: "z-image"), Model(list: "lumina2", family: "lumina2"),
    Model(list: "anima", family: "anima"), Model(list: "krea2", family: "krea2"),
    Model(list: "ltx-video", family: "ltx-video"), Model(list: "auraflow", family: "auraflow"),
    Model(list: "mochi", family: "mochi"),
  ]

  /// As wide as the 32nd of SD3: its tables tell two kinds of modulation apart by height over width.
  private static let columns = 48

  private func lines(_ model: Model) throws -> (lines: [Line], heights: [String: Shape]) {
    var heights: [String: Shape] = [:]
    for (key, shape) in try KeyList("\(model.list).native").tensors { heights[key] = shape }
    let lines = try fixtureLines("families/rows.\(model.list).native.txt").compactMap {
      line -> Line? in
      let words = line.split(separator: "\t").map(String.init)
      let isSwapped = words[2] == "swapped"
      let number = words[0].firstMatch(of: /(?:blocks|layers|refiner)\.(\d+)\./)?.1
      guard isSwapped || (number == nil || number == "0") && Int(words[3])! >= 32 else {
        return nil
      }
      return Line(
        diffusers: words[0], native: words[1],
        rows: isSwapped ? nil : Int(words[2])! / 32..<Int(words[3])! / 32)
    }
    return (lines, heights)
  }

  /// The same weights in both layouts.
  private func weights(
    _ model: Model, seed: UInt64
  ) throws -> (native: [String: Tensor], diffusers: [String: Tensor]) {
    let (lines, heights) = try lines(model)
    var (native, diffusers) = ([String: Tensor](), [String: Tensor]())
    for (index, line) in lines.enumerated() {
      let full = try #require(heights[line.native])
      let shape: Shape =
        full.dimensions.count == 1 ? [full.rows / 32] : [full.rows / 32, Self.columns]
      if native[line.native] == nil {
        native[line.native] = Tensor(random: shape, seed: seed + UInt64(index))
      }
      let whole = native[line.native]!
      if let rows = line.rows {
        diffusers[line.diffusers] = rows == 0..<shape.rows ? whole : whole.rows(rows)
      } else {
        let half = shape.rows / 2
        diffusers[line.diffusers] = Tensor.stacked([
          whole.rows(half..<2 * half), whole.rows(0..<half),
        ])
      }
    }
    return (native, diffusers)
  }

  private func write(
    _ name: String, _ tensors: [String: Tensor], into folder: borrowing TemporaryFolder
  ) throws -> FilePath {
    try folder.write(
      "\(name).safetensors", tensors.mapValues { EncodedTensor($0, as: .f32) })
  }

  private func expect(
    _ path: FilePath, equals goal: [String: Tensor], _ comment: String
  ) throws {
    let file = try TensorFile(opening: path)
    for (key, tensor) in goal {
      let found = try #require(file.tensors[key], "\(comment): \(key)").tensor()
      // Sums of numbers of size 1 in f32.
      #expect(
        found.squaredDistance(to: tensor).squareRoot() <= 1e-6 * tensor.sumOfSquares.squareRoot(),
        "\(comment): \(key)")
    }
  }

  /// Whatever the layouts of the pair, the adapter takes a base of either layout to the tuned model.
  @Test(arguments: models)
  func restoresTheTunedModel(model: Model) async throws {
    let folder = TemporaryFolder()
    let family = ModelFamily.named(model.family)
    let (base, tuned) = (try weights(model, seed: 1), try weights(model, seed: 5000))
    let bases = [
      try write("base native", base.native, into: folder),
      try write("base diffusers", base.diffusers, into: folder),
    ]
    let goals = [tuned.native, tuned.diffusers]
    let tunedFiles = [
      try write("tuned native", tuned.native, into: folder),
      try write("tuned diffusers", tuned.diffusers, into: folder),
    ]
    for (first, second) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
      let adapter = folder.file("a\(first)\(second).safetensors")
      let report = try await extract(
        bases[first], tunedFiles[second], to: adapter,
        .perModule(linear: .full, convolution: .full), as: family, norms: true)
      #expect(report.leftOut.isEmpty, "\(model) \(first) \(second): \(report.leftOut)")
      let names = try AdapterFile(opening: adapter).modules.map(\.name)
      let keeps = model.keepsNames && (first, second) == (1, 1)
      #expect(names.allSatisfy { $0.hasPrefix(keeps ? "lora_transformer_" : "lora_unet_") })
      if !keeps, !(model.family == "hunyuan-video" && first == 1) {
        let native = try AdapterFile(opening: folder.file("a00.safetensors")).modules.map(\.name)
        #expect(Set(names) == Set(native), "\(model) \(first) \(second)")
      }
      for target in [0, 1] {
        let merged = folder.file("m.safetensors")
        try await merge(bases[target], [Strength(path: adapter)], to: merged, as: family)
        try expect(merged, equals: goals[target], "\(model) \(first) \(second) into \(target)")
      }
    }
  }

  /// A sum of checkpoints of both layouts is that of two of one.
  @Test(arguments: models)
  func sumsAcrossLayouts(model: Model) async throws {
    let folder = TemporaryFolder()
    let family = ModelFamily.named(model.family)
    let (one, two) = (try weights(model, seed: 1), try weights(model, seed: 5000))
    let settings = CheckpointConversionSettings(
      arithmetic: CheckpointArithmetic(ratios: [0.25, 0.75]), threads: 2)
    func sum(_ a: [String: Tensor], _ b: [String: Tensor]) -> [String: Tensor] {
      var sum: [String: Tensor] = [:]
      for (key, tensor) in a { sum[key] = (tensor * 0.25).adding(b[key]!, times: 0.75) }
      return sum
    }
    let output = folder.file("sum.safetensors")
    try await convert(
      [
        try write("one", one.native, into: folder), try write("two", two.diffusers, into: folder),
      ], to: output, as: family, settings)
    try expect(output, equals: sum(one.native, two.native), "\(model) native")
    try await convert(
      [
        try write("three", one.diffusers, into: folder),
        try write("four", two.native, into: folder),
      ], to: output, as: family, settings)
    try expect(output, equals: sum(one.diffusers, two.diffusers), "\(model) diffusers")
  }

  /// An excluded part of a weight that the adapter names as one keeps its rows, and is said to be left out.
  @Test func leavesOutAPartOfAWeight() async throws {
    let folder = TemporaryFolder()
    let model = Model(list: "z-image", family: "z-image")
    let (base, tuned) = (try weights(model, seed: 1), try weights(model, seed: 5000))
    let file = try write("base", base.diffusers, into: folder)
    let report = try await extract(
      file, try write("tuned", tuned.diffusers, into: folder), to: folder.file("a.safetensors"),
      .perModule(linear: .full, convolution: .full), as: ModelFamily.named("z-image"),
      filter: ModuleFilter(exclude: [#".*\.to_k"#]), norms: true)
    let keys = base.diffusers.keys.filter { $0.hasSuffix(".to_k.weight") }
    #expect(!keys.isEmpty)
    #expect(Set(report.leftOut.map(\.key)) == Set(keys))
    var goal = tuned.diffusers
    for key in keys { goal[key] = base.diffusers[key] }
    try await merge(
      file, [Strength(path: folder.file("a.safetensors"))], to: folder.file("m.safetensors"),
      as: ModelFamily.named("z-image"))
    try expect(folder.file("m.safetensors"), equals: goal, "z-image without keys")
  }
}
