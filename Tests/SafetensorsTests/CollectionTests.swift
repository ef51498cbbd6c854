import Glibc
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Files as collections of tensors, and tensors that are written as such.
@Suite struct CollectionTests {
  private static let tensors = [
    "b": EncodedTensor(Tensor([2], [1, 2]), as: .bf16),
    "a": EncodedTensor(Tensor([2, 1], [3, 4]), as: .bf16),
    "c": EncodedTensor(Tensor([], [5]), as: .f32),
  ]

  @Test func isInTheOrderOfTheData() throws {
    let folder = TemporaryFolder()
    let file = try TensorFile(opening: folder.write("x.safetensors", Self.tensors))
    #expect(file.map(\.name) == ["c", "a", "b"])
    #expect(file.count == 3)
    #expect(file[1].name == "a")
    #expect(file["b"]?.tensor().elements == [1, 2])
    #expect(file["d"] == nil)
  }

  @Test func copiesTensorsAndWritesNewOnes() throws {
    let folder = TemporaryFolder()
    let file = try TensorFile(opening: folder.write("x.safetensors", Self.tensors))
    var writer = try SafetensorsWriter.create(
      folder.file("y.safetensors"), announcing: file.map(\.info))
    for info in writer.order {
      if let tensor = Self.tensors[info.name], info.name == "a" {
        try writer.append(info.name, tensor)
      } else {
        try writer.append(try #require(file[info.name]))
      }
    }
    try writer.finish()
    #expect(contents(folder.file("y.safetensors")) == contents(folder.file("x.safetensors")))
  }

  /// As many bytes, of another format or shape.
  @Test func trapsWhereATensorIsNotTheAnnouncedOne() async {
    await #expect(processExitsWith: .failure) { try append(.f16, [2]) }
    await #expect(processExitsWith: .failure) { try append(.bf16, [1, 2]) }
    await #expect(processExitsWith: .success) {
      try append(.bf16, [2])
      exit(0)
    }
  }
}

/// One tensor of bf16 `[2]` is announced.
private func append(_ dtype: DType, _ shape: Shape) throws {
  let folder = TemporaryFolder()
  var writer = try SafetensorsWriter.create(
    folder.file("x.safetensors"),
    announcing: [TensorInfo(name: "x", dtype: .bf16, shape: [2])])
  try writer.append("x", EncodedTensor(dtype, shape, [0, 0, 0, 0]))
  try writer.finish()
}
