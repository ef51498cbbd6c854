import DiffusionModels
import Foundation
import SystemPackage
import TestSupport
import Testing

/// Captions with weights, against sd-scripts' own code.
@Suite struct WeightedTextTests {
  private struct Case: Decodable {
    let family: String
    let length: Int
    let caption: String
    let rows: [[[Int]]]
    let weights: [[Float]]
  }

  @Test func tokensAndWeightsAreThoseOfSDScripts() throws {
    let path = Fixtures.path("training/models/weighted-captions.json").string
    let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: URL(filePath: path)))
    #expect(cases.count == 174)
    for test in cases {
      let tokenizer = CLIPTokenizer(padsWith: test.family == "sd2" ? 0 : CLIPTokenizer.end)
      let found = tokenizer.chunks(WeightedText(test.caption), maxTokenLength: test.length)
      let rows = test.rows.map { $0.flatMap { [Int](repeating: $0[0], count: $0[1]) } }
      let weights = test.weights.flatMap { [Float](repeating: $0[0], count: Int($0[1])) }
      #expect(found.rows == rows, "\(test.family) \(test.length) \(test.caption)")
      #expect(found.weights == weights, "\(test.family) \(test.length) \(test.caption)")
    }
  }

  @Test func partsOfOneWeightAreOne() {
    #expect(
      WeightedText("an (important) word").parts.map(\.text) == ["an ", "important", " word"])
    #expect(WeightedText("(a)(b)").parts == [.init(text: "ab", weight: 1.1)])
  }
}
