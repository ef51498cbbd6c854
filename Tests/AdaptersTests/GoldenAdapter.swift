import Adapters
import Safetensors
import Tensors
import TestSupport

extension GoldenCase {
  /// The algorithm that the case names.
  var algorithmType: any AdapterAlgorithm.Type {
    allAlgorithms.first { $0.name == algorithm }!
  }

  /// The module decoded, with alpha / rank as the file has them.
  var adapter: Adapter {
    var values: [String: Tensor] = [:]
    var bias: Factors<Tensor>?
    let shapes = factors.mapValues(\.shape)
    var scale: Float = 1
    for (suffix, view) in factors {
      switch suffix {
      case "alpha":
        if let rank = algorithmType.rank(of: shapes) {
          scale = view.tensor().elements[0] / Float(rank)
        }
      case "diff_b", "b_norm": bias = Factors([Full.difference: view.tensor()])
      default: values[suffix] = view.tensor()
      }
    }
    return Adapter(
      algorithm: algorithmType, factors: Factors(values, scale: scale), bias: bias)
  }
}
