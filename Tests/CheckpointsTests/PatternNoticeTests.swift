import Checkpoints
import Patterns
import Testing

/// What is said of patterns that probably do not mean what they say.
@Suite struct PatternNoticeTests {
  static let names = [
    "double_blocks.0.img_attn.qkv", "double_blocks.1.img_attn.qkv", "double_blocks.10.img_attn.qkv",
    "single_blocks.0.linear1",
  ]
  static let notices: [(text: String, notice: String?)] = [
    (".*attn.*", nil), ("*attn*", nil), ("glob:double_blocks.1.*", nil),
    ("re:double_blocks.1.*", nil), ("double_blocks.*", nil), (#"double_blocks\.1\..*"#, nil),
    (
      "attn",
      "'--x': 'attn' matches none of 4 modules; the whole name has to match: "
        + "'.*attn.*' matches 'double_blocks.0.img_attn.qkv'"
    ),
    (
      "*linear",
      "'--x': '*linear' matches none of 4 modules; the whole name has to match: "
        + "'*linear*' matches 'single_blocks.0.linear1'"
    ),
    (
      ".*img_atn.*",
      "'--x': '.*img_atn.*' matches none of 4 modules; did you mean 'img_attn', as in "
        + "'double_blocks.0.img_attn.qkv', 'double_blocks.1.img_attn.qkv', "
        + "'double_blocks.10.img_attn.qkv'?"
    ),
    (
      "x1",
      "'--x': 'x1' matches none of 4 modules; names are such as 'double_blocks.0.img_attn.qkv', "
        + "'double_blocks.1.img_attn.qkv', 'double_blocks.10.img_attn.qkv', and the whole name has to "
        + "match"
    ),
    (
      "double_blocks.1.*",
      "'--x': 'double_blocks.1.*' is read as a regular expression, which matches "
        + "2 of 4 modules; as a shell pattern it would match 1: 're:' or 'glob:' before it says which"
    ),
  ]

  @Test(arguments: notices)
  func noticesSayWhatIsNotMeant(text: String, notice: String?) throws {
    let found = NamePattern.notices(on: [try NamePattern(text)], from: "'--x'", names: Self.names)
    #expect(found == notice.map { [$0] } ?? [])
  }

  @Test func nothingIsSaidOfNoNames() throws {
    #expect(
      NamePattern.notices(on: [try NamePattern("a")], from: "'--x'", names: [String]()).isEmpty)
  }
}
