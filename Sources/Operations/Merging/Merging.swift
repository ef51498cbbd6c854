import Adapters
import Checkpoints
import Machine
import ModelFamilies
import OrderedCollections
import Safetensors
package import SystemPackage
import Tensors

/// Adapters baked into a base, tensor by tensor.
package struct Merging: Sendable {
  let plan: MergePlan
  let storage: DType?
  let threads: Int
  let shardSize: Int?
  let measures: Bool
  /// Keys of the weights that the base's scales belong to, by the key of the scale; none of weights that are
  /// written as numbers.
  let scaledWeights: [String: String]

  package init(_ plan: MergePlan, settings: MergeSettings) {
    self.plan = plan
    storage = settings.storage
    threads = settings.threads
    shardSize = settings.shardSize
    measures = settings.measures
    let expansion = plan.expansion
    scaledWeights = Dictionary(
      plan.base.quantized.weights.values.compactMap { weight in
        guard !expansion.contains(weight.key) else { return nil }
        return weight.scaling.map { ($0.view.name, weight.key) }
      }, uniquingKeysWith: { first, _ in first })
  }

  /// Which weights of the base that are codes are written as numbers, and in which format.
  var expansion: QuantizedExpansion { plan.expansion }

  /// Writes the merged checkpoint: what no adapter touches is copied byte for byte, the rest is
  /// computed in f32 with all adapters summed before one rounding.
  ///
  /// Memory: per thread the factors of a module and some strips of rows in f32; a few times the
  /// largest touched tensor where an algorithm does not work row by row or a weight is scaled.
  /// - Throws: `CheckpointError` for factors that are not finite, `SafetensorsError` from writing,
  ///   `CancellationError`.
  package func run(
    writing output: FilePath, metadata: [String: String], progress: ProgressReporter
  ) async throws -> MergeReport {
    let clock = ContinuousClock()
    let start = clock.now
    var report = MergeReport(
      base: plan.base.file.path.text, family: plan.base.layout.family.name,
      evidence: plan.base.layout.evidence, matched: plan.matchedCount,
      skipped: plan.skippedCount, unmatched: plan.unmatched, warnings: plan.notices,
      adapters: plan.adapters.enumerated().map { .init($1, plan.contributions, at: $0) })
    let outputs = self.outputs
    try checkMemory(outputs)
    let total = outputs.reduce(0) { $0 + $1.byteCount }
    var completed = 0
    var measured: OrderedDictionary<String, MeasuredChange> = [:]
    let written = try await CheckpointDestination(outputs, of: plan.base.file, at: output).write(
      metadata: metadata, shardSize: shardSize, threads: threads,
      parts: parts, transform: { try self.output($0) },
      append: { part, result, writer in
        switch result {
        case .copied(let view): try writer.append(part.info.name, view.bytes)
        case .merged(let merged): try writer.append(part.info.name, merged.tensor.rawBytes)
        }
        report.add(result)
        if case .merged(let merged) = result, let measure = merged.measure {
          measured[part.info.name, default: MeasuredChange(part, plan)].add(measure)
        }
        completed += result.byteCount
        progress.report(
          Progress(activity: "merging", completed: completed, total: total, isBytes: true))
      }
    )
    report.files = written.entries.map(\.string)
    report.bytes = written.byteCount
    if measures { report.changes = measured.values.map { $0.change(in: plan) } }
    report.seconds = (clock.now - start) / .seconds(1)
    return report
  }
}

extension Merging {
  /// The files that `run` writes; of shards the name without a number.
  /// - Throws: `OperationError.folderOutput`
  package func paths(writing output: FilePath) throws(OperationError) -> [FilePath] {
    try CheckpointDestination(outputs, of: plan.base.file, at: output).files.map(\.path)
  }
}
