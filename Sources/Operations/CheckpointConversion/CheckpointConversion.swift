import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
package import SystemPackage
import Tensors

/// Checkpoints turned into one, tensor by tensor.
package struct CheckpointConversion: Sendable {
  let plan: CheckpointConversionPlan
  private let threads: Int
  private let shardSize: Int?
  private let method: CheckpointArithmetic.Method?

  package init(_ plan: CheckpointConversionPlan, settings: CheckpointConversionSettings) {
    self.plan = plan
    threads = settings.threads
    shardSize = settings.shardSize
    method = plan.sources.count > 1 ? settings.arithmetic.method : nil
  }

  /// Writes the checkpoint: what keeps its numbers and format is copied byte for byte, the rest is
  /// computed in f32 and rounded once.
  ///
  /// Memory: per thread a few parts of `partCount` numbers.
  /// - Throws: `OperationError.folderOutput`, `SafetensorsError` from writing, `CancellationError`.
  package func run(
    writing output: FilePath, metadata: [String: String], progress: ProgressReporter
  ) async throws -> CheckpointConversionReport {
    let clock = ContinuousClock()
    let start = clock.now
    var report = self.report
    let total = plan.outputs.reduce(0) { $0 + $1.info.byteCount }
    let base = plan.sources[0].file
    let destination = try CheckpointDestination(plan.outputs.map(\.info), of: base, at: output)
    let scales = try await scales(threads: threads, progress: progress)
    let outputs = Dictionary(uniqueKeysWithValues: plan.outputs.map { ($0.info.name, $0) })
    var completed = 0
    let written = try await destination.write(
      metadata: metadata, shardSize: shardSize, threads: threads,
      parts: { info, key in outputs[key].map { Self.parts(of: $0, as: info.name) } ?? [] },
      transform: { result(of: $0, scales: scales) },
      append: { part, result, writer in
        switch result {
        case .copied(let view): try writer.append(part.name, view.bytes)
        case .made(let tensor, _): try writer.append(part.name, tensor.rawBytes)
        }
        report.add(part, result)
        completed += part.byteCount
        progress.report(
          Progress(activity: "converting", completed: completed, total: total, isBytes: true))
      }
    )
    report.files = written.entries.map(\.string)
    report.bytes = written.byteCount
    report.seconds = (clock.now - start) / .seconds(1)
    return report
  }

  private var report: CheckpointConversionReport {
    let first = plan.sources[0]
    return CheckpointConversionReport(
      sources: plan.sources.map(\.file.path.string), family: first.layout.family.name,
      evidence: first.layout.evidence, method: method, pruned: plan.pruned.mapValues(\.count),
      onlyInFirst: plan.onlyInFirst.count, notInFirst: plan.notInFirst.count,
      warnings: plan.notices)
  }
}

extension CheckpointConversion {
  /// The files that `run` writes; of shards the name without a number.
  /// - Throws: `OperationError.folderOutput`
  package func paths(writing output: FilePath) throws(OperationError) -> [FilePath] {
    try CheckpointDestination(plan.outputs.map(\.info), of: plan.sources[0].file, at: output)
      .files.map(\.path)
  }
}
