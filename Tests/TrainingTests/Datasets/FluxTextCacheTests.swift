import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Pipelines
@testable import Training

/// Files of what the text encoders of Flux.1 make of captions, as sd-scripts has them.
struct FluxTextCacheTests {
  private static let oracle = Fixtures.path("training/oracles/flux-dev")

  private func cache(
    masked: Bool, encoders: String? = nil, length: Int? = nil, in folder: FilePath
  ) throws -> TextCache {
    let base = try BaseModel(
      TensorFile(opening: Self.oracle.appending("model.safetensors.zst")), as: .named("flux"))
    var settings = ModelSettings(base: base.file.path)
    settings.appliesT5Mask = masked
    settings.t5MaxTokenLength = length
    let layout = try #require(try FluxPipeline.textLayout(of: base, settings))
    var defaults = DatasetDefaults()
    defaults.trainFolder = folder
    defaults.values.resolution = Resolution(48, 32)
    defaults.values.captionExtension = ".txt"
    let latents = try #require(ModelFamily.named("flux")?.latents)
    return TextCache(
      of: try TrainingSet(DatasetConfiguration(defaults, latents: latents), seed: 1),
      KeptText(
        ending: layout.ending, arrays: layout.arrays, integers: layout.integers,
        zeros: layout.zeros, statements: layout.statements, asked: layout.asked,
        identity: encoders),
      trustsDisk: false)
  }

  private func images(withText: Bool, in folder: borrowing TemporaryFolder) throws {
    for stem in ["a", "b"] {
      for ending in [".png", ".txt"] + (withText ? ["_flux_te.npz"] : []) {
        try folder.write(
          stem + ending, bytes: contents(of: Self.oracle.appending("images/\(stem)\(ending)")))
      }
    }
  }

  /// Of the same format, extents and names as theirs, and what is read of them is the same.
  @Test func filesAreThoseOfSdScripts() throws {
    let theirs = TemporaryFolder()
    let ours = TemporaryFolder()
    try images(withText: true, in: theirs)
    try images(withText: false, in: ours)
    let source = try cache(masked: false, in: theirs.path)
    #expect(try source.missing().isEmpty)
    let target = try cache(masked: false, encoders: "encoders", in: ours.path)
    let missing = try target.missing()
    #expect(missing.map(\.caption) == ["caption 0", "caption 1"])
    for (index, image) in missing.enumerated() {
      let place = TrainingSet.Place(index: index, isValidation: false)
      let read = try source.read(place)
      #expect(
        read["t5_attn_mask"]?.elements == [1, 1, 1, 1, index == 0 ? 0 : 1, index == 0 ? 0 : 1, 0])
      try target.write(["l_pooled", "t5_out", "t5_attn_mask"].map { read[$0]! }, of: image)
      #expect(try target.read(place) == read)
    }
    #expect(try target.missing().isEmpty)
    for stem in ["a", "b"] {
      let (their, our) = (
        try NumpyArchive(reading: theirs.file("\(stem)_flux_te.npz")),
        try NumpyArchive(reading: ours.file("\(stem)_flux_te.npz"))
      )
      #expect(Set(our.arrays.map(\.name)) == Set(their.arrays.map(\.name)).union(["lyco"]))
      for (name, array) in their.arrays { #expect(our[name] == array, "\(name)") }
    }
  }

  /// What is kept counts, whatever is asked for now; that is said once.
  @Test func aLengthThatWasNotAskedFor() throws {
    let folder = TemporaryFolder()
    try images(withText: true, in: folder)
    func notes(_ length: Int?) throws -> [String] {
      var notes: [String] = []
      let cache = try cache(masked: false, length: length, in: folder.path)
      #expect(try cache.missing { notes.append($0) }.isEmpty)
      #expect(
        try cache.read(.init(index: 0, isValidation: false))["t5_out"]?.shape == [7, 24])
      return notes
    }
    #expect(
      try notes(12) == [
        "\(folder.file("a_flux_te.npz")): 't5_out' has 7 rows, and '--t5xxl_max_token_length' asks for 12, as in 1 other "
          + "files: what is kept counts; without the files it would be made anew"
      ])
    #expect(try notes(7).isEmpty && notes(nil).isEmpty)
  }

  /// T5 sees padding or does not, and a file says which.
  @Test func aMaskThatWasNotAskedFor() throws {
    let folder = TemporaryFolder()
    try images(withText: true, in: folder)
    let text = message { _ = try cache(masked: true, in: folder.path).missing() }
    #expect(
      text.hasSuffix(
        "a_flux_te.npz: expected a cache of text encoded with '--apply_t5_attn_mask', found 'apply_t5_attn_mask' "
          + "False: leave out the option; remove it to have it made anew"), "\(text)")
    // Our own is made anew.
    let ours = TemporaryFolder()
    try images(withText: false, in: ours)
    let first = try cache(masked: false, encoders: "encoders", in: ours.path)
    for image in try first.missing() {
      try first.write(
        [Tensor(zeros: [12]), Tensor(zeros: [7, 24]), Tensor(zeros: [7])], of: image)
    }
    #expect(try cache(masked: true, encoders: "encoders", in: ours.path).missing().count == 2)
  }
}
