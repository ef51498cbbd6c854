import Adapters
import Safetensors
import Tensors
import TestSupport

extension GoldenCase {
  /// The algorithm that the case names.
  var algorithmType: any AdapterAlgorithm.Type {
    allAlgorithms.first { $0.name == algorithm }!
  }

  /// Shapes of the module's tensors by canonical suffix, alpha excepted.
  var canonicalShapes: [String: Shape] {
    var shapes: [String: Shape] = [:]
    for (suffix, view) in factors where suffix != alphaSuffix.name {
      shapes[canonical(suffix)] = view.shape
    }
    return shapes
  }

  private func canonical(_ suffix: String) -> String {
    algorithmType.suffixes.first { $0.endings.contains("." + suffix) }?.name ?? suffix
  }

  /// The base as it is adapted, extended by zeros where the module asks for it.
  var weight: Tensor {
    reshaped.map { base.tensor().extended(to: $0) } ?? base.tensor()
  }

  /// The module decoded as the file has it, for the weight of the case.
  func adapter() throws -> Adapter {
    var values: [String: Tensor] = [:]
    for (suffix, view) in factors { values[canonical(suffix)] = view.tensor() }
    let alpha = values.removeValue(forKey: alphaSuffix.name)?.elements.first
    var bias: Factors<Tensor>?
    for suffix in biasSuffixes {
      if let change = values.removeValue(forKey: suffix) {
        bias = Factors([Full.difference: change])
      }
    }
    return try Adapter(algorithmType, values, alpha: alpha, for: weight.shape, bias: bias)
  }
}
