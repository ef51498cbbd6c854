import Safetensors
import Testing

/// One test per rule for the header's length and syntax. The reference implementation refuses the
/// same files: scripts/fixtures/make-broken-fixtures.py --compare.
@Suite struct HeaderRejectionTests {
  @Test func rejectsEmptyFile() {
    expectRejection("empty-file.safetensors") { .tooShort($0, length: 0) }
  }

  @Test func rejectsFileShorterThanItsLengthField() {
    expectRejection("shorter-than-8-bytes.safetensors") { .tooShort($0, length: 7) }
  }

  @Test func rejectsHeaderOverTheCap() {
    expectRejection("header-too-large.safetensors") { .headerTooLarge($0, length: 100_000_001) }
  }

  @Test func rejectsHeaderBeyondTheFile() {
    expectRejection("header-beyond-end.safetensors") {
      .headerBeyondEnd($0, length: 1000, available: 2)
    }
  }

  @Test func rejectsEmptyHeader() {
    expectRejection("header-empty.safetensors") {
      .syntax($0, tensor: nil, offset: 0, expected: .object, found: nil)
    }
  }

  @Test func rejectsInvalidUTF8() {
    expectRejection("header-not-utf8.safetensors") { .notUTF8($0, offset: 2) }
  }

  @Test func rejectsByteOrderMark() {
    expectRejection("header-with-byte-order-mark.safetensors") {
      .syntax($0, tensor: nil, offset: 0, expected: .object, found: 0xEF)
    }
  }

  @Test func rejectsHeaderThatIsNoObject() {
    expectRejection("header-is-array.safetensors") {
      .syntax($0, tensor: nil, offset: 0, expected: .object, found: UInt8(ascii: "["))
    }
    expectRejection("header-is-null.safetensors") {
      .syntax($0, tensor: nil, offset: 0, expected: .object, found: UInt8(ascii: "n"))
    }
  }

  @Test func rejectsUnfinishedHeader() {
    expectRejection("header-cut-short.safetensors") {
      .syntax($0, tensor: nil, offset: 53, expected: .commaOrBrace, found: nil)
    }
  }

  @Test func rejectsTrailingComma() {
    expectRejection("trailing-comma.safetensors") {
      .syntax($0, tensor: nil, offset: 54, expected: .key, found: UInt8(ascii: "}"))
    }
  }

  @Test func rejectsMissingColon() {
    expectRejection("missing-colon.safetensors") {
      .syntax($0, tensor: nil, offset: 5, expected: .colon, found: UInt8(ascii: "{"))
    }
  }

  @Test func rejectsMissingComma() {
    expectRejection("missing-comma.safetensors") {
      .syntax($0, tensor: nil, offset: 54, expected: .commaOrBrace, found: UInt8(ascii: "\""))
    }
  }

  @Test func rejectsGarbageAfterTheHeader() {
    expectRejection("garbage-after-header.safetensors") {
      .syntax($0, tensor: nil, offset: 54, expected: .end, found: UInt8(ascii: "x"))
    }
  }

  @Test func rejectsPaddingWithZeroBytes() {
    expectRejection("zero-byte-padding.safetensors") {
      .syntax($0, tensor: nil, offset: 54, expected: .end, found: 0)
    }
  }

  @Test func rejectsRawControlCharacter() {
    expectRejection("control-character-in-name.safetensors") {
      .syntax($0, tensor: nil, offset: 3, expected: .closingQuote, found: 0x0A)
    }
  }

  @Test func rejectsUnknownEscape() {
    expectRejection("unknown-escape.safetensors") {
      .syntax($0, tensor: nil, offset: 4, expected: .escape, found: UInt8(ascii: "x"))
    }
  }

  @Test func rejectsBadHexadecimal() {
    expectRejection("bad-hexadecimal.safetensors") {
      .syntax($0, tensor: nil, offset: 6, expected: .hexadecimal, found: UInt8(ascii: "g"))
    }
  }

  @Test func rejectsLoneSurrogates() {
    expectRejection("lone-high-surrogate.safetensors") {
      .syntax($0, tensor: nil, offset: 8, expected: .surrogate, found: UInt8(ascii: "\""))
    }
    expectRejection("lone-low-surrogate.safetensors") {
      .syntax($0, tensor: nil, offset: 8, expected: .surrogate, found: UInt8(ascii: "\""))
    }
  }

  @Test func rejectsLeadingZero() {
    expectRejection("leading-zero.safetensors") {
      .syntax($0, tensor: "a", offset: 30, expected: .value, found: UInt8(ascii: "1"))
    }
  }

  @Test func rejectsNumberBeyondDouble() {
    expectRejection("infinite-number.safetensors") {
      .syntax($0, tensor: "a", offset: 57, expected: .finiteNumber, found: UInt8(ascii: "1"))
    }
  }

  @Test func rejectsMisspelledLiteral() {
    expectRejection("bad-literal.safetensors") {
      .syntax($0, tensor: "a", offset: 60, expected: .value, found: UInt8(ascii: "}"))
    }
  }

  @Test func rejectsDeepNesting() {
    expectRejection("nested-too-deeply.safetensors") { .nestedTooDeeply($0, limit: 127) }
  }
}
