import FoundationEssentials
package import SystemPackage

/// Where a training stands, apart from tensors: the contents of `train_state.json`.
///
/// Numbers are written so that they are read to the same bits.
package struct TrainingProgress: Codable, Equatable, Sendable {
  /// Of the format of the folder.
  package static let currentVersion = 1

  package private(set) var version = Self.currentVersion
  /// Epochs that are complete.
  package var epoch: Int
  /// Steps of the optimizer that are complete.
  package var step: Int
  /// Where the run began, which is later than with its first epoch if the user said so.
  package var start: TrainingStart { givenStart ?? TrainingStart() }
  private var givenStart: TrainingStart?
  /// Batches of the epoch that follows that are complete; 0 at the end of an epoch.
  package var batchInEpoch: Int
  package var seed: UInt64
  package var losses: LossAverage
  /// The optimizer's class, `OptimizerChoice.className`.
  package var optimizer: String
  /// Options that a resumed run must have as they were, by their names.
  package var settings: [String: String]
  /// The learning rates of groups by their names; nil in a state of an earlier release.
  var rates: [String: Double]?
  /// How noise, times and losses are drawn and weighed, by the names of metadata; nil in a state of an earlier release.
  var objective: [String: String]?
  /// What tells the model apart that was trained upon; nil in a state of an earlier release.
  var model: TrainedModel?
  /// `OptimizerState.numbers`
  package internal(set) var optimizerNumbers: [String: Double] = [:]
  /// `ParameterAverage.count`
  package internal(set) var averageCount = 0
  /// Of the state that this is part of; nil in one of an earlier release.
  package internal(set) var digests: StateDigests?

  private enum CodingKeys: String, CodingKey {
    case version = "format_version"
    // The names of sd-scripts' train_state.json.
    case epoch = "current_epoch"
    case step = "current_step"
    case batchInEpoch = "batch_in_epoch"
    case givenStart = "start"
    case seed, losses, optimizer, settings, rates, objective, model
    case optimizerNumbers = "optimizer_numbers"
    case averageCount = "average_count"
    case digests
  }

  package init(
    epoch: Int, step: Int, batchInEpoch: Int, seed: UInt64, losses: LossAverage, optimizer: String,
    settings: [String: String]
  ) {
    self.epoch = epoch
    self.step = step
    self.batchInEpoch = batchInEpoch
    self.seed = seed
    self.losses = losses
    self.optimizer = optimizer
    self.settings = settings
  }

  /// Before the first step.
  init(
    start: TrainingStart, accumulation: Int, seed: UInt64, optimizer: String,
    settings: [String: String]
  ) {
    self.init(
      epoch: start.epoch, step: start.step, batchInEpoch: start.step * accumulation, seed: seed,
      losses: LossAverage(), optimizer: optimizer, settings: settings)
    givenStart = start == TrainingStart() ? nil : start
  }

  /// Names in `settings` that are older than no `objective`.
  static let laterSettings: Set<String> = ["--base_weights_dtype", "--dit_high_noise"]

  /// Far more steps than any run takes.
  private static let most = 1 << 40

  /// Checks that the numbers can be those of some run.
  /// - Throws: `StateError.notAState` that names the first which cannot
  func checkRanges(in folder: FilePath) throws(StateError) {
    for (name, value) in [
      ("current_epoch", epoch), ("current_step", step), ("batch_in_epoch", batchInEpoch),
      ("average_count", averageCount), ("start.epoch", start.epoch), ("start.step", start.step),
    ] where !(0...Self.most).contains(value) {
      throw .number(name, expected: "0 to \(Self.most)", found: value, in: folder)
    }
    guard losses.value.isFinite else {
      throw .notAState(folder, "but 'losses': expected finite numbers, found others")
    }
  }

  /// Checks that the numbers, which are in their ranges, can be those of a run.
  /// - Throws: `StateError.notAState` that names the first which cannot
  package func check(_ arithmetic: StepArithmetic, in folder: FilePath) throws(StateError) {
    guard batchInEpoch < max(arithmetic.batchesPerEpoch, 1) else {
      throw .number(
        "batch_in_epoch",
        expected: "less than the \(arithmetic.batchesPerEpoch) batches of an epoch",
        found: batchInEpoch, in: folder)
    }
    let accumulation = arithmetic.accumulation
    let expected =
      (epoch - start.epoch) * arithmetic.stepsPerEpoch
      + (batchInEpoch + accumulation - 1) / accumulation
    guard step == expected else {
      throw .number(
        "current_step",
        expected: "\(expected) after \(epoch) epochs of \(arithmetic.batchesPerEpoch) batches "
          + "and \(batchInEpoch) batches",
        found: step, in: folder)
    }
  }

  /// Checks that a run is the one that the state is of.
  /// - Throws: `StateError.setting` for the first option, by name, that is not as it was
  package func check(
    _ settings: [String: String], optimizer: String, in folder: FilePath
  ) throws(StateError) {
    guard optimizer == self.optimizer else {
      throw .setting(folder, "--optimizer_type", was: self.optimizer, is: optimizer)
    }
    // A state of an earlier release does not know all of them.
    let unknown = objective == nil ? Self.laterSettings : []
    for name in Set(settings.keys).union(self.settings.keys).subtracting(unknown).sorted()
    where settings[name] != self.settings[name] {
      throw .setting(folder, name, was: self.settings[name], is: settings[name])
    }
  }
}

// MARK: The file

extension TrainingProgress {
  /// The same bytes for the same values.
  var encoded: [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    guard let text = try? encoder.encode(self) else {
      preconditionFailure("a progress that JSON cannot hold")
    }
    return Array(text)
  }

  /// - Throws: `StateError.notAState` that names the first entry which is missing or of another kind
  init(decoding bytes: [UInt8], in folder: FilePath) throws(StateError) {
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    do {
      self = try decoder.decode(Self.self, from: Data(bytes))
    } catch DecodingError.keyNotFound(let key, let context) {
      let name = Self.name(context.codingPath + [key])
      throw .notAState(folder, "but its train_state.json lacks '\(name)'")
    } catch DecodingError.typeMismatch(let type, let context),
      DecodingError.valueNotFound(let type, let context)
    {
      let name = Self.name(context.codingPath)
      throw .notAState(folder, "but '\(name)' in its train_state.json is no \(type)")
    } catch DecodingError.dataCorrupted(let context) where !context.codingPath.isEmpty {
      let name = Self.name(context.codingPath)
      throw .notAState(
        folder, "but '\(name)' in its train_state.json is not in the range of such numbers")
    } catch {
      throw .notAState(folder, "but its train_state.json is damaged")
    }
  }

  private static func name(_ path: [any CodingKey]) -> String {
    path.map(\.stringValue).joined(separator: ".")
  }
}
