import Safetensors
import Testing

/// One test per rule for names, metadata and the members of an entry.
@Suite struct EntryRejectionTests {
  @Test func rejectsDuplicateName() {
    expectRejection("duplicate-name.safetensors") { .duplicateTensor($0, tensor: "a") }
  }

  /// A dictionary of Swift could hold only one of them.
  @Test func rejectsNamesThatDifferInNormalization() {
    expectRejection("equivalent-names.safetensors") { .duplicateTensor($0, tensor: "é") }
  }

  @Test func rejectsDuplicateMetadata() {
    expectRejection("duplicate-metadata.safetensors") { .duplicateMetadata($0) }
  }

  @Test func rejectsMetadataThatIsNoObject() {
    expectRejection("metadata-is-array.safetensors") {
      .syntax($0, tensor: nil, offset: 16, expected: .object, found: UInt8(ascii: "["))
    }
  }

  @Test func rejectsMetadataThatIsNoString() {
    expectRejection("metadata-number.safetensors") { .metadataNotString($0, key: "rank") }
    expectRejection("metadata-null-value.safetensors") { .metadataNotString($0, key: "rank") }
  }

  @Test func rejectsEntryThatIsNoObject() {
    expectRejection("entry-is-null.safetensors") {
      .syntax($0, tensor: "a", offset: 5, expected: .object, found: UInt8(ascii: "n"))
    }
    expectRejection("entry-is-array.safetensors") {
      .syntax($0, tensor: "a", offset: 5, expected: .object, found: UInt8(ascii: "["))
    }
  }

  @Test(arguments: [
    ("missing-dtype", "dtype"), ("missing-shape", "shape"), ("missing-offsets", "data_offsets"),
  ])
  func rejectsMissingField(_ file: String, _ field: String) {
    expectRejection("\(file).safetensors") { .missingField($0, tensor: "a", field: field) }
  }

  @Test func rejectsDuplicateField() {
    expectRejection("duplicate-field.safetensors") {
      .duplicateField($0, tensor: "a", field: "dtype")
    }
  }

  @Test func rejectsUnknownDType() {
    expectRejection("unknown-dtype.safetensors") { .unknownDType($0, tensor: "a", found: "F33") }
    expectRejection("lower-case-dtype.safetensors") {
      .unknownDType($0, tensor: "a", found: "f32")
    }
  }

  @Test func rejectsDTypeThatIsNoString() {
    expectRejection("dtype-is-object.safetensors") {
      .syntax($0, tensor: "a", offset: 14, expected: .string, found: UInt8(ascii: "{"))
    }
  }

  @Test(arguments: [
    ("negative-extent", "shape", "-1"), ("negative-zero-extent", "shape", "-0"),
    ("fractional-extent", "shape", "1.0"),
    ("extent-beyond-int", "shape", "18446744073709551615"),
    ("exponent-offset", "data_offsets", "4e0"),
  ])
  func rejectsNumbersThatAreNotUnsigned(_ file: String, _ field: String, _ found: String) {
    expectRejection("\(file).safetensors") {
      .notUnsigned($0, tensor: "a", field: field, found: found)
    }
  }

  @Test(arguments: [("one-offset", 1), ("three-offsets", 3)])
  func rejectsWrongNumberOfOffsets(_ file: String, _ count: Int) {
    expectRejection("\(file).safetensors") { .offsetCount($0, tensor: "a", found: count) }
  }
}
