import ArgumentParser
import CommandSupport
import Machine
import ModelFamilies
import Pipelines
import Sampling
import SystemPackage
import Training

/// By what layers read, so that the error of outputs is made small.
struct CalibrationOptions: ParsableArguments {
  enum Model: String, ExpressibleByArgument, CaseIterable {
    case tuned, base
  }

  @Option(
    help: ArgumentHelp(
      """
      Run the model and make the error of what its layers put out small, not that of weights: a folder of pictures with \
      captions (latents that are kept beside them are read), a description of datasets (.toml) as lyco-train reads \
      it, or random for what the model itself draws of noise and prompts.
      """, valueName: "folder, file or random"), completion: .file())
  var calibrate: String?

  @Option(
    name: .customLong("calibration_samples"),
    help: ArgumentHelp("How many samples go through the model.", valueName: "n"))
  var samples = 64

  @Flag(
    name: .customLong("calibration_gradients"),
    help:
      "Also weigh outputs by how much the prediction depends on them: a backward pass of each sample."
  )
  var takesGradients = false

  @Option(
    name: .customLong("calibration_prompts"),
    help: ArgumentHelp(
      "With random: a file of prompts, one for a line. Default: the empty prompt.",
      valueName: "file"), completion: .file())
  var prompts: String?

  @Option(
    name: .customLong("calibration_model"),
    help: ArgumentHelp("Which checkpoint runs: tuned or base.", valueName: "which"),
    completion: .list(OptionTable.words(of: "calibration_model", in: .extract)))
  var model = Model.tuned

  @Option(
    name: .customLong("vae"),
    help: ArgumentHelp("Another VAE than the checkpoint's: a file or folder.", valueName: "path"),
    completion: .file())
  var vae: String?

  @Option(
    name: .customLong("mixed_precision"),
    help: ArgumentHelp(
      "Format in which the model that runs is held and multiplied: no (f32) or bf16.",
      valueName: "format"),
    completion: .list(OptionTable.words(of: "mixed_precision", in: .extract)))
  var mixedPrecision = "no"

  @Option(
    name: .customLong("statistics"),
    help: ArgumentHelp(
      "Instead of running the model: moments of inputs from a file, of '--save_statistics' or another program.",
      valueName: "file"), completion: .file())
  var statistics: String?

  @Option(
    name: .customLong("save_statistics"),
    help: ArgumentHelp(
      "Write the moments that were gathered, for other extractions of this model.",
      valueName: "file"), completion: .file())
  var saved: String?

  func validate() throws {
    guard let calibrate, calibrate != "random" else { return }
    let path = FilePath(named: calibrate)
    guard path.extension == "toml" || InputFile.kind(of: path) == .folder else {
      throw ValidationError(
        "'--calibrate': expected a folder of pictures, a description of datasets (.toml) or random, found "
          + "'\(calibrate.printable)'")
    }
  }

  /// Whether the error of outputs is what counts.
  var isAsked: Bool { calibrate != nil || statistics != nil }

  /// What is written beside the adapter.
  var savedPath: FilePath? { saved.map { FilePath(named: $0) } }

  /// nil where no model runs.
  /// - Parameter output: in whose folder moments lie for which memory has no room.
  func plan(
    base: FilePath, tuned: FilePath, as family: ModelFamily?, seed: UInt64, threads: Int?,
    beside output: FilePath
  ) throws -> CalibrationPlan? {
    guard let calibrate else { return nil }
    var settings = ModelSettings(base: model == .base ? base : tuned)
    settings.family = family
    settings.vae = vae.map { FilePath(named: $0) }
    let path = FilePath(named: calibrate)
    let source: CalibrationSettings.Source =
      if calibrate == "random" {
        .drawn(
          try prompts.map { try PromptFile(reading: FilePath(named: $0)).prompts }
            ?? [SamplePrompt("", at: "'--calibrate random'")])
      } else if path.extension == "toml" { .datasets(path) } else { .pictures(path) }
    var calibration = CalibrationSettings(model: settings, source: source)
    calibration.samples = samples
    calibration.isNarrow = mixedPrecision == "bf16"
    calibration.takesGradients = takesGradients
    calibration.seed = seed
    calibration.threads = threads
    let folder = output.removingLastComponent()
    calibration.scratchFolder = folder.isEmpty ? "." : folder
    return try CalibrationPlan(calibration)
  }
}
