import Checkpoints
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Embeddings into an adapter file and out of it.
@Suite struct EmbeddingBundleTests {
  private func vectors(_ count: Int, _ width: Int, seed: UInt64) -> EncodedTensor {
    EncodedTensor(Tensor(random: [count, width], seed: seed), as: .f32)
  }

  private func adapter(in folder: borrowing TemporaryFolder) throws -> FilePath {
    try folder.write(
      "adapter.safetensors", ["lora_unet_a.diff": vectors(4, 3, seed: 1)])
  }

  private func convert(
    _ input: FilePath, _ bundle: EmbeddingBundle, to output: FilePath
  ) async throws {
    var settings = AdapterConversionSettings(threads: 1)
    settings.bundle = bundle
    let adapter = WeightedAdapter(
      file: try AdapterFile(opening: input), denoiserRatio: 1, textEncoderRatio: 1)
    _ = try await AdapterConversion([adapter], settings: settings)
      .run(writing: output, progress: .silent)
  }

  private func embedding(_ path: FilePath) throws -> EmbeddingBundle.Embedding {
    try EmbeddingBundle.Embedding(TensorFile(opening: path))
  }

  @Test func packsAndUnpacks() async throws {
    let folder = TemporaryFolder()
    let adapter = try adapter(in: folder)
    let contents = [
      "cat": ["emb_params": vectors(2, 768, seed: 2)],
      "dog": ["clip_l": vectors(3, 768, seed: 3), "clip_g": vectors(3, 1280, seed: 4)],
    ]
    let files = try contents.map { try folder.write($0.key + ".safetensors", $0.value) }
    let bundle = folder.file("bundle.safetensors")
    try await convert(
      adapter, EmbeddingBundle(added: try files.map(embedding)), to: bundle)
    let packed = try TensorFile(opening: bundle)
    // Keys that the web UI and ComfyUI look for.
    #expect(
      Set(packed.tensors.keys) == [
        "lora_unet_a.diff", "bundle_emb.cat.string_to_param.*", "bundle_emb.dog.clip_l",
        "bundle_emb.dog.clip_g",
      ])
    #expect(packed.tensors["bundle_emb.dog.clip_g"]!.stored == contents["dog"]!["clip_g"])

    let plain = folder.file("plain.safetensors")
    try await convert(bundle, EmbeddingBundle(isUnpacked: true), to: plain)
    #expect(
      try TensorFile(opening: plain).contents == TensorFile(opening: adapter).contents)
    try EmbeddingBundle.write(
      EmbeddingBundle.embeddings(in: [packed]), to: folder.file("embeddings"))
    for (name, tensors) in contents {
      let file = try TensorFile(opening: folder.file("embeddings/\(name).safetensors"))
      #expect(file.contents == tensors)
    }
  }

  /// Unless it is the same embedding, a name may be used once.
  @Test func refusesNamesThatClash() async throws {
    let folder = TemporaryFolder()
    let adapter = try adapter(in: folder)
    let cat = try folder.write("cat.safetensors", ["emb_params": vectors(2, 8, seed: 2)])
    let other = try folder.write("x/cat.safetensors", ["emb_params": vectors(2, 8, seed: 3)])
    let wide = try folder.write("y/cat.safetensors", ["clip_g": vectors(2, 8, seed: 2)])
    let bundle = folder.file("bundle.safetensors")
    try await convert(
      adapter, EmbeddingBundle(added: [embedding(cat), embedding(cat)]), to: bundle)
    try await convert(bundle, EmbeddingBundle(added: [embedding(cat)]), to: bundle)
    for path in [other, wide] {
      await #expect(throws: BundleError.self) {
        try await convert(
          bundle, EmbeddingBundle(added: [embedding(path)]), to: folder.file("out.safetensors"))
      }
    }
    #expect(!folder.entries.contains("out.safetensors"))
  }

  @Test func refusesWhatIsNoEmbedding() throws {
    let folder = TemporaryFolder()
    let dotted = try folder.write("v1.5.safetensors", ["emb_params": vectors(2, 8, seed: 2)])
    let texts = try [
      (adapter(in: folder), "expected an embedding"), (dotted, "expected a name without dots"),
    ].map { path, text in
      let error = #expect(throws: BundleError.self) { try embedding(path) }
      return ("\(error!)", text)
    }
    for (message, text) in texts { #expect(message.contains(text), "\(message)") }
    let file = try TensorFile(opening: folder.file("adapter.safetensors"))
    #expect(throws: BundleError.self) { try EmbeddingBundle.embeddings(in: [file]) }
  }
}
