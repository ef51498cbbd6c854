import Checkpoints
import Machine
import OrderedCollections
import Safetensors
import SystemPackage

/// What several ranks need of a plan.
extension TrainingPlan {
  /// What this rank writes: logs are the first one's.
  var output: TrainingConfiguration.Output {
    var output = configuration.output
    if !ranks.isFirst { (output.logFolder, output.table) = (nil, nil) }
    return output
  }

  /// Batches of a step that each rank works on.
  package var batchesPerRank: Int { configuration.run.accumulation / ranks.count }

  /// Bytes of what is trained, which every rank sends about twice for a step of one batch each.
  package var payload: Int {
    network.modules.reduce(0) { $0 + $1.parameterCount } * MemoryLayout<Float>.stride
  }

  /// Checks that all ranks have planned the same run, before any of them writes a cache.
  /// - Throws: `RankDifference`, `RankFailure`
  package func checkRanks() throws { try ranks.checkAlike(facts) }

  /// What tells runs apart, by names that a user knows.
  private var facts: [(name: String, value: String)] {
    var settings = resumedSettings.merging(objectiveSettings) { $1 }
    for (group, rate) in rates { settings["learning rate of \(group)"] = "\(rate)" }
    settings["--max_train_steps"] = "\(arithmetic.steps)"
    settings["weights of the checkpoint"] = base.file.identity()
    settings["weights of the adapter to go on from"] = weights?.file.identity()
    settings["step of the state"] = "\(state?.progress.step ?? 0)"
    settings["numbers to be trained"] = "\(payload / MemoryLayout<Float>.stride)"
    var digest = ContentDigest()
    for example in images.examples + images.validation {
      let line = Array(
        "\(example.path.lastComponent?.string ?? "")\n\(example.caption)\n\(example.bucket)\n\(example.path.byteCount)\n"
          .utf8)
      unsafe digest.update(line.span.bytes)
    }
    settings["digest of pictures' names, sizes and captions"] = digest.text
    return settings.map { (name: $0.key, value: $0.value) }
  }
}
