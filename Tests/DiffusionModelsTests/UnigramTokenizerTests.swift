import DiffusionModels
import Foundation
import OrderedCollections
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Against transformers' tokenizers of T5; `scripts/fixtures/training/make-unigram-fixture.py` wrote what they make.
@Suite struct UnigramTokenizerTests {
  /// Which golden tokens are those of a file.
  static let files = [
    ("tokenizer.json", "tokenizer"), ("converted.json", "converted"), ("spiece.model", "converted"),
  ]

  static func fixture() throws -> TensorFile {
    try TensorFile(opening: Fixtures.path("training/models/unigram.safetensors.zst"))
  }

  /// The file as it lies beside a model.
  static func tokenizer(
    _ name: String, of fixture: TensorFile, in folder: borrowing TemporaryFolder
  ) throws -> UnigramTokenizer {
    let bytes = try #require(fixture.tensors[name]).stored.bytes
    let ending = name.hasSuffix("json") ? "tokenizer.json" : name
    let path = folder.file(ending)
    try Data(bytes).write(to: URL(fileURLWithPath: path.string))
    return try UnigramTokenizer(reading: path)
  }

  /// A mark that is none would be found everywhere.
  @Test func marksAreOneCharacter() throws {
    let folder = TemporaryFolder()
    let bytes = try #require(try Self.fixture().tensors["tokenizer.json"]).stored.bytes
    let text = String(decoding: bytes, as: UTF8.self)
    let path = folder.file("tokenizer.json")
    let changed = text.replacing("\"replacement\":\"▁\"", with: "\"replacement\":\"\"")
    try #require(changed != text)
    try changed.write(toFile: path.string, atomically: true, encoding: .utf8)
    let error = #expect(throws: ModelLoadingError.self) { try UnigramTokenizer(reading: path) }
    #expect("\(error as Any)".contains("one character in 'replacement'"))
  }

  static func captions() throws -> [String] {
    let file = try TensorFile(opening: Fixtures.path("training/models/captions.safetensors.zst"))
    let text = try #require(file.tensors["text"]).stored.bytes
    var start = 0
    return try #require(file.tensors["text.lengths"]).tensor().elements.map { length in
      defer { start += Int(length) }
      return String(decoding: text[start..<start + Int(length)], as: UTF8.self)
    }
  }

  static func integers(_ file: TensorFile, _ key: String) throws -> [Int] {
    let bytes = try #require(file.tensors[key]).stored.bytes
    return bytes.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: 4).map {
        Int(bytes.loadUnaligned(fromByteOffset: $0, as: UInt32.self))
      }
    }
  }

  /// FNV-1a of numbers of 32 bits.
  static func hash(_ tokens: [Int]) -> Int {
    var hash: UInt32 = 0x811C_9DC5
    for token in tokens {
      for shift in stride(from: 0, to: 32, by: 8) {
        hash = (hash ^ UInt32(token >> shift & 0xFF)) &* 0x0100_0193
      }
    }
    return Int(hash)
  }

  /// In many scripts, with emoji, marks to combine, odd white space and words of several hundred letters.
  @Test(arguments: files)
  func tenThousandCaptions(file: String, golden: String) throws {
    let fixture = try Self.fixture()
    let folder = TemporaryFolder()
    let tokenizer = try Self.tokenizer(file, of: fixture, in: folder)
    let captions = try Self.captions()
    #expect(captions.count == 10000)
    let hashes = try Self.integers(fixture, "hashes.\(golden)")
    let lengths = try Self.integers(fixture, "lengths.\(golden)")
    let tokens = try Self.integers(fixture, "tokens.\(golden)")
    var (wrong, start) = ([String](), 0)
    for (index, caption) in captions.enumerated() {
      let found = tokenizer.tokens(caption)
      if index < lengths.count {
        let expected = Array(tokens[start..<start + lengths[index]])
        start += lengths[index]
        if found != expected {
          wrong.append("\(caption.debugDescription): \(found), expected \(expected)")
        }
      } else if Self.hash(found) != hashes[index] {
        wrong.append("\(caption.debugDescription): \(found)")
      }
    }
    #expect(wrong.isEmpty, "\(wrong.count) differ:\n\(wrong.prefix(5).joined(separator: "\n"))")
  }

  @Test func rowsAreCutBeforeTheEndMark() throws {
    let fixture = try Self.fixture()
    let folder = TemporaryFolder()
    let tokenizer = try Self.tokenizer("tokenizer.json", of: fixture, in: folder)
    let hashes = try Self.integers(fixture, "truncated")
    for (caption, hash) in zip(try Self.captions(), hashes) {
      let (row, count) = tokenizer.row(caption, length: 16)
      #expect(row.count == 16 && Self.hash(Array(row.prefix(count))) == hash, "\(caption)")
      #expect(row[count - 1] == 1 && row[count...].allSatisfy { $0 == 0 })
    }
    #expect(tokenizer.tokenCount == 2100)
    let (row, count) = tokenizer.row("", length: 3)
    #expect(row == [1, 0, 0] && count == 1)
  }

  /// Whatever is cut off or changed is refused in one line, or read.
  @Test func damagedFiles() throws {
    let fixture = try Self.fixture()
    let bytes = try #require(fixture.tensors["spiece.model"]).stored.bytes
    for length in [0, 1, 2, 7, 100, 5000, bytes.count / 2, bytes.count - 1] {
      #expect(throws: TokenizerError.self, "\(length) bytes") {
        try SentencePieceModel(Array(bytes.prefix(length))).tokenizer()
      }
    }
    #expect(throws: TokenizerError.self) { try CharacterMap([8, 0, 0, 0, 1, 2, 3, 4]) }
    #expect(throws: TokenizerError.self) { try CharacterMap([4, 0, 0, 0, 1, 2, 3, 4, 65]) }
    // Units that lead nowhere.
    let map = try CharacterMap([4, 0, 0, 0, 0xFF, 0xFF, 0xFF, 0x7F, 0])
    let tokenizer = UnigramTokenizer(
      try UnigramVocabulary([("a", 0)], unknown: 0), rules: [.map(map)], splits: [], marks: [],
      ending: [])
    _ = tokenizer.tokens("anything")
  }
}
