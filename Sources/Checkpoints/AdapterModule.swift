package import Adapters
package import Safetensors
package import SystemPackage
package import Tensors

/// One module of an adapter file: its tensors, not yet decoded.
package struct AdapterModule: Sendable {
  /// The part of its keys before the suffix.
  package let name: String
  package let algorithm: any AdapterAlgorithm.Type
  /// By canonical suffix, alpha excepted.
  package let views: [String: TensorView]
  /// nil where the file has none, neither as a tensor nor in its metadata.
  package let alpha: Float?
  package let file: FilePath

  package var shapes: [String: Shape] { views.mapValues(\.shape) }

  package var rank: Int? { algorithm.rank(of: shapes) }

  /// Inputs of the weight that it was made for, where the shapes tell.
  package var inputWidth: Int? { algorithm.inputWidth(of: shapes) }

  /// Whether both hold the same numbers in the same format, whatever they are called.
  package func hasSameContents(as other: AdapterModule) -> Bool {
    algorithm.name == other.algorithm.name && alpha == other.alpha
      && views.count == other.views.count
      && views.allSatisfy { suffix, view in
        other.views[suffix].map { $0.hasSameContents(as: view) } ?? false
      }
  }

  /// What the product of the factors is multiplied by.
  package var scale: Float { adapterScale(alpha: alpha, rank: rank) }

  /// Whether applying the module can change a weight, or only a bias.
  package var changesWeight: Bool { views.keys.contains { !biasSuffixes.contains($0) } }

  /// The change of the bias, if there is one.
  package var biasView: TensorView? {
    biasSuffixes.lazy.compactMap { views[$0] }.first
  }

  /// Finds out from shapes whether the module fits a base weight, and the bias that goes with it.
  /// - Parameter bias: shape of the bias of the layer; nil where it has none and would get one of as
  ///   many elements as the weight has rows.
  /// - Throws: `CheckpointError.module`, `.notConvertible`
  package func check(base: Shape, bias: Shape? = nil) throws(CheckpointError) {
    for view in views.values where !view.dtype.isConvertible {
      throw .notConvertible(file, tensor: view.name, view.dtype)
    }
    do throws(AdapterError) {
      if changesWeight { try algorithm.check(shapes, base: base) }
      // A transposed convolution has its inputs first: its bias is not as long as its rows.
      let expected = bias ?? [base.rows]
      if let found = biasView, found.shape.count != expected.count {
        throw .factorShape(
          found.name.suffixAfterLastDot, expected: "\(expected)", found: found.shape)
      }
    } catch {
      throw .module(file, module: name, error)
    }
  }

  /// Decodes the factors for a base weight of the given shape.
  /// - Throws: `CheckpointError.module`, `.notFinite`
  package func adapter(for base: Shape) throws(CheckpointError) -> Adapter {
    var values: [String: Tensor] = [:]
    var bias: Factors<Tensor>?
    for (suffix, view) in views {
      let isBias = biasSuffixes.contains(suffix)
      let target = isBias ? Full.difference : suffix
      var decoded: [String: Tensor] = [:]
      if view.dtype == .f64 {
        let split = SplitTensor(decodingF64: view.bytes, shape: view.shape)
        decoded = [target: split.high, lowPart: split.low]
      } else {
        decoded[target] = view.tensor()
      }
      guard let high = decoded[target], high.isFinite else {
        throw .notFinite(file, tensor: view.name)
      }
      if isBias { bias = Factors(decoded) } else { values.merge(decoded) { $1 } }
    }
    do throws(AdapterError) {
      try SparseResidual.expand(in: &values, for: base)
    } catch {
      throw .module(file, module: name, error)
    }
    return Adapter(algorithm: algorithm, factors: Factors(values, scale: scale), bias: bias)
  }
}

extension String {
  fileprivate var suffixAfterLastDot: String {
    lastIndex(of: ".").map { String(self[index(after: $0)...]) } ?? self
  }
}
