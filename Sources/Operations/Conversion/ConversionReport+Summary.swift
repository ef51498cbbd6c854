import Adapters
import Checkpoints
import ModelFamilies
import Safetensors
import Tensors

extension ConversionReport {
  /// Counts what is written, and says what programs that read the format will not take.
  /// - Parameters:
  ///   - reader: the program that the adapter is for; nil for those of the format.
  ///   - isAsked: whether anybody asked for the format or the algorithm: what a file already was needs no
  ///     warning.
  mutating func summarize(
    _ modules: [AdapterModule], _ spelling: AdapterSpelling, of family: ModelFamily?,
    for reader: AdapterReader?, isAsked: Bool
  ) {
    to = spelling.target.rawValue
    alpha = spelling.policy.rawValue
    written = modules.count
    algorithms = [:]
    formats = [:]
    for module in modules {
      algorithms[module.algorithmName, default: 0] += 1
      formats[module.factorFormat.rawValue, default: 0] += 1
    }
    if modules.contains(where: { $0.views.values.contains { $0.dtype.isFloat8 } }) {
      warnings.append("factors in 8 bit have two or three digits, and few programs load them")
    }
    guard isAsked else { return }
    warnings += AdapterReader.warnings(
      on: spelling.read(modules), as: spelling.target, of: family, for: reader)
  }
}
