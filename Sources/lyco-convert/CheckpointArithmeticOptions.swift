import ArgumentParser
import Checkpoints
import CommandSupport
import Operations
import Patterns

/// What checkpoints are written without, and how several become one.
struct CheckpointArithmeticOptions: ParsableArguments {
  @Option(
    name: .customLong("prune"),
    help: ArgumentHelp(
      "Leave out of a checkpoint: ema (moving averages), optimizer (training states), non-model "
        + "(whatever is no weight of the model). Several.", valueName: "part"),
    completion: .list(OptionTable.words(of: "prune", in: .convert)),
    // The table of options has looked at the words.
    transform: { $0.split(separator: ",").compactMap { PrunedPart(rawValue: String($0)) } })
  var pruned: [[PrunedPart]] = []

  @Flag(
    name: .customLong("extract_ema"),
    help: "Write the moving averages of a training checkpoint as its weights.")
  var extractsAverages = false

  @Flag(
    name: .customLong("add_difference"),
    help: "Of three checkpoints: A + m (B - C) with m = '--ratio', 1 by default.")
  var addsDifference = false

  @Option(
    name: .customLong("vae_ratio"),
    help: ArgumentHelp("Ratios for the tensors of the VAE of checkpoints.", valueName: "number"))
  var autoencoderRatios: [Float] = []

  @Option(
    name: .customLong("pattern_ratio"),
    help: ArgumentHelp(
      "Ratios for tensors of checkpoints whose whole key or dotted name matches a pattern, such as "
        + "'*.input_blocks.*=0.3' or '.*attn[12].*=0.5,0.5'. Several; the last that matches counts.",
      valueName: "pattern=number"))
  var patterns: [String] = []

  @Flag(
    name: .customLong("unet_only"),
    help: "Merge denoisers only; all else is that of the first checkpoint.")
  var mergesDenoiserOnly = false

  func validate() throws {
    for pattern in patterns { _ = try Self.patternRatios(pattern) }
    if let value = autoencoderRatios.first(where: { !$0.isFinite }) {
      throw ValidationError("'--vae_ratio': expected finite numbers, found \(value)")
    }
  }

  func arithmetic(_ strength: StrengthOptions) throws -> CheckpointArithmetic {
    CheckpointArithmetic(
      method: addsDifference ? .addDifference : .weightedSum, ratios: strength.ratios,
      denoiserRatios: strength.denoiserRatios, textEncoderRatios: strength.textEncoderRatios,
      autoencoderRatios: autoencoderRatios, patternRatios: try patterns.map(Self.patternRatios),
      mergesDenoiserOnly: mergesDenoiserOnly)
  }

  private static func patternRatios(
    _ text: String
  ) throws -> CheckpointArithmetic.PatternRatios {
    let end = text.lastIndex(of: "=")
    let numbers =
      end.map {
        text[text.index(after: $0)...].split(separator: ",", omittingEmptySubsequences: false)
          .map { Float($0) }
      } ?? []
    guard let end, end > text.startIndex, !numbers.isEmpty,
      numbers.allSatisfy({ $0?.isFinite ?? false })
    else {
      throw ValidationError(
        "'--pattern_ratio': expected a pattern and numbers, such as '*.input_blocks.*=0.3', found "
          + "'\(text)'")
    }
    do throws(PatternError) {
      return CheckpointArithmetic.PatternRatios(
        try NamePattern(String(text[..<end])), numbers.compactMap { $0 })
    } catch {
      throw ValidationError("'--pattern_ratio': \(error)")
    }
  }
}
