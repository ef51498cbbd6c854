import Glibc
import OrderedCollections
import Safetensors
import SystemPackage
import TestSupport
import Testing

/// Folders as diffusers saves them.
@Suite struct FolderTests: ~Copyable {
  private let folder = TemporaryFolder()

  private func put(_ path: String, _ names: String...) throws {
    let file = folder.file(path)
    mkdir(file.removingLastComponent().string, 0o700)
    var tensors = sample()
    for name in names { tensors.merge(sample(name)) { first, _ in first } }
    try save(tensors, to: file, metadata: ["format": path])
  }

  private func keys(_ path: String = "") throws -> [String] {
    Array(try TensorFile(opening: folder.file(path)).tensors.keys)
  }

  @Test func opensComponents() throws {
    try put("vae/diffusion_pytorch_model.safetensors", "v")
    try put("unet/diffusion_pytorch_model.safetensors", "u")
    try put("unet/diffusion_pytorch_model.fp16.safetensors", "half")
    try put("text_encoder/model.fp16.safetensors", "t")
    mkdir(folder.file("scheduler").string, 0o700)
    try write(Array("{}".utf8), to: folder.file("model_index.json"))
    let file = try TensorFile(opening: folder.path)
    #expect(file.layout == .folder)
    #expect(Array(file.tensors.keys) == ["text_encoder/t", "unet/u", "vae/v"])
    #expect(file.metadata == ["format": "text_encoder/model.fp16.safetensors"])
    #expect(file.tensors["vae/v"]?.name == "vae/v")
    #expect(octets(file.tensors["vae/v"]) == sample("v").first?.value)
    #expect(try keys("unet") == ["u"])
  }

  @Test func opensShardedComponents() throws {
    mkdir(folder.file("transformer").string, 0o700)
    try save(
      sample("a", "b"), to: folder.file("transformer/diffusion_pytorch_model.safetensors"),
      shardSize: 4)
    #expect(try keys() == ["transformer/a", "transformer/b"])
  }

  @Test func opensTheOnlyFileOfAFolder() throws {
    try put("anything.safetensors", "a")
    #expect(try keys() == ["a"])
    #expect(try TensorFile(opening: folder.path).layout == .single)
  }

  /// A repository may hold a single file and components side by side.
  @Test func prefersComponentsWhereAModelIndexNamesThem() throws {
    try put("single.safetensors", "a")
    try put("unet/diffusion_pytorch_model.safetensors", "u")
    #expect(try keys() == ["a"])
    try write(Array("{}".utf8), to: folder.file("model_index.json"))
    #expect(try keys() == ["unet/u"])
  }
}
