import Checkpoints
import CommandSupport
import Machine
import ModelFamilies
import Operations
import Pipelines
import Safetensors
import SystemPackage
import Training

/// What the tool says of a run, before it and after it.
struct RunSummary {
  let isQuiet: Bool
  let asJSON: Bool
  /// Another rank speaks.
  let isSilent: Bool

  // MARK: Before

  func print(_ plan: TrainingPlan, verbose: Bool) {
    for notice in plan.notices { warn(notice) }
    guard !isQuiet, !isSilent else { return }
    for line in lines(of: plan, verbose: verbose) { StandardError.say(line) }
  }

  /// The plan on standard output, for `--plan`.
  func printPlan(_ plan: TrainingPlan, verbose: Bool) {
    for notice in plan.notices { warn(notice) }
    guard !isSilent else { return }
    guard asJSON else {
      for line in lines(of: plan, verbose: verbose) { StandardOutput.say(line) }
      if !verbose { StandardOutput.say("'--plan --verbose' lists all modules") }
      return
    }
    StandardOutput.write(PlanFacts(plan).json)
  }

  private func lines(of plan: TrainingPlan, verbose: Bool) -> [String] {
    let (arithmetic, estimate) = (plan.arithmetic, plan.estimate)
    var lines = [
      "\(plan.base.file.path): \(plan.base.layout.family.title)"
    ]
    if let other = plan.outline.highNoise { lines.append("\(other.file.path): for much noise") }
    if let teacher = plan.teacher {
      lines.append(
        "\(teacher.model.file.path): learned from; \(teacher.sharedCount) of its \(teacher.moduleCount) modules are "
          + "those of the base and held once, \(ByteCount(teacher.bytes)) are its own")
    }
    lines.append(plan.network.summary)
    if verbose { lines += plan.network.details.map { "  " + $0 } }
    lines += plan.images.summary.lines
    lines.append(
      "\(arithmetic.epochs) epochs of \(arithmetic.stepsPerEpoch) steps, "
        + "\(arithmetic.steps) steps in all")
    lines += rankLines(of: plan)
    lines.append(
      "about \(ByteCount(estimate.bytes)) of memory: \(ByteCount(estimate.frozen)) frozen weights, "
        + "\(ByteCount(estimate.trained)) adapter and optimizer, \(ByteCount(estimate.kept)) for a "
        + "step")
    if let samples = plan.samples { lines.append(samples.summary) }
    if estimate.read > 0 {
      lines.append(
        "\(plan.blocks.streamed) of \(plan.blocks.all) blocks are not kept: "
          + "\(ByteCount(estimate.read)) of the checkpoint are read for every batch")
    }
    let speed = plan.speed
    let seconds = estimate.seconds(at: speed)
    lines.append(
      "about \(Self.rounded(seconds, 2)) s per step "
        + "(\(Self.rounded(estimate.operations / 1e12, 2)) TFLOP at \(Int(speed / 1e9)) GFLOP/s), "
        + "\(Self.duration(seconds * Double(arithmetic.steps))) in all")
    return lines
  }

  /// What several ranks share: a step, what travels for it, and memory.
  private func rankLines(of plan: TrainingPlan) -> [String] {
    let ranks = plan.ranks
    guard ranks.count > 1 else { return [] }
    let machines = Set(ranks.hosts).count
    return [
      "\(ranks.count) ranks on \(machines) \(machines == 1 ? "machine" : "machines"): a step is "
        + "\(plan.batchesPerRank) \(plan.batchesPerRank == 1 ? "batch" : "batches") of each, "
        + "\(plan.configuration.run.accumulation) in all; \(ByteCount(plan.payload)) are reduced",
      "for each rank, and \(ByteCount(plan.bytesOfAll)) in all:",
    ]
  }

  // MARK: After

  func print(_ report: TrainingReport) {
    guard !isSilent else { return }
    if asJSON {
      StandardOutput.write(RunFacts(report).json)
      return
    }
    guard !isQuiet else { return }
    var line = "\(report.output): \(report.steps) steps, loss \(Self.rounded(report.loss, 4))"
    if let loss = report.validationLoss { line += ", held out \(Self.rounded(loss, 4))" }
    StandardOutput.say(
      line + ", \(Self.rounded(report.seconds / Double(max(report.ownSteps, 1)), 2)) s per step")
  }

  func warn(_ text: String) { if !isSilent { StandardError.say("note: \(text)") } }

  // MARK: Numbers

  static func rounded(_ value: Double, _ digits: Int) -> String {
    let factor = (0..<digits).reduce(1.0) { product, _ in product * 10 }
    return "\((value * factor).rounded() / factor)"
  }

  /// `2 h 05 min`, `7 min 30 s`
  static func duration(_ seconds: Double) -> String {
    let total = Int(min(max(seconds, 0), 1e9).rounded())
    let (hours, minutes) = (total / 3600, total / 60 % 60)
    return hours > 0
      ? "\(hours) h \(minutes < 10 ? "0" : "")\(minutes) min"
      : minutes > 0 ? "\(minutes) min \(total % 60) s" : "\(total) s"
  }
}

/// `--plan --json`
private struct PlanFacts: Encodable {
  let family: String
  let modules, unetModules, textEncoderModules: Int
  let images, validationImages: Int
  let batchesPerEpoch, epochs, steps: Int
  let memoryBytes: Int
  /// Of the checkpoint, for every batch.
  let readBytes: Int
  let operationsPerStep: Double
  /// Processes, and of each the batches of a step.
  let ranks, batchesPerRank: Int
  /// Of what is trained, and so reduced over ranks.
  let payloadBytes: Int

  init(_ plan: TrainingPlan) {
    family = plan.base.layout.family.name
    modules = plan.network.modules.count
    textEncoderModules = plan.network.textEncoderCount
    unetModules = modules - textEncoderModules
    images = plan.images.examples.count
    validationImages = plan.images.validation.count
    batchesPerEpoch = plan.arithmetic.batchesPerEpoch
    epochs = plan.arithmetic.epochs
    steps = plan.arithmetic.steps
    memoryBytes = plan.estimate.bytes
    readBytes = plan.estimate.read
    operationsPerStep = plan.estimate.operations
    ranks = plan.ranks.count
    batchesPerRank = plan.batchesPerRank
    payloadBytes = plan.payload
  }
}

/// `--json`
private struct RunFacts: Encodable {
  let output: String
  let state: String?
  let steps, epochs: Int
  let loss: Double
  let validationLoss: Double?
  let seconds, secondsPerStep: Double

  init(_ report: TrainingReport) {
    output = report.output.string
    state = report.state?.string
    steps = report.steps
    epochs = report.epochs
    loss = report.loss
    validationLoss = report.validationLoss
    seconds = report.seconds
    secondsPerStep = report.seconds / Double(max(report.ownSteps, 1))
  }
}
