import Glibc
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@Suite struct CompressionTests {
  @Test func roundTrips() throws {
    let folder = TemporaryFolder()
    let path = folder.file("x.safetensors.zst")
    let tensors = sample("a", "b", count: 1_500_000)
    try save(tensors, to: path, metadata: ["k": "v"])
    #expect(contents(path).count < 100_000)
    let file = try TensorFile(opening: path)
    #expect(file.layout == .compressed)
    #expect(file.metadata == ["k": "v"])
    #expect(SafetensorsTests.tensors(of: file) == tensors)
    #expect(folder.entries == ["x.safetensors.zst"])
  }

  /// Other tools read it, and it holds what an uncompressed file would.
  @Test func unpacksToThePlainFile() throws {
    let folder = TemporaryFolder()
    try save(sample("a", "b", count: 100_000), to: folder.file("x.safetensors"))
    try save(sample("a", "b", count: 100_000), to: folder.file("y.safetensors.zst"))
    guard system("zstd -qd \(folder.file("y.safetensors.zst"))") == 0 else {
      withKnownIssue("no zstd command") { Issue.record("not compared") }
      return
    }
    #expect(contents(folder.file("y.safetensors")) == contents(folder.file("x.safetensors")))
  }

  /// The content decides, not the name.
  @Test func recognizesCompressionByContent() throws {
    let folder = TemporaryFolder()
    try save(sample("a"), to: folder.file("x.safetensors.zst"))
    rename(folder.file("x.safetensors.zst").string, folder.file("x.safetensors").string)
    let file = try TensorFile(opening: folder.file("x.safetensors"))
    #expect(file.layout == .compressed)
    #expect(octets(file.tensors["a"]) == sample("a").first?.value)
  }

  /// Headers need no room for the data: this frame would unpack to far more than it has.
  @Test func readsHeadersWithoutUnpacking() throws {
    let path = Fixtures.path("broken/data-cut-short.safetensors.zst")
    let file = try TensorFile(opening: path, reading: .headers)
    #expect(file.tensors["a"]?.info == TensorInfo(name: "a", dtype: .f32, shape: [1]))
  }

  @Test func compressesShards() throws {
    let folder = TemporaryFolder()
    try save(sample("a", "b"), to: folder.file("x.safetensors.zst"), shardSize: 4)
    #expect(
      folder.entries == [
        "x-00001-of-00002.safetensors.zst", "x-00002-of-00002.safetensors.zst",
        "x.safetensors.index.json",
      ])
    let file = try TensorFile(opening: folder.path)
    #expect(SafetensorsTests.tensors(of: file) == sample("a", "b"))
  }

  /// Nothing may remain in the folder for temporary files.
  @Test func unpacksToAnUnnamedFile() async {
    await #expect(processExitsWith: .success) {
      let folder = TemporaryFolder()
      mkdir(folder.file("tmp").string, 0o700)
      setenv("TMPDIR", folder.file("tmp").string, 1)
      try save(sample("a"), to: folder.file("x.safetensors.zst"))
      let file = try TensorFile(opening: folder.file("x.safetensors.zst"))
      #expect(octets(file.tensors["a"]) == sample("a").first?.value)
      #expect(directoryEntries(folder.file("tmp")).isEmpty)
      setenv("TMPDIR", "/no/such", 1)
      let error = #expect(throws: SafetensorsError.self) {
        try TensorFile(opening: folder.file("x.safetensors.zst"))
      }
      #expect(error == .io("/no/such", .create, .noSuchFileOrDirectory))
    }
  }
}
