import ArgumentParser
import CommandSupport
import Operations
import Safetensors
import SystemPackage

/// Post-hoc EMA: options of lyco-convert.
struct MovingAverageOptions: ParsableArguments {
  /// Also where one of the others is given: `OptionTable` adds what they stand for.
  @Flag(
    name: .customLong("ema"),
    help: "Average the files of one training run; implied by --beta, --beta2 and --sigma_rel.")
  var isWanted = false

  @Option(
    help: ArgumentHelp(
      "What is kept of the average at every file, 0 to 1. Default: 0.95.", valueName: "share"))
  var beta: Double?

  @Option(
    help: ArgumentHelp(
      "The same at the last file; in between by a line from --beta.", valueName: "share"))
  var beta2: Double?

  @Option(
    name: .customLong("sigma_rel"),
    help: ArgumentHelp(
      "Average by powers of this relative deviation instead, above 0, below 0.288.",
      valueName: "number"))
  var relativeDeviation: Double?

  @Flag(
    name: .customLong("no_sort"),
    help: "Take the files as they are given; otherwise by the time they were written.")
  var keepsOrder = false

  func validate() throws {
    for (name, value) in [("beta", beta), ("beta2", beta2)] {
      if let value, !(0...1).contains(value) {
        throw ValidationError("'--\(name)': expected a number from 0 to 1, found \(value)")
      }
    }
    if let relativeDeviation {
      // 12^-½, the deviation of a plain mean, is the largest that an average by powers has.
      guard relativeDeviation > 0, relativeDeviation * relativeDeviation * 12 < 1 else {
        throw ValidationError(
          "'--sigma_rel': expected a number above 0, below 0.288, found \(relativeDeviation)")
      }
    }
  }

  private var decay: MovingAverage.Decay {
    if let relativeDeviation { return .power(relativeDeviation: relativeDeviation) }
    let first = beta ?? 0.95
    return beta2.map { .linear(first, $0) } ?? .constant(first)
  }

  /// Averages the files and says in which order.
  func run(
    _ inputs: [FilePath], output target: FilePath, job: JobOptions, threads: Int
  ) async throws {
    guard inputs.count > 1 else {
      throw ValidationError("'--ema' expects at least two files, found \(inputs.count)")
    }
    let places = try job.prepare([(target, .tensors)], reading: inputs)
    defer { withExtendedLifetime(places) {} }
    let average = try MovingAverage(inputs, sorted: !keepsOrder, decay: decay)
    if job.asJSON {
      StandardOutput.writeJSON(
        AverageFacts(
          output: target.string,
          steps: average.steps.map { .init(file: "\($0.path)", beta: $0.beta) }
        ).json)
    } else if !job.quiet {
      for (path, beta) in average.steps {
        StandardOutput.say(beta.map { "\(path): beta \($0.short)" } ?? "\(path): start")
      }
    }
    guard !job.isDryRun else { return }
    try job.protect(average.sources, from: [target])
    let progress = job.quiet ? ProgressLine(isVisible: false) : ProgressLine()
    defer { progress.finish() }
    try await average.write(to: target, threads: threads, progress: progress.reporter)
  }
}

/// `--ema --json`
private struct AverageFacts: Encodable {
  struct Step: Encodable {
    let file: String
    /// What is kept of the average; nil of the first file.
    let beta: Double?
  }

  let output: String
  let steps: [Step]
}
