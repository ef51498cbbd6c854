import Checkpoints
import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

@Suite struct HashTests {
  /// FIPS 180-2 appendix B, and the empty message.
  static let vectors: [(message: String, digest: String)] = [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (
      "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    ),
    (
      String(repeating: "a", count: 1_000_000),
      "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
    ),
  ]

  @Test(arguments: vectors)
  func knowsTheVectors(message: String, digest: String) {
    let bytes = Array(message.utf8)
    let whole = SHA256()
    whole.update(bytes.span.bytes)
    #expect(whole.finish() == digest)
    let pieces = SHA256()
    let middle = bytes.count / 3
    pieces.update(bytes.span.bytes.extracting(0..<middle))
    pieces.update(bytes.span.bytes.extracting(middle..<bytes.count))
    #expect(pieces.finish() == digest)
  }

  struct Expected: Sendable, CustomTestStringConvertible {
    let file: String
    let model: String
    /// With the metadata of the file, and with `tagged` in their place.
    let legacy: (own: String, tagged: String)
    var testDescription: String { file }
  }

  /// kohya's definition (sd-scripts, `precalculate_safetensors_hashes`), over files that the Python
  /// library wrote; the first is larger than 1 MiB, where the legacy hash is not that of nothing:
  ///
  ///     m = {k: v for k, v in metadata.items() if k.startswith("ss_")}
  ///     b = io.BytesIO(safetensors.torch.save(safetensors.torch.load_file(path), m))
  ///     b.seek(int.from_bytes(b.read(8), "little") + 8); sha256(b.read()).hexdigest()
  ///     b.seek(0x100000); sha256(b.read(0x10000)).hexdigest()[:8]
  static let expected = [
    Expected(
      file: "real/chgnet/base",
      model: "bbc949fbffbffb4a9d91671d642b792e18048009ac7faee30e60c8765f631b99",
      legacy: ("c7cc6f0f", "b86584cd")),
    Expected(
      file: "real/waifu2x-cunet/base",
      model: "fcf55669c9060044a74c718e1efd542e42ca1a6e47ae44a731719ab3b8cff12b",
      legacy: ("a69217e4", "54ae76a7")),
    Expected(
      file: "real/fashion-ddpm/trained-lora-r4",
      model: "07f535ed8bd563b4f3434cd192dc22fd0bba1843eb5ba98aa305f62f53bad9a6",
      legacy: ("e3b0c442", "e3b0c442")),
    Expected(
      file: "lora/sd1-small/kohya",
      model: "88ed7928baf4bf8d047ebca8c7b6ec333bf2bd69d0fd3544fd5965c81c31cd0e",
      legacy: ("e3b0c442", "e3b0c442")),
  ]
  static let tagged = ["ss_tag": "ä", "title": "x"]

  @Test(arguments: expected)
  func hashesAsKohya(expected: Expected) throws {
    let file = try TensorFile(opening: Fixtures.path("\(expected.file).safetensors"))
    func hash(_ metadata: [String: String]) -> ModelHash {
      ModelHash(of: file.tensors.values, metadata: metadata)
    }
    #expect(hash(file.metadata).model == expected.model)
    #expect(hash(file.metadata).legacy == expected.legacy.own)
    #expect(hash(Self.tagged).model == expected.model)
    #expect(hash(Self.tagged).legacy == expected.legacy.tagged)
  }

  /// Where the header itself reaches into the range of the legacy hash.
  @Test func hashesALongHeader() throws {
    let folder = TemporaryFolder()
    let tensors = ["a": EncodedTensor(Tensor(random: [9], seed: 1), as: .f32)]
    let metadata = ["ss_long": String(repeating: "x", count: 0x100800)]
    let path = try folder.write("a.safetensors", tensors, metadata: metadata)
    let bytes = try contents(of: path)
    let digest = SHA256()
    digest.update(bytes.span.bytes.extracting(0x100000..<bytes.count))
    let expected = String(digest.finish().prefix(8))
    let hash = ModelHash(
      of: tensors.map { TensorView($0, $1, from: path) }, metadata: metadata)
    #expect(hash.legacy == expected)
  }
}
