import Checkpoints
import ModelFamilies
import Operations
import OrderedCollections
import Patterns
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Several checkpoints made into one.
@Suite struct CheckpointArithmeticTests {
  private func settings(
    _ method: CheckpointArithmetic.Method = .weightedSum, _ ratios: [Float] = []
  ) -> CheckpointConversionSettings {
    CheckpointConversionSettings(
      arithmetic: CheckpointArithmetic(method: method, ratios: ratios), threads: 2)
  }

  /// Sums by torch in float64, rounded once.
  @Test(arguments: [
    ("sum-two", CheckpointArithmetic.Method.weightedSum, [Float(0.6), 0.4], 2),
    ("sum-two", .weightedSum, [0.4], 2), ("sum-three", .weightedSum, [0.5, 0.375, 0.125], 3),
    ("difference", .addDifference, [0.7], 3),
  ])
  func addsUpAsTorch(
    name: String, method: CheckpointArithmetic.Method, ratios: [Float], count: Int
  ) async throws {
    let folder = TemporaryFolder()
    let output = folder.file("out.safetensors")
    let report = try await convert(
      ["a", "b", "c"].prefix(count).map(conversionFixture), to: output, settings(method, ratios))
    let (found, expected) = (
      try TensorFile(opening: output), try TensorFile(opening: conversionFixture(name))
    )
    #expect(Array(found.tensors.keys) == Array(expected.tensors.keys))
    for (key, view) in expected.tensors where view.dtype.isFloatingPoint {
      // f32 sums against float64; 16-bit formats are a step off where that decides a rounding.
      if [.f32, .f64].contains(view.dtype) {
        expectClose(found.tensors[key]!.tensor(), view.tensor(), tolerance: 1e-6, "\(key)")
      } else {
        let step = largestStep(found.tensors[key]!.stored, view.stored)
        #expect(step <= 1, "\(key): \(step) steps of \(view.dtype)")
      }
    }
    let first = try TensorFile(opening: conversionFixture("a"))
    // Integers, and what all have in common, are those of the first, bit for bit.
    for key in ["ids", "mask", "edges.f32", "edges.bf16", "edges.f64"] {
      #expect(found.tensors[key]!.stored == first.tensors[key]!.stored, "\(key)")
    }
    #expect(report.onlyInFirst == 0 && report.notInFirst == 0)
    let titles = ["Model A", "Model B", "Model C"].prefix(count).joined(separator: ", ")
    #expect(found.metadata["modelspec.merged_from"] == titles)
  }

  /// A ratio of 0 leaves a checkpoint out, bit for bit.
  @Test func ratiosOfZeroAndOneCopy() async throws {
    let folder = TemporaryFolder()
    let output = folder.file("out.safetensors")
    for (ratios, name) in [([Float(1), 0], "a"), ([0], "a"), ([1], "b"), ([0, 1], "b")] {
      try await convert(
        ["a", "b"].map(conversionFixture), to: output, settings(.weightedSum, ratios))
      let (found, expected) = (
        try TensorFile(opening: output), try TensorFile(opening: conversionFixture(name))
      )
      for (key, view) in expected.tensors where view.dtype.isFloatingPoint {
        #expect(found.tensors[key]!.stored == view.stored, "\(ratios) \(key)")
      }
    }
    try await convert(
      ["a", "b", "b"].map(conversionFixture), to: output, settings(.addDifference, [0.3]))
    let a = try TensorFile(opening: conversionFixture("a"))
    #expect(try TensorFile(opening: output).contents == a.contents)
  }

  /// What one lacks counts as that of the first; what the first lacks is left out.
  @Test func takesWhatIsMissingFromTheFirst() async throws {
    let folder = TemporaryFolder()
    func write(_ name: String, _ keys: [String], _ seed: UInt64) throws -> FilePath {
      try folder.write(
        name + ".safetensors",
        Dictionary(
          uniqueKeysWithValues: keys.map {
            ($0 + ".weight", EncodedTensor(Tensor(random: [3, 4], seed: seed), as: .f32))
          }))
    }
    let sources = [
      try write("a", ["x", "y", "z"], 1), try write("b", ["x", "y", "w"], 2),
      try write("c", ["x"], 3),
    ]
    let values = (1...3).map { Tensor(random: [3, 4], seed: $0) }
    func sum(_ coefficients: [Float]) -> Tensor {
      var sum = Tensor(zeros: [3, 4])
      for (value, coefficient) in zip(values, coefficients) { sum.add(value, times: coefficient) }
      return sum
    }
    let output = folder.file("out.safetensors")
    let report = try await convert(sources, to: output, settings(.weightedSum, [0.5, 0.3, 0.2]))
    let found = try TensorFile(opening: output)
    #expect(Set(found.tensors.keys) == ["x.weight", "y.weight", "z.weight"])
    expectClose(
      found.tensors["x.weight"]!.tensor(), sum([0.5, 0.3, 0.2]), tolerance: 1e-6, "x")
    expectClose(found.tensors["y.weight"]!.tensor(), sum([0.7, 0.3]), tolerance: 1e-6, "y")
    #expect(found.tensors["z.weight"]!.tensor() == values[0])
    #expect(report.onlyInFirst == 1 && report.notInFirst == 1)
    try await convert(sources, to: output, settings(.addDifference))
    let difference = try TensorFile(opening: output)
    expectClose(difference.tensors["x.weight"]!.tensor(), sum([1, 1, -1]), tolerance: 1e-6, "x")
    #expect(difference.tensors["y.weight"]!.tensor() == values[0])
  }

  /// An inpainting model has five inputs more: they stay as they are.
  @Test func addsToTheFirstInputsOfAnInpaintingModel() async throws {
    let folder = TemporaryFolder()
    let wide = Tensor(random: [8, 9, 3, 3], seed: 1)
    let narrow = [Tensor(random: [8, 4, 3, 3], seed: 2), Tensor(random: [8, 4, 3, 3], seed: 3)]
    let files = try ([wide] + narrow).enumerated().map {
      try folder.write("\($0).safetensors", ["conv_in.weight": EncodedTensor($1, as: .f32)])
    }
    let output = folder.file("out.safetensors")
    try await convert(files, to: output, settings(.addDifference, [0.5]))
    let found = try TensorFile(opening: output).tensors["conv_in.weight"]!.tensor()
    var expected = wide
    for i in 0..<8 {
      for j in 0..<36 {
        expected.elements[i * 81 + j] +=
          0.5 * (narrow[0].elements[i * 36 + j] - narrow[1].elements[i * 36 + j])
      }
    }
    expectClose(found, expected, tolerance: 1e-6, "conv_in")
    for i in 0..<8 {
      #expect(found.elements[i * 81 + 36..<i * 81 + 81] == wide.elements[i * 81 + 36..<i * 81 + 81])
    }
    #expect(throws: CheckpointConversionError.self) {
      try plannedOutputs([files[1], files[0]], settings())
    }
  }

  /// A diffusers folder added to a single file: the same layers under other names.
  @Test func matchesLayersOfAnotherLayout() async throws {
    let folder = TemporaryFolder()
    let base = Fixtures.path("lora/sd1-small/base.ldm.safetensors")
    let first = try TensorFile(opening: base)
    var components: [String: [String: EncodedTensor]] = [:]
    var values: [String: Tensor] = [:]
    for (seed, line) in try fixtureLines("lora/sd1-small/names.tsv").enumerated() {
      let columns = line.split(separator: "\t").map(String.init)
      guard let view = first.tensors[columns[0]], view.dtype.isFloatingPoint else { continue }
      let place = columns[1].split(separator: "/", maxSplits: 1).map(String.init)
      let value = Tensor(random: view.shape, seed: UInt64(seed))
      values[columns[0]] = value
      components[place[0], default: [:]][place[1]] = EncodedTensor(value, as: .f32)
    }
    for (component, tensors) in components {
      try folder.write("other/\(component)/diffusion_pytorch_model.safetensors", tensors)
    }
    try folder.write("other/model_index.json", text: "{}")
    let output = folder.file("out.safetensors")
    let report = try await convert(
      [base, folder.file("other")], to: output, as: .named("sd1"), settings(.weightedSum, [0.25]))
    #expect(report.onlyInFirst == 0 && report.notInFirst == 0)
    let found = try TensorFile(opening: output)
    #expect(values.count > 100)
    for (key, value) in values {
      var expected = first.tensors[key]!.tensor()
      expected.scale(by: 0.75)
      expected.add(value, times: 0.25)
      let dtype = first.tensors[key]!.dtype
      let step = largestStep(found.tensors[key]!.stored, EncodedTensor(expected, as: dtype))
      #expect(step <= 1, "\(key): \(step) steps")
    }
  }

  /// One tensor against the three that another layout keeps of it, and the other way round.
  @Test func matchesRowsOfFusedWeights() async throws {
    let folder = TemporaryFolder()
    let flux = ModelFamily.named("flux")
    let fused = Tensor(random: [24, 8], seed: 1)
    let parts = (2...4).map { Tensor(random: [8, 8], seed: $0) }
    let native = try folder.write(
      "native.safetensors",
      ["double_blocks.0.img_attn.qkv.weight": EncodedTensor(fused, as: .f32)])
    let names = ["to_q", "to_k", "to_v"].map { "transformer_blocks.0.attn.\($0).weight" }
    let split = try folder.write(
      "split.safetensors",
      Dictionary(
        uniqueKeysWithValues: zip(names, parts).map { ($0, EncodedTensor($1, as: .f32)) }))
    var stacked = Tensor(zeros: [24, 8])
    for (index, part) in parts.enumerated() { stacked.replaceRows(from: 8 * index, with: part) }
    func sum(_ a: Tensor, _ b: Tensor) -> Tensor {
      var sum = a
      sum.scale(by: 0.75)
      sum.add(b, times: 0.25)
      return sum
    }
    let output = folder.file("out.safetensors")
    try await convert([native, split], to: output, as: flux, settings(.weightedSum, [0.25]))
    let found = try TensorFile(opening: output).tensors.values[0].tensor()
    expectClose(found, sum(fused, stacked), tolerance: 1e-6, "qkv")
    try await convert([split, native], to: output, as: flux, settings(.weightedSum, [0.25]))
    for (index, (name, part)) in zip(names, parts).enumerated() {
      let found = try TensorFile(opening: output).tensors[name]!.tensor()
      expectClose(
        found, sum(part, fused.rows(8 * index..<8 * index + 8)), tolerance: 1e-6, "\(name)")
    }
  }

  /// Every tensor of one layout of a family has its counterpart in the other.
  @Test(arguments: [("flux1.native", "flux1.diffusers"), ("sd1.unet.diffusers", "sd1.ldm")])
  func matchesWholeModels(first: String, second: String) throws {
    let folder = TemporaryFolder()
    let files = try [first, second].map { try SparseCheckpoint.write($0, in: folder) }
    for sources in [files, files.reversed()] {
      let plan = try CheckpointConversionPlan(
        try sources.map { try BaseModel(opening: $0) }, settings: settings())
      let other = sources[0] == files[0] ? second : first
      // A single file has text encoders and a VAE, too; the last modulation of Flux has its halves in
      // another order in diffusers, so that it is no counterpart.
      let missing = plan.onlyInFirst.filter { key in
        ![
          "cond_stage_model.", "first_stage_model.", "final_layer.adaLN_modulation.1.",
          "norm_out.linear.",
        ].contains { key.hasPrefix($0) }
      }
      #expect(missing == [], "not in \(other)")
    }
  }

  /// Ratios of components and of patterns.
  @Test func ratiosOfParts() throws {
    let folder = TemporaryFolder()
    let (a, b) = (
      try SparseCheckpoint.write("sd1.ldm", in: folder),
      try SparseCheckpoint.write(
        "b.safetensors", KeyList("sd1.ldm").tensors.map { ($0.key, $0.shape.dimensions) },
        in: folder)
    )
    var settings = settings(.weightedSum, [0.5])
    settings.arithmetic.textEncoderRatios = [0.25]
    settings.arithmetic.autoencoderRatios = [0]
    settings.arithmetic.patternRatios = [
      .init(try NamePattern("model.diffusion_model.input_blocks.*"), [0.75]),
      .init(try NamePattern("*.attn1.*"), [0.125]),
      .init(try NamePattern("mid_block.attentions.*"), [0.0625]),
    ]
    let outputs = try plannedOutputs([a, b], settings)
    func made(_ key: String) -> String? { outputs[key]?.made }
    let unet = "model.diffusion_model."
    #expect(made(unet + "output_blocks.0.0.in_layers.2.weight") == "0.5 0.5")
    #expect(made(unet + "input_blocks.0.0.weight") == "0.25 0.75")
    #expect(
      made(unet + "input_blocks.1.1.transformer_blocks.0.attn1.to_q.weight") == "0.875 0.125")
    // The dotted name that adapters give the module.
    #expect(made(unet + "middle_block.1.proj_in.weight") == "0.9375 0.0625")
    #expect(
      made("cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.bias") == "0.75 0.25")
    #expect(made("first_stage_model.decoder.conv_in.weight") == "copied")
    settings.arithmetic = CheckpointArithmetic(ratios: [0.5], mergesDenoiserOnly: true)
    let denoiser = try plannedOutputs([a, b], settings)
    #expect(denoiser[unet + "input_blocks.0.0.weight"]?.made == "0.5 0.5")
    #expect(
      denoiser["cond_stage_model.transformer.text_model.encoder.layers.0.mlp.fc1.bias"]?.made
        == "copied")
  }

  /// One line that says what does not fit.
  @Test func refusesWhatDoesNotFit() throws {
    let folder = TemporaryFolder()
    let (sd1, sdxl) = (
      try SparseCheckpoint.write("sd1.ldm", in: folder),
      try SparseCheckpoint.write("sdxl.sgm", in: folder)
    )
    let other = try folder.write(
      "other.safetensors", ["w.weight": EncodedTensor(Tensor(zeros: [2, 2]), as: .f32)])
    let shape = try folder.write(
      "shape.safetensors",
      ["blocks.1.mlp.weight": EncodedTensor(Tensor(zeros: [16, 39]), as: .f32)])
    let a = conversionFixture("a")
    let cases: [([FilePath], CheckpointConversionSettings, String)] = [
      ([sd1, sdxl], settings(), "expected a checkpoint of sd1"),
      ([a, other], settings(), "no tensor in common"),
      ([a, shape], settings(), "expected shape [16, 40]"),
      ([a, a], settings(.addDifference), "expected three checkpoints"),
      (
        [a, a], settings(.weightedSum, [1, 2, 3]),
        "'--ratio': expected one number or one for each of 2"
      ),
      ([a, a, a], settings(.weightedSum, [0.5]), "'--ratio': expected one number for each of 3"),
    ]
    for (sources, settings, text) in cases {
      let error = try #require(
        throws: CheckpointConversionError.self,
        performing: { try plannedOutputs(sources, settings) })
      #expect("\(error)".contains(text), "\(error)")
      #expect(!"\(error)".contains("\n"))
    }
  }
}
