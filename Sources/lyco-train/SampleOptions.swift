import ArgumentParser

/// Pictures that are drawn on the way.
struct SampleOptions: ParsableArguments {
  @Option(
    name: .customLong("sample_prompts"),
    help: ArgumentHelp(
      "Prompts to draw on the way: a line each ('a cat --n blurry --w 512 --h 768 --d 1 --l 7.5 --s 20'), or "
        + "kohya's TOML or JSON.", valueName: "path"), completion: .file())
  var prompts: String?

  @Option(
    name: .customLong("sample_every_n_steps"),
    help: ArgumentHelp("Draw them so often.", valueName: "n"))
  var everySteps: Int?

  @Option(
    name: .customLong("sample_every_n_epochs"),
    help: ArgumentHelp("Draw them so often; takes precedence over steps.", valueName: "n"))
  var everyEpochs: Int?

  @Flag(name: .customLong("sample_at_first"), help: "Draw them before the first step too.")
  var drawsAtFirst = false

  @Option(
    name: .customLong("sample_sampler"),
    help: ArgumentHelp(
      "Sampler of prompts that name none, as in lyco-sample. Default: ddim.", valueName: "name"))
  var sampler: String?

  func validate() throws {
    for (option, value) in [
      ("sample_every_n_steps", everySteps), ("sample_every_n_epochs", everyEpochs),
    ] {
      if let value, value < 1 {
        throw ValidationError("'--\(option)': expected 1 or more, found \(value)")
      }
    }
  }
}
