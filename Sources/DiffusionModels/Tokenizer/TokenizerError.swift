/// What keeps a tokenizer's file from being read.
package enum TokenizerError: Error, Equatable {
  /// Another kind of tokenizer, or a rule that is not followed here: what was found.
  case unsupported(String)
  /// Bytes or values that make no tokenizer: what was expected.
  case damaged(expected: String)
}

extension TokenizerError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .unsupported(let found):
      "expected a unigram tokenizer of sentencepiece, as T5 has it, found \(found)"
    case .damaged(let expected): "expected \(expected)"
    }
  }
}
