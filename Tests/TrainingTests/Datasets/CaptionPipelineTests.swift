import Safetensors
import SystemPackage
import TestSupport
import Testing

@testable import Training

struct CaptionPipelineTests {
  private func moment(sample: Int = 0, epoch: Int = 0, step: Int = 0, of count: Int = 100)
    -> CaptionPipeline.Moment
  {
    CaptionPipeline.Moment(
      seed: 42, epoch: epoch, sample: sample, step: step, stepCount: count)
  }

  private func settings(_ options: JSONValue?) -> CaptionSettings {
    func number(_ key: String) -> Double { options?[key].flatMap { Double($0.text) } ?? 0 }
    func text(_ key: String) -> String? { options?[key]?.text }
    var settings = CaptionSettings()
    settings.prefix = text("caption_prefix")
    settings.suffix = text("caption_suffix")
    settings.dropout = number("caption_dropout_rate")
    settings.dropoutInterval = Int(number("caption_dropout_every_n_epochs"))
    settings.tagDropout = number("caption_tag_dropout_rate")
    settings.usesWildcards = options?["enable_wildcard"] == .bool(true)
    settings.shuffles = options?["shuffle_caption"] == .bool(true)
    settings.separator = text("caption_separator") ?? ","
    settings.secondarySeparator = text("secondary_separator")
    settings.keptTags = Int(number("keep_tokens"))
    settings.keptTagsSeparator = text("keep_tokens_separator")
    settings.warmupSteps = number("token_warmup_step")
    if options?["token_warmup_min"] != nil { settings.warmupTags = Int(number("token_warmup_min")) }
    return settings
  }

  /// Captions that sd-scripts' own function made: whatever its draws can give, and nothing else.
  @Test func equalsSdScripts() throws {
    let text = String(
      decoding: try contents(of: Fixtures.path("training/data/captions.json")), as: UTF8.self)
    let cases = try #require(JSONValue(parsing: text)).elements
    #expect(cases.count > 40)
    for entry in cases {
      let pipeline = CaptionPipeline(settings(entry["options"]))
      let expected = try #require(entry["outcomes"]).elements.map { Array($0.text.utf8) }
      // Of at most 50 outcomes, none of them as rare as 1 in 100.
      let found = (0..<(expected.count > 1 ? 2000 : 10)).map { sample in
        pipeline.caption(
          entry["caption"]?.text ?? "",
          at: moment(
            sample: sample, epoch: (entry["epoch"]?.integer ?? 1) - 1,
            step: entry["step"]?.integer ?? 0, of: entry["max_train_steps"]?.integer ?? 0))
      }
      #expect(Set(found.map { Array($0.utf8) }) == Set(expected), "\(entry.text): \(Set(found))")
    }
  }

  /// Python's text files end lines in LF, CR or both; what separates lines within a text ends none.
  @Test func linesAreThoseOfTextFiles() {
    #expect("a\u{2028}b\u{85}\u{C}c\rd\r\ne\n".lines == ["a\u{2028}b\u{85}\u{C}c", "d", "e", ""])
    #expect("a,\u{200D}b".components(separatedBy: ",") == ["a", "\u{200D}b"])
    #expect("\u{3000} a\u{301} ".trimmed == "a\u{301}")
  }

  /// By whatever divides them, tags are joined again.
  @Test(arguments: [(";", "a; b; c"), (" | ", "a | b | c"), (".", "a. b. c"), (",", "a, b, c")])
  func tagsAreJoinedByTheirSeparator(separator: String, expected: String) {
    var settings = CaptionSettings()
    settings.separator = separator
    settings.warmupSteps = 100
    settings.warmupTags = 3
    settings.secondarySeparator = "//"
    let text = ["a", "b", "c", "d"].joined(separator: separator)
    #expect(CaptionPipeline(settings).caption(text, at: moment()) == expected)
    settings.keptTags = 4
    #expect(
      CaptionPipeline(settings).caption("x//y\(separator)z", at: moment())
        == "x\(separator)y" + expected.dropFirst().prefix(while: { $0 != "b" }) + "z")
  }

  @Test func shufflingKeepsTagsAndHead() {
    var settings = CaptionSettings()
    settings.shuffles = true
    settings.keptTags = 2
    let pipeline = CaptionPipeline(settings)
    let captions = (0..<200).map { pipeline.caption("a, b, c, d, e", at: moment(sample: $0)) }
    #expect(captions.allSatisfy { $0.hasPrefix("a, b, ") })
    #expect(
      captions.allSatisfy {
        $0.components(separatedBy: ", ").sorted() == ["a", "b", "c", "d", "e"]
      })
    // All six orders of three tags, about equally often: 33 each, deviation 5.
    let counts = Dictionary(grouping: captions) { $0 }.mapValues(\.count)
    #expect(counts.count == 6 && counts.values.allSatisfy { (15...55).contains($0) }, "\(counts)")
  }

  @Test func drawsAreKeyed() {
    var settings = CaptionSettings()
    settings.shuffles = true
    settings.tagDropout = 0.3
    settings.dropout = 0.1
    let pipeline = CaptionPipeline(settings)
    let text = "a, b, c, d, e, f, g, h"
    #expect(
      pipeline.caption(text, at: moment(sample: 5, epoch: 2))
        == pipeline.caption(text, at: moment(sample: 5, epoch: 2)))
    let distinct = Set((0..<50).map { pipeline.caption(text, at: moment(sample: 5, epoch: $0)) })
    #expect(distinct.count > 40)
  }

  @Test func ratesAreMet() {
    var settings = CaptionSettings()
    settings.dropout = 0.25
    let dropped = (0..<2000).count {
      CaptionPipeline(settings).caption("x", at: moment(sample: $0)).isEmpty
    }
    // 500, deviation 19.
    #expect((420...580).contains(dropped))
    settings.dropout = 0
    settings.tagDropout = 0.25
    let tags = (0..<500).reduce(0) { sum, sample in
      let caption = CaptionPipeline(settings).caption("a,b,c,d", at: moment(sample: sample))
      return sum + (caption.isEmpty ? 0 : caption.components(separatedBy: ", ").count)
    }
    // 1500, deviation 19.
    #expect((1420...1580).contains(tags))
  }

  @Test func extremeWarmup() {
    var settings = CaptionSettings()
    settings.warmupSteps = 1e300
    settings.warmupTags = .max
    #expect(CaptionPipeline(settings).caption("a, b", at: moment(step: 1)) == "a, b")
    settings.warmupTags = 0
    #expect(CaptionPipeline(settings).caption("a, b", at: moment(step: 1)) == "")
  }

  @Test func wildcards() {
    var settings = CaptionSettings()
    settings.usesWildcards = true
    let pipeline = CaptionPipeline(settings)
    let captions = Set(
      (0..<100).map {
        pipeline.caption("a {red|green|blue} cat\na {{dog}}", at: moment(sample: $0))
      })
    #expect(captions == ["a red cat", "a green cat", "a blue cat", "a {dog}"])
    #expect(pipeline.caption("{} { } {a", at: moment()) == "{}   {a")
    settings.usesWildcards = false
    #expect(CaptionPipeline(settings).caption("{a|b}\nc", at: moment()) == "{a|b}")
  }
}
