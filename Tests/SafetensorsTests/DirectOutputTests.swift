import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Files so large that they are written past the page cache.
@Suite struct DirectOutputTests {
  /// Bytes that tell where they belong, so that no two blocks are alike.
  private func bytes(_ count: Int, seed: UInt64) -> [UInt8] {
    var generator = SeededGenerator(seed: seed)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(count + 8)
    while bytes.count < count {
      withUnsafeBytes(of: generator.next()) { bytes += $0 }
    }
    return Array(bytes[..<count])
  }

  /// Tensors that end within blocks and at their ends, appended in parts of any size; shards of which each is large.
  @Test(arguments: [nil, 36 << 20] as [Int?])
  func holdsWhatWasAppended(_ shardSize: Int?) throws {
    let folder = TemporaryFolder()
    let path = folder.file("x.safetensors")
    let sizes = [1, (35 << 20) + 3, 2 << 20, 4095, (33 << 20) + 513]
    let tensors = sizes.enumerated().map { index, size in
      (info: TensorInfo(name: "\(index)", dtype: .u8, shape: [size]), seed: UInt64(index))
    }
    var writer = try SafetensorsWriter.create(
      path, announcing: tensors.map(\.info), shardSize: shardSize)
    for info in writer.order {
      let content = bytes(info.shape.count, seed: tensors.first { $0.info.name == info.name }!.seed)
      var start = 0
      for step in [1, 4096, 100_003, 3 << 20].cycled() where start < content.count {
        let end = min(start + step, content.count)
        try writer.append(info.name, content.span.bytes.extracting(start..<end))
        start = end
        if start == content.count { break }
      }
    }
    let entry = writer.entry
    try writer.finish()
    let file = try TensorFile(opening: entry)
    for (info, seed) in tensors {
      let view = try #require(file.tensors[info.name])
      #expect(Array(copying: view.bytes) == bytes(info.shape.count, seed: seed), "\(info.name)")
    }
    #expect(folder.entries.count == (shardSize == nil ? 1 : 3))
  }

  @Test func leavesNothingWhenAbandoned() throws {
    let folder = TemporaryFolder()
    do {
      var writer = try SafetensorsWriter.create(
        folder.file("x.safetensors"),
        announcing: [TensorInfo(name: "a", dtype: .u8, shape: [40 << 20])])
      let content = bytes(9 << 20, seed: 1)
      try writer.append("a", content.span.bytes)
    }
    #expect(folder.entries == [])
  }
}

extension [Int] {
  /// Its elements again and again.
  fileprivate func cycled() -> some Sequence<Int> {
    sequence(state: 0) { (i: inout Int) -> Int? in
      defer { i += 1 }
      return self[i % self.count]
    }
  }
}
