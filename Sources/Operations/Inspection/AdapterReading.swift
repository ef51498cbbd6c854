import Adapters
package import Checkpoints
import ModelFamilies
import Safetensors

/// What a program that loads adapters makes of one.
package struct AdapterReading: Codable, Sendable {
  /// Modules of one algorithm with all that goes along, of which the program makes the same.
  package struct Kind: Codable, Sendable {
    package let algorithm: String
    package let modules: Int
    package let verdict: AdapterReader.Verdict
  }

  /// As `--reader` takes it.
  package let reader: String
  package let title: String
  /// The version of the program that was looked at.
  package let source: String
  /// How names are spelled.
  package let format: String
  /// The worst that is said.
  package let verdict: AdapterReader.Verdict
  package let kinds: [Kind]
  package let findings: [ReadingFinding]
}

extension Inspection {
  /// What a program makes of the adapter, from names and shapes.
  /// - Throws: `OperationError.notAnAdapter`
  package func reading(by reader: AdapterReader) throws(OperationError) -> AdapterReading {
    guard let adapter else { throw .notAnAdapter(file.path, found: kind) }
    let format = AdapterFormat.recognize(
      adapter.modules.lazy.map { (name: $0.name, keys: $0.views.values.map(\.name)) })
    let family = family.flatMap { ModelFamily.named($0.name) }
    let modules = ReadModule.modules(
      ofFile: adapter.modules.map { ($0.name, $0.algorithm, $0.shapes, $0.alpha) })
    let findings = reader.findings(in: modules, as: format, of: family)
    let verdicts = reader.verdicts(on: modules, as: format, of: family)
    var counts: [String: [AdapterReader.Verdict: Int]] = [:]
    for (module, verdict) in zip(adapter.modules, verdicts) {
      counts[module.description, default: [:]][verdict, default: 0] += 1
    }
    let kinds = counts.flatMap { algorithm, counts in
      counts.map { AdapterReading.Kind(algorithm: algorithm, modules: $0.value, verdict: $0.key) }
    }.sorted { ($1.verdict, $1.modules, $0.algorithm) < ($0.verdict, $0.modules, $1.algorithm) }
    return AdapterReading(
      reader: reader.name, title: reader.title, source: reader.source, format: format.rawValue,
      verdict: (findings.map(\.verdict) + verdicts).max() ?? .whole, kinds: kinds,
      findings: findings)
  }
}
