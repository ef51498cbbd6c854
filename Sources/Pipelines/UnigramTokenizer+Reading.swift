package import DiffusionModels
import Machine
import Safetensors
package import SystemPackage

extension UnigramTokenizer {
  /// Files in which it may lie, by their names.
  static let fileNames = ["tokenizer.json", "spiece.model"]

  /// Reads a `tokenizer.json` of Hugging Face's tokenizers, or a `spiece.model` of sentencepiece; what it is the content
  /// says.
  /// - Throws: `ModelLoadingError.tokenizer`, `.unreadable`
  package init(reading path: FilePath) throws(ModelLoadingError) {
    let bytes: [UInt8]
    do throws(InputError) {
      bytes = try InputFile.bytes(of: path)
    } catch {
      throw .unreadable(path, error)
    }
    do throws(TokenizerError) {
      if bytes.first(where: { !UInt8.whiteSpace.contains($0) }) == UInt8(ascii: "{") {
        guard let value = JSONValue(parsing: String(decoding: bytes, as: UTF8.self)) else {
          throw TokenizerError.damaged(expected: "JSON")
        }
        self = try UnigramTokenizer(value)
      } else {
        self = try SentencePieceModel(bytes).tokenizer()
      }
    } catch {
      throw .tokenizer(path, error)
    }
  }

  /// - Parameter file: the whole of a `tokenizer.json`.
  /// - Throws: `TokenizerError`
  private init(_ file: JSONValue) throws(TokenizerError) {
    guard let model = file["model"], model["type"]?.text == "Unigram" else {
      throw .unsupported("a model '\(file["model"]?["type"]?.text ?? "")'")
    }
    guard model["byte_fallback"] != .bool(true) else {
      throw .unsupported("one with 'byte_fallback'")
    }
    var pieces: [(text: String, score: Double)] = []
    for entry in model["vocab"]?.elements ?? [] {
      guard case .string(let text)? = entry.elements.first, entry.elements.count == 2,
        let score = Double(entry.elements[1].text)
      else { throw .damaged(expected: "pieces with their scores in 'vocab'") }
      pieces.append((text, score))
    }
    guard let unknown = model["unk_id"]?.integer else {
      throw .damaged(expected: "a whole number in 'unk_id'")
    }
    var marks: [Mark] = []
    for entry in file["added_tokens"]?.elements ?? [] {
      guard case .string(let text)? = entry["content"], let token = entry["id"]?.integer,
        (0..<1 << 31).contains(token)
      else { throw .damaged(expected: "texts and tokens in 'added_tokens'") }
      marks.append(
        Mark(
          text, token: token, stripsLeft: entry["lstrip"] == .bool(true),
          stripsRight: entry["rstrip"] == .bool(true)))
    }
    self.init(
      try UnigramVocabulary(pieces, unknown: unknown), rules: try Self.rules(file["normalizer"]),
      splits: try Self.splits(file["pre_tokenizer"]), marks: marks,
      ending: try Self.ending(file["post_processor"]),
      padding: marks.first { $0.text == "<pad>" }?.token ?? 0)
  }

  private static func rules(_ value: JSONValue?) throws(TokenizerError) -> [TextRule] {
    guard let value, value != .null else { return [] }
    switch value["type"]?.text {
    case "Sequence":
      var rules: [TextRule] = []
      for part in value["normalizers"]?.elements ?? [] { rules += try Self.rules(part) }
      return rules
    case "Precompiled":
      guard case .string(let text)? = value["precompiled_charsmap"],
        let bytes = [UInt8](base64: text)
      else { throw .damaged(expected: "base64 in 'precompiled_charsmap'") }
      return bytes.isEmpty ? [] : [.map(try CharacterMap(bytes))]
    case "Strip":
      return [
        .strip(
          left: value["strip_left"] == .bool(true), right: value["strip_right"] == .bool(true))
      ]
    case "Replace":
      let content = value["content"]?.text ?? ""
      if case .string(let part)? = value["pattern"]?["String"] {
        return [.replace(part, with: content)]
      }
      guard value["pattern"]?["Regex"]?.text == " {2,}" else { fallthrough }
      return [.replaceSpaces(with: content)]
    default: throw .unsupported("a normalizer '\(value.text)'".shortened)
    }
  }

  private static func splits(_ value: JSONValue?) throws(TokenizerError) -> [SplitRule] {
    guard let value, value != .null else { return [] }
    switch value["type"]?.text {
    case "Sequence":
      var splits: [SplitRule] = []
      for part in value["pretokenizers"]?.elements ?? [] { splits += try Self.splits(part) }
      return splits
    case "WhitespaceSplit": return [.whitespace]
    case "Metaspace":
      // Older files say whether, newer ones when.
      let isOld = value["prepend_scheme"] == nil
      let prefix: SplitRule.Prefix =
        switch value["prepend_scheme"]?.text {
        case "always": .always
        case "first": .first
        case "never": .never
        default: isOld && value["add_prefix_space"] != .bool(false) ? .always : .never
        }
      let mark = value["replacement"]?.text ?? "▁"
      guard mark.unicodeScalars.count == 1 else {
        throw .damaged(expected: "one character in 'replacement'")
      }
      return [.mark(mark, prefix: prefix, splits: value["split"] != .bool(false))]
    default: throw .unsupported("a pre-tokenizer '\(value.text)'".shortened)
    }
  }

  /// The tokens that a template puts behind a text.
  private static func ending(_ value: JSONValue?) throws(TokenizerError) -> [Int] {
    guard let value, value != .null else { return [] }
    guard value["type"]?.text == "TemplateProcessing" else {
      throw .unsupported("a post-processor '\(value["type"]?.text ?? "")'")
    }
    var (ending, hasText) = ([Int](), false)
    for part in value["single"]?.elements ?? [] {
      if part["Sequence"] != nil {
        hasText = true
      } else if let name = part["SpecialToken"]?["id"]?.text {
        guard hasText else { throw .unsupported("a token '\(name)' before every text") }
        for id in value["special_tokens"]?[name]?["ids"]?.elements ?? [] {
          guard let token = id.integer, (0..<1 << 31).contains(token) else {
            throw .damaged(expected: "tokens in 'special_tokens'")
          }
          ending.append(token)
        }
      }
    }
    return ending
  }
}

extension UInt8 {
  fileprivate static let whiteSpace: Set<UInt8> = [0x20, 0x09, 0x0A, 0x0D]
}

extension String {
  /// For a message.
  fileprivate var shortened: String { count > 80 ? prefix(80) + "…'" : self }
}

extension [UInt8] {
  /// nil if the text is not base64.
  fileprivate init?(base64 text: String) {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    var values = [UInt8?](repeating: nil, count: 256)
    for (value, byte) in alphabet.utf8.enumerated() { values[Int(byte)] = UInt8(value) }
    self = []
    reserveCapacity(text.utf8.count / 4 * 3)
    var (bits, count): (UInt32, Int) = (0, 0)
    for byte in text.utf8 where byte != UInt8(ascii: "=") {
      guard let value = values[Int(byte)] else { return nil }
      bits = bits << 6 | UInt32(value)
      count += 6
      guard count >= 8 else { continue }
      count -= 8
      append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
    }
  }
}
