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
  /// - Throws: `RankFailure`
  package func checkRanks() throws {
    guard ranks.count > 1 else { return }
    let facts = self.facts
    var message = Message()
    for (name, value) in facts {
      message.append(name)
      message.append(value)
    }
    let all = try ranks.gather(message.bytes)
    guard let other = all.firstIndex(where: { $0 != all[0] }) else { return }
    func entries(_ bytes: [UInt8]) -> [(name: String, value: String)] {
      var reader = MessageReader(bytes)
      var entries: [(name: String, value: String)] = []
      while !reader.isAtEnd { entries.append((reader.text(), reader.text())) }
      return entries
    }
    let differing = zip(entries(all[0]), entries(all[other])).first { $0 != $1 }
    throw TrainingError.otherRun(
      rank: other, host: ranks.hosts[other], what: differing?.0.name ?? "settings",
      first: differing?.0.value ?? "", found: differing?.1.value ?? "")
  }

  /// What tells runs apart, by names that a user knows.
  private var facts: [(name: String, value: String)] {
    var settings = resumedSettings.merging(objectiveSettings) { $1 }
    for (group, rate) in rates { settings["learning rate of \(group)"] = "\(rate)" }
    settings["--max_train_steps"] = "\(arithmetic.steps)"
    settings["bytes of the checkpoint"] =
      "\(base.file.tensors.values.reduce(0) { $0 + $1.byteCount })"
    settings["step of the state"] = "\(state?.progress.step ?? 0)"
    settings["numbers to be trained"] = "\(payload / MemoryLayout<Float>.stride)"
    var digest = ContentDigest()
    for example in images.examples + images.validation {
      let line = Array(
        "\(example.path.lastComponent?.string ?? "")\n\(example.caption)\n\(example.bucket)\n".utf8)
      unsafe digest.update(line.span.bytes)
    }
    settings["digest of pictures' names, sizes and captions"] = digest.text
    return settings.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
  }
}
