import DiffusionModels
import OrderedCollections
import Safetensors
import Tensors
import TestSupport
import Testing

/// Against transformers' `CLIPTokenizer`, token by token.
@Suite struct TokenizerTests {
  @Test func wellKnownTokens() {
    #expect(
      CLIPTokenizer().tokens("a photo of a cat") == [49406, 320, 1125, 539, 320, 2368, 49407])
    #expect(CLIPTokenizer().tokens("") == [49406, 49407])
  }

  /// In many scripts, with emoji, marks to combine, odd white space and words of several hundred letters.
  @Test func tenThousandCaptions() throws {
    let file = try captionFile()
    let texts = split(
      try #require(file.tensors["text"]).stored.bytes, try integers(file, "text.lengths"))
    let expected = split(try integers(file, "tokens"), try integers(file, "tokens.lengths"))
    #expect(texts.count == 10000)
    #expect(expected.count == texts.count)
    let tokenizer = CLIPTokenizer()
    let clock = ContinuousClock()
    var wrong: [String] = []
    let time = clock.measure {
      for (text, tokens) in zip(texts, expected) {
        let caption = String(decoding: text, as: UTF8.self)
        let found = tokenizer.tokens(caption)
        guard found != Array(tokens) else { continue }
        wrong.append("\(caption.debugDescription): \(found), expected \(Array(tokens))")
      }
    }
    print("10000 captions in", time)
    #expect(wrong.isEmpty, "\(wrong.count) differ:\n\(wrong.prefix(5).joined(separator: "\n"))")
  }

  @Test(arguments: ["sd1", "sd2"], [75, 150, 225])
  func rowsAreThoseOfSDScripts(family: String, maxTokenLength: Int) throws {
    let file = try captionFile()
    let tokenizer = CLIPTokenizer(padsWith: family == "sd1" ? CLIPTokenizer.end : 0)
    let tokens = try integers(file, "rows.\(family).\(maxTokenLength)")
    let counts = try integers(file, "boundaries")
    let rows = maxTokenLength / 75
    for (i, count) in counts.enumerated() {
      let caption = [String](repeating: "cat", count: count).joined(separator: " ")
      let found = tokenizer.chunks(caption, maxTokenLength: maxTokenLength)
      #expect(found.count == rows)
      #expect(
        Array(found.joined()) == Array(tokens[i * rows * 77..<(i + 1) * rows * 77]),
        "\(count) words")
    }
  }

  private func captionFile() throws -> TensorFile {
    try TensorFile(opening: Fixtures.path("training/models/captions.safetensors.zst"))
  }

  private func integers(_ file: TensorFile, _ key: String) throws -> [Int] {
    try #require(file.tensors[key]).tensor().elements.map { Int($0) }
  }

  private func split<Element>(_ all: [Element], _ lengths: [Int]) -> [ArraySlice<Element>] {
    var start = 0
    return lengths.map { length in
      defer { start += length }
      return all[start..<start + length]
    }
  }
}
