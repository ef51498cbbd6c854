import ArgumentParser
import CommandSupport
import Sampling

/// What is drawn, and how.
struct PictureOptions: ParsableArguments {
  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "What to draw, with options as in '--prompts'. May be given several times.",
      valueName: "text"))
  var prompt: [String] = []

  @Option(
    name: [.customLong("prompts"), .customLong("from_file"), .customLong("sample_prompts")],
    help: ArgumentHelp(
      "Prompts of a file: a line each ('a cat --n blurry --w 512 --h 768 --d 1 --l 7.5 --s 20 "
        + "--ss euler'), or kohya's TOML or JSON.", valueName: "path"),
    completion: .file())
  var promptFile: String?

  @Option(
    name: .customLong("negative_prompt"),
    help: ArgumentHelp("What to draw away from.", valueName: "text"))
  var negative = ""

  @Option(
    help: ArgumentHelp(
      "How weights as in '(cat:1.2)' are read: original (the mean of the text's vectors stays, as web UIs "
        + "do), no_norm (it does not, as in training with '--weighted_captions') or none (as text).",
      valueName: "kind"),
    completion: .list(OptionTable.words(of: "emphasis", in: .sample)))
  var emphasis = "original"

  @Option(
    name: [.customLong("width"), .customLong("W")],
    help: ArgumentHelp("Default: that of the family, 512 or 1024.", valueName: "pixels"))
  var width: Int?

  @Option(
    name: [.customLong("height"), .customLong("H")],
    help: ArgumentHelp("Default: that of the family, 512 or 1024.", valueName: "pixels"))
  var height: Int?

  @Option(
    help: ArgumentHelp("Steps of the sampler, 1 to 1000. Default: 20.", valueName: "n"))
  var steps: Int?

  @Option(
    help: ArgumentHelp(
      "How strongly to draw away from the negative prompt; up to 1 not at all, in half the time. "
        + "Default: 7.5; 1 for Flux.1.",
      valueName: "number"))
  var scale: Double?

  @Option(
    name: .customLong("guidance_scale"),
    help: ArgumentHelp(
      "What a model is told that was distilled for guidance. Default: 3.5 for Flux.1 dev.",
      valueName: "number"))
  var guidance: Double?

  @Option(
    name: [.customLong("sampler"), .customLong("sample_sampler")],
    help: ArgumentHelp(
      "\(SamplerName.allCases.map(\.rawValue).joined(separator: ", ")), or a web UI's name such as "
        + "'DPM++ 2M Karras'. Default: \(Sampler.standard.name.rawValue).",
      valueName: "name"), completion: .list(SamplerName.allCases.map(\.rawValue)))
  var sampler: String?

  @Option(
    name: .customLong("seed"),
    help: ArgumentHelp(
      "Of the first picture of a prompt, the others count on. Default: drawn, and printed.",
      valueName: "n"))
  var givenSeed: String?

  @Option(
    name: [.customLong("batch"), .customLong("images_per_prompt")],
    help: ArgumentHelp("Pictures of each prompt.", valueName: "n"))
  var count = 1

  func validate() throws {
    guard !prompt.isEmpty || promptFile != nil else {
      throw ValidationError("expected something to draw: '--prompt TEXT' or '--prompts FILE'")
    }
    if let givenSeed, Int(givenSeed).map({ $0 < -1 }) ?? true {
      throw ValidationError(
        "'--seed': expected a whole number from 0 to \(Int.max), or -1 for one that is drawn, found "
          + givenSeed.printable)
    }
    for (name, side) in [("width", width), ("height", height)] {
      guard let side, !(1...SamplePrompt.largestSide ~= side) else { continue }
      throw ValidationError(
        "'--\(name)': expected 1 to \(SamplePrompt.largestSide) pixels, found \(side)")
    }
  }

  /// nil for one that is drawn.
  var seed: UInt64? { givenSeed.flatMap { Int($0) }.flatMap { UInt64(exactly: $0) } }
}
