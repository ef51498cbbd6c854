import Sampling
import Testing

@Suite struct PromptLineTests {
  private static let place = "prompts.txt: line 7"

  private func read(_ line: String) throws -> SamplePrompt {
    try PromptLine(line, at: Self.place).prompt
  }

  @Test func saysAllThatKohyasLinesCan() throws {
    let prompt = try read(
      "a cat, sitting --n blurry, dark --w 512 --h 768 --d 42 --l 7.5 --s 20 --g 3.5 --ss euler_a")
    var expected = SamplePrompt("a cat, sitting", at: Self.place)
    expected.negative = "blurry, dark"
    (expected.width, expected.height) = (512, 768)
    expected.seed = 42
    (expected.scale, expected.guidance) = (7.5, 3.5)
    expected.steps = 20
    expected.sampler = Sampler(.eulerAncestral)
    #expect(prompt == expected)
  }

  /// kohya's scripts look for options in the prompt as well, and take a number for what it begins with.
  @Test func optionsStandBehindThePromptAlone() throws {
    let prompt = try read("w 512 --W 256")
    #expect(prompt.text == "w 512")
    #expect(prompt.width == 256)
    #expect(try read("a well-known --n --d -1").negative == "")
    #expect(try read("a--w 3").text == "a--w 3")
    #expect(try read("a cat --d -1").seed == nil)
  }

  @Test(arguments: [
    ("--w 512", "expected a prompt before the options, found none"),
    ("a --w 512px", "'--w': expected a whole number of pixels from 1 to 16384, found '512px'"),
    ("a --w", "'--w': expected a whole number of pixels from 1 to 16384, found nothing"),
    ("a --s 1001", "'--s': expected a whole number from 1 to 1000, found '1001'"),
    ("a --s 0", "'--s': expected a whole number from 1 to 1000, found '0'"),
    ("a --l nan", "'--l': expected a number from 0 to 1000, found 'nan'"),
    (
      "a --d 1.5",
      "'--d': expected a whole number from 0 on, or -1 for one that is drawn, found '1.5'"
    ),
    ("a --w 64 --W 64", "expected '--W' once, found it twice; remove one"),
    (
      "a --style x",
      "unknown option '--style'; a prompt may say --w, --h, --d, --s, --l, --g, --n, --ss"
    ),
  ])
  func refuses(line: String, says: String) throws {
    #expect(throws: PromptError.self) { try read(line) }
    do { _ = try read(line) } catch { #expect("\(error)" == "\(Self.place): \(says)") }
  }

  @Test func refusesSamplersByTheirNames() throws {
    do { _ = try read("a --ss eulr") } catch {
      #expect("\(error)".hasPrefix("\(Self.place): '--ss': expected one of ddim, pndm"), "\(error)")
      #expect("\(error)".hasSuffix("found 'eulr'"))
    }
    #expect(throws: PromptError.self) { try read("a --ss eulr") }
  }

  @Test func noticesWhatHasNoEffect() throws {
    let line = try PromptLine("a --cn pose.png --w 64 --fs 3", at: Self.place)
    #expect(line.prompt.width == 64)
    #expect(
      line.notices == [
        "\(Self.place): '--cn' has no effect: pictures are drawn without ControlNet",
        "\(Self.place): '--fs' has no effect: the shift is that of the model",
      ])
  }

  @Test func hasALimit() throws {
    let text = String(repeating: "a", count: 10_001)
    #expect(
      throws: PromptError.tooLong(place: Self.place, limit: 10_000, found: 10_001)
    ) { try read(text) }
  }
}
