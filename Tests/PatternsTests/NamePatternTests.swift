import Patterns
import Testing

struct NamePatternTests {
  static let languages: [(text: String, language: NamePattern.Language)] = [
    (".*single_blocks.*", .expression), ("double_blocks.1.*", .expression),
    ("blocks.[0-9].*", .expression), ("attn1", .expression),
    ("mid_block.attentions.0", .expression),
    (".*(img|txt)_attn.*", .expression), ("^lora_unet_.*attn1.*$", .expression),
    (#"blocks\.\d*"#, .expression), ("(a)*", .expression), ("a+*", .expression),
    ("*attn*", .shell), ("*.attn1.*", .shell), ("down*attn1*", .shell), ("lora_unet_*", .shell),
    ("?.attn", .shell), ("blocks.[!0]*", .shell), ("**", .shell), ("[!a]b", .shell), ("é*", .shell),
    ("re:lora_unet_*", .expression), ("glob:double_blocks.1.*", .shell), ("glob:a+b", .shell),
  ]

  @Test(arguments: languages)
  func languagesAreToldApart(text: String, language: NamePattern.Language) throws {
    guard text != "a+*" else {
      #expect(throws: PatternError.self) { try NamePattern(text) }
      return
    }
    #expect(try NamePattern(text).language == language)
  }

  @Test func bothAreForTheWholeName() throws {
    let name = "double_blocks.10.img_attn.qkv"
    for text in [
      ".*img_attn.*", "*img_attn*", #"double_blocks\.\d+\..*"#, "double_blocks.1.*",
      "glob:double_blocks.1?.*", "re:double_blocks.1.*",
    ] {
      #expect(try NamePattern(text).matches(name), "\(text)")
    }
    for text in [
      "img_attn", "double_blocks", "re:img_attn", "glob:img_attn", "glob:double_blocks.1.*", "*img",
      "IMG_ATTN",
    ] {
      #expect(try !NamePattern(text).matches(name), "\(text)")
    }
  }
}
