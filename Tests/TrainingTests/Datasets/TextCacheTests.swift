import Machine
import Pipelines
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Files of what text encoders make of captions.
struct TextCacheTests {
  private func layout(_ identity: String = "encoders-1") -> KeptText {
    KeptText(
      ending: "_te_outputs.npz", arrays: [("hidden_state1", [77, 4]), ("pool2", [nil])],
      identity: identity)
  }

  private func cache(
    _ folder: borrowing ImageFolder, _ identity: String = "encoders-1", trusts: Bool = false,
    _ change: (inout DatasetDefaults) -> Void = { _ in }
  ) throws -> TextCache {
    TextCache(of: try folder.set(change), layout(identity), trustsDisk: trusts)
  }

  private func text(_ value: Float) -> [String: Tensor] {
    [
      "hidden_state1": Tensor([77, 4], [Float](repeating: value, count: 308)),
      "pool2": Tensor([3], [value, 2, 3]),
    ]
  }

  /// The same in the order of the layout.
  private func arrays(_ value: Float) -> [Tensor] {
    text(value).sorted { $0.key < $1.key }.map(\.value)
  }

  private func fill(_ cache: TextCache) throws {
    for (index, image) in try cache.missing().enumerated() {
      try cache.write(arrays(Float(index + 1)), of: image)
    }
  }

  private func folder(_ count: Int = 2) throws -> ImageFolder {
    let folder = ImageFolder()
    for i in 0..<count { try folder.image("\(i).png", caption: "caption \(i)") }
    return folder
  }

  @Test func whatIsWrittenIsRead() throws {
    let folder = try folder()
    let cache = try cache(folder)
    #expect(try cache.missing().map(\.caption) == ["caption 0", "caption 1"])
    try fill(cache)
    #expect(try cache.missing().isEmpty)
    #expect(
      directoryEntries(folder.path).filter { $0.hasSuffix("npz") } == [
        "0_te_outputs.npz", "1_te_outputs.npz",
      ])
    #expect(try cache.read(TrainingSet.Place(index: 1, isValidation: false)) == text(2))
  }

  /// Of another caption, of other encoders, and cut short.
  @Test func ownFilesAreMadeAnew() throws {
    let folder = try folder()
    try fill(cache(folder))
    #expect(try cache(folder, "encoders-2").missing().count == 2)
    #expect(try cache(folder, "encoders-2", trusts: true).missing().isEmpty)
    #expect(try cache(folder) { $0.values.captionPrefix = "a" }.missing().count == 2)
    try folder.folder.write("0.caption", text: "another")
    #expect(try cache(folder).missing().map(\.caption) == ["another"])
    let path = folder.folder.file("1_te_outputs.npz")
    try folder.bytes("1_te_outputs.npz", Array(contents(of: path).dropLast(90)))
    var notes: [String] = []
    #expect(try cache(folder).missing { notes.append($0) }.count == 2)
    #expect(notes.count == 1 && notes[0].contains("the cache is made anew"))
  }

  /// As sd-scripts wrote them: they say nothing of their caption, and are taken if they fit.
  @Test func foreignFilesAreTaken() throws {
    let folder = try folder(1)
    let path = folder.folder.file("0_te_outputs.npz")
    func write(_ arrays: [String: Tensor]) throws {
      try NumpyArchive(arrays.sorted { $0.key < $1.key }.map { ($0.key, NumpyArray($0.value)) })
        .write(to: path)
    }
    try write(text(5))
    let cache = try cache(folder)
    #expect(try cache.missing().isEmpty)
    #expect(try cache.read(TrainingSet.Place(index: 0, isValidation: false)) == text(5))
    var arrays = text(5)
    arrays["hidden_state1"] = Tensor([77, 3], [Float](repeating: 0, count: 231))
    try write(arrays)
    #expect(
      message { _ = try cache.missing() }
        == "\(path): expected a cache of array 'hidden_state1' [77, 4], found [77, 3]; remove it to have it made anew"
    )
    arrays["hidden_state1"] = nil
    try write(arrays)
    #expect(message { _ = try cache.missing() }.contains("found arrays 'pool2'"))
    try write(["hidden_state1": text(.nan)["hidden_state1"]!, "pool2": text(1)["pool2"]!])
    #expect(message { _ = try cache.missing() }.contains("finite numbers in 'hidden_state1'"))
  }

  @Test func twoCaptionsDoNotShareAFile() throws {
    let folder = try folder(1)
    try folder.image("0.jpg", "rgb.png")
    #expect(try cache(folder).missing().count == 1, "one caption file is that of both")
    let text = """
      [[datasets]]
      resolution = 32
      [[datasets.subsets]]
      image_dir = "\(folder.path)"
      [[datasets]]
      resolution = 64
      [[datasets.subsets]]
      image_dir = "\(folder.path)"
      caption_prefix = "a "
      """
    var defaults = DatasetDefaults()
    defaults.configuration = try folder.folder.write("set.toml", text: text)
    let set = try TrainingSet(DatasetConfiguration(defaults, latents: .small), seed: 1)
    let shared = TextCache(of: set, layout(), trustsDisk: false)
    #expect(
      message { _ = try shared.missing() }.contains("two images that would share it"))
  }

  @Test func numbersThatAreNoneAreRefused() throws {
    let folder = try folder(1)
    let cache = try cache(folder)
    let missing = try #require(try cache.missing().first)
    #expect(
      message { try cache.write(arrays(.infinity), of: missing) }.contains(
        "NaN or infinity of 'caption 0'"))
    #expect(try cache.missing().count == 1)
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "no error"
    } catch { return "\(error)" }
  }
}
