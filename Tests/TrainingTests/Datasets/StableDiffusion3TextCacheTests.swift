import Checkpoints
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Pipelines
@testable import Training

/// Files of what the text encoders of Stable Diffusion 3 make of captions, as sd-scripts has them.
struct StableDiffusion3TextCacheTests {
  private static let oracle = Fixtures.path("training/oracles/sd3-medium")
  /// Numbers of the oracle's caches that are taken for CLIP-L's.
  private static let left = (columns: 8, pooled: 9)

  private func cache(
    _ encoders: [String], in folder: FilePath, _ change: (inout ModelSettings) -> Void = { _ in }
  ) throws -> TextCache {
    let base = try BaseModel(
      TensorFile(opening: Self.oracle.appending("model.safetensors.zst")), as: .named("sd3"))
    var settings = ModelSettings(base: base.file.path)
    change(&settings)
    let layout = try #require(try StableDiffusion3Pipeline.textLayout(of: base, settings))
    var defaults = DatasetDefaults()
    defaults.trainFolder = folder
    defaults.values.resolution = Resolution(64, 48)
    defaults.values.captionExtension = ".txt"
    let latents = try #require(ModelFamily.named("sd3")?.latents)
    return TextCache(
      of: try TrainingSet(DatasetConfiguration(defaults, latents: latents), seed: 1),
      KeptText(
        ending: layout.ending, arrays: layout.arrays, limits: layout.limits,
        arranged: { StableDiffusion3Pipeline.kept($1, of: $0, encoders, (text: 24, pooled: 20)) },
        integers: layout.integers, statements: layout.statements,
        identity: encoders.isEmpty ? nil : encoders.joined()),
      trustsDisk: false)
  }

  private func images(withText: Bool, in folder: borrowing TemporaryFolder) throws {
    for stem in ["a", "b"] {
      for ending in [".png", ".txt"] + (withText ? ["_sd3_te.npz"] : []) {
        try folder.write(
          stem + ending, bytes: contents(of: Self.oracle.appending("images/\(stem)\(ending)")))
      }
    }
  }

  /// What is kept of a caption, as encoders make it: rows and the vector parted between both CLIP encoders.
  private func encoded(_ kept: [String: Tensor]) -> [Tensor] {
    func columns(_ name: String, _ range: Range<Int>) -> Tensor {
      let tensor = kept[name]!
      let width = tensor.shape.columns
      let rows = tensor.count / width
      let elements = (0..<rows).flatMap { row in range.map { tensor.elements[row * width + $0] } }
      return Tensor(Shape(tensor.shape.dimensions.dropLast() + [range.count]), elements)
    }
    return [
      columns("lg_out", 0..<Self.left.columns),
      Tensor([Self.left.pooled], Array(kept["lg_pooled"]!.elements[..<Self.left.pooled])),
      columns("lg_out", Self.left.columns..<18),
      Tensor([20 - Self.left.pooled], Array(kept["lg_pooled"]!.elements[Self.left.pooled...])),
      kept["t5_out"]!, kept["t5_attn_mask"]!,
    ]
  }

  /// Of the same format, extents and names as theirs, and what is read of them is the same.
  @Test func filesAreThoseOfSDScripts() throws {
    let theirs = TemporaryFolder()
    let ours = TemporaryFolder()
    try images(withText: true, in: theirs)
    try images(withText: false, in: ours)
    let source = try cache([], in: theirs.path)
    #expect(try source.missing().isEmpty)
    let target = try cache(["te1", "te2", "te3"], in: ours.path)
    for (index, image) in try target.missing().enumerated() {
      let read = try source.read(TrainingSet.Place(index: index, isValidation: false))
      try target.write(encoded(read), of: image)
    }
    #expect(try target.missing().isEmpty)
    for stem in ["a", "b"] {
      let (their, our) = (
        try NumpyArchive(reading: theirs.file("\(stem)_sd3_te.npz")),
        try NumpyArchive(reading: ours.file("\(stem)_sd3_te.npz"))
      )
      #expect(Set(our.arrays.map(\.name)) == Set(their.arrays.map(\.name)).union(["lyco"]))
      for (name, array) in their.arrays where !name.hasPrefix("clip_") {
        #expect(our[name] == array, "\(name)")
      }
      // "caption 0" and two marks: theirs are as short as their rows, ours are those of CLIP.
      for name in ["clip_l_attn_mask", "clip_g_attn_mask"] {
        let mask = try #require(our[name])
        #expect(mask.kind == .int64 && mask.shape == [77])
        #expect(mask.numbers == Array(repeating: 1, count: 4) + Array(repeating: 0, count: 73))
      }
    }
  }

  /// Zeros stand for T5 where there is none, as many rows as sd-scripts shows the model then.
  @Test func withoutT5() throws {
    let folder = TemporaryFolder()
    try images(withText: false, in: folder)
    let cache = try cache(["te1", "te2"], in: folder.path)
    let image = try #require(try cache.missing().first)
    let (rows, whole) = (Tensor(random: [77, 9], seed: 1), Tensor(random: [10], seed: 2))
    try cache.write([rows, whole, rows, whole], of: image)
    let read = try cache.read(TrainingSet.Place(index: 0, isValidation: false))
    #expect(read["t5_out"] == Tensor(zeros: [77, 24]))
    #expect(read["t5_attn_mask"] == Tensor(zeros: [77]))
    #expect(
      read["lg_out"]?.shape == [77, 18]
        && read["lg_pooled"]?.elements == whole.elements + whole.elements)
  }

  /// Padding is seen or not, and a file says which of both encoders saw it.
  @Test func masksThatWereNotAskedFor() throws {
    let ours = TemporaryFolder()
    try images(withText: false, in: ours)
    let encoders = ["te1", "te2"]
    let first = try cache(encoders, in: ours.path)
    let (rows, whole) = (Tensor(random: [77, 9], seed: 1), Tensor(random: [10], seed: 2))
    for image in try first.missing() { try first.write([rows, whole, rows, whole], of: image) }
    #expect(try cache(encoders, in: ours.path).missing().isEmpty)
    for change in [\ModelSettings.appliesCLIPMask, \.appliesT5Mask] {
      #expect(
        try cache(encoders, in: ours.path) { $0[keyPath: change] = true }.missing().count == 2)
    }
  }
}
