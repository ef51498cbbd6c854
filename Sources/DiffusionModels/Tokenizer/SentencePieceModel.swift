/// A file of sentencepiece, `spiece.model`: pieces with scores, and how texts are normalized.
///
/// Source: sentencepiece `src/sentencepiece_model.proto`.
package struct SentencePieceModel {
  /// In the order of their tokens.
  package private(set) var pieces: [(text: String, score: Double, kind: Int)] = []
  private var modelType = 1
  private var unknown = 0
  private var map: [UInt8] = []

  private static let unigram = 1
  /// Kinds of pieces that texts do not spell by chance.
  private static let (control, userDefined) = (3, 4)

  /// - Throws: `TokenizerError`
  package init(_ bytes: [UInt8]) throws(TokenizerError) {
    for field in try ProtobufReader(bytes[...]).fields() {
      switch (field.number, field.value) {
      case (1, .bytes(let piece)): pieces.append(try Self.piece(piece))
      case (2, .bytes(let trainer)):
        for field in try ProtobufReader(trainer).fields() {
          guard case .number(let number) = field.value else { continue }
          if field.number == 3 { modelType = Int(truncatingIfNeeded: number) }
          if field.number == 40 { unknown = Int(truncatingIfNeeded: number) }
        }
      case (3, .bytes(let normalizer)):
        for field in try ProtobufReader(normalizer).fields() where field.number == 2 {
          if case .bytes(let bytes) = field.value { map = Array(bytes) }
        }
      default: continue
      }
    }
    guard modelType == Self.unigram else {
      throw .unsupported("one of another kind, \(modelType), in its place")
    }
    guard !pieces.isEmpty else { throw .damaged(expected: "pieces, found none") }
  }

  private static func piece(
    _ bytes: ArraySlice<UInt8>
  ) throws(TokenizerError) -> (text: String, score: Double, kind: Int) {
    var piece = (text: "", score: 0.0, kind: 1)
    for field in try ProtobufReader(bytes).fields() {
      switch (field.number, field.value) {
      case (1, .bytes(let text)): piece.text = String(decoding: text, as: UTF8.self)
      case (2, .word(let bits)): piece.score = Double(Float(bitPattern: bits))
      case (3, .number(let kind)): piece.kind = Int(truncatingIfNeeded: kind)
      default: continue
      }
    }
    return piece
  }

  /// T5's tokenizer of it, as transformers' `T5Converter` makes it: a hundred marks come behind the pieces.
  /// - Throws: `TokenizerError`
  package func tokenizer() throws(TokenizerError) -> UnigramTokenizer {
    let extras = (0..<100).reversed().map { "<extra_id_\($0)>" }
    guard let end = pieces.firstIndex(where: { $0.text == "</s>" }) else {
      throw .damaged(expected: "a piece '</s>'")
    }
    let padding = pieces.firstIndex { $0.text == "<pad>" } ?? 0
    var marks = pieces.enumerated().filter {
      [Self.control, Self.userDefined].contains($1.kind) || $0 == unknown
    }.map { UnigramTokenizer.Mark($1.text, token: $0) }
    marks += extras.enumerated().map { .init($1, token: pieces.count + $0) }
    return UnigramTokenizer(
      try UnigramVocabulary(
        pieces.map { ($0.text, $0.score) } + extras.map { ($0, 0) }, unknown: unknown),
      rules: (map.isEmpty ? [] : [.map(try CharacterMap(map))]) + [
        .strip(left: false, right: true), .replaceSpaces(with: "▁"),
      ],
      splits: [.mark("▁", prefix: .always, splits: true)], marks: marks, ending: [end],
      padding: padding)
  }
}
