import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing
import TorchFiles

/// What torch wrote against what torch loads from it, to the bit.
@Suite struct TorchReadingTests {
  static let folder = Fixtures.path("torch")
  static let names = directoryEntries(folder).filter { name in
    [".pt", ".pth", ".bin", ".ckpt"].contains { name.hasSuffix($0) }
  }

  @Test func thereAreFixtures() { #expect(Self.names.count >= 25) }

  private static let newer = "newer-dtypes-legacy.bin"
  static let twinned = names.filter { $0 != newer } + ["pair/base.ckpt"]

  @Test(arguments: twinned)
  func equalsWhatTorchLoads(_ name: String) throws {
    let file = try TensorFile(opening: Self.folder.appending(FilePath(name).components))
    let twin = try TensorFile(
      opening: Self.folder.appending(FilePath(name + ".safetensors").components))
    #expect(Set(file.tensors.keys) == Set(twin.tensors.keys))
    for (key, view) in twin.tensors {
      let found = try #require(file.tensors[key])
      #expect(found.dtype == view.dtype, "\(key)")
      #expect(found.shape == view.shape, "\(key)")
      #expect(found.stored.bytes == view.stored.bytes, "\(key)")
    }
    #expect(file.metadata == twin.metadata)
    #expect(file.layout == .torch)
  }

  /// Formats that torch writes into the old stream but does not load from it.
  @Test func readsNewFormatsInOldFiles() throws {
    let path = Self.folder.appending(Self.newer)
    let twin = try TensorFile(opening: Self.folder.appending("every-dtype.pt.safetensors"))
    let file = try TensorFile(opening: path)
    #expect(file.tensors.count == 8)
    for (name, view) in file.tensors { #expect(view.stored == twin.tensors[name]?.stored) }
  }

  /// Tensors in row-major order are views of the file; only the others are copied.
  @Test func copiesOnlyScatteredTensors() throws {
    let path = Self.folder.appending("layouts.pt")
    let mapping = try MappedFile(path)
    let file = try TorchFile(parsing: mapping.bytes)
    let scattered = file.tensors.filter { $0.range == nil }.map(\.name)
    #expect(
      Set(scattered) == [
        "transposed", "columns", "stepped", "column", "permuted", "channels_last", "expanded",
        "bytes", "doubles", "tied.transposed", "degenerate",
      ])
    let ranges = Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.name, $0.range) })
    #expect(ranges["tied.a"] == ranges["tied.b"])
    #expect(ranges["rows"]??.lowerBound == ranges["whole"]??.lowerBound.advanced(by: 64))
    // Headers alone need no copy.
    let headers = try TensorFile(opening: path, reading: .headers)
    #expect(headers.tensors.values.filter { !$0.hasData }.map(\.name) == scattered)
  }

  @Test func readsFoldersOfTorchFiles() throws {
    let file = try TensorFile(opening: Self.folder.appending("diffusers"))
    #expect(file.layout == .folder)
    #expect(
      Array(file.tensors.keys) == ["text_encoder/a", "text_encoder/b", "unet/conv.weight"])
    let shards = Set(
      file.tensors.values.compactMap(\.file.lastComponent?.string).filter { $0.contains("-of-") })
    #expect(shards.count == 2)
    // The component `vae` has both formats, and the other one is empty.
    #expect(!file.tensors.keys.contains("vae/w"))
  }
}
