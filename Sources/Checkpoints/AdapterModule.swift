package import Adapters
package import Safetensors
package import SystemPackage
package import Tensors

/// One module of an adapter file: its tensors, not yet decoded.
public struct AdapterModule: Sendable {
  /// The part of its keys before the suffix, which names the layer: `lora_unet_mid_block_attentions_0_proj_in`.
  public private(set) var name: String
  package let algorithm: any AdapterAlgorithm.Type
  /// By canonical suffix, alpha excepted.
  package private(set) var views: [String: TensorView]
  /// What is divided by the rank to scale the change; nil where the file has none, neither as a tensor nor in
  /// its metadata, which for most algorithms means the rank.
  public private(set) var alpha: Float?
  /// The alpha as the file has it; nil where it has none, or only in its metadata.
  package private(set) var alphaView: TensorView?
  /// What the configuration beside the file says of a module without rank; nil for any other.
  package let scale: Float?
  /// Whether the configuration of its file calls its layer one that stores the transpose of its weight, for
  /// which the factors here are made; nil where there is no configuration.
  package var keepsInputsFirst: Bool?
  package let file: FilePath

  package init(
    name: String, algorithm: any AdapterAlgorithm.Type, views: [String: TensorView],
    alpha: Float?, alphaView: TensorView? = nil, scale: Float? = nil,
    keepsInputsFirst: Bool? = nil, file: FilePath
  ) {
    self.name = name
    self.algorithm = algorithm
    self.views = views
    self.alpha = alpha
    self.alphaView = alphaView
    self.scale = scale
    self.keepsInputsFirst = keepsInputsFirst
    self.file = file
  }

  /// The algorithm as LyCORIS and its users call it: `lora`, `loha`, `lokr`, `ia3`, `glora`, `diag-oft`,
  /// `boft`, `tlora`, `full`, `norm`, `set`; `lora + dora` where norms are stored apart.
  public var algorithmName: String {
    let norms = WeightDecomposition<Tensor>.suffixes
    return algorithm.name + (norms.contains { views[$0.name] != nil } ? " + dora" : "")
  }

  /// The same module under another name.
  package func renamed(_ name: String) -> AdapterModule {
    var module = self
    module.name = name
    return module
  }

  /// The same module with other tensors.
  package func replacing(_ views: [String: TensorView]) -> AdapterModule {
    var module = self
    module.views = views
    return module
  }

  /// The same module with another alpha; nil for none.
  /// - Parameter adding: whether a module whose file has no alpha gets a tensor for it.
  package func withAlpha(_ alpha: Float?, adding: Bool = false) -> AdapterModule {
    guard alpha != self.alpha || (adding && alphaView == nil) else { return self }
    let isStored = adding || alphaView != nil
    var module = self
    module.alpha = alpha
    module.alphaView = isStored ? alpha.map { alphaTensor($0) } : nil
    return module
  }

  /// An alpha as a tensor: in the shape and format of the module's own, or as a scalar of `format`, where
  /// that holds it exactly; in f32 otherwise.
  package func alphaTensor(_ alpha: Float, format: DType = .f32) -> TensorView {
    let tensor = Tensor(alphaView?.shape ?? [], [alpha])
    let dtype = alphaView?.dtype ?? format
    var stored = EncodedTensor(tensor, as: .f32)
    if dtype.isFloatingPoint, dtype != .f64 {
      let narrow = EncodedTensor(tensor, as: dtype)
      if narrow.decoded() == tensor { stored = narrow }
    }
    return TensorView("\(name).\(alphaSuffix.name)", stored, from: file)
  }

  package var shapes: [String: Shape] { views.mapValues(\.shape) }

  /// The rank that alpha is divided by; nil where the algorithm has none.
  public var rank: Int? { algorithm.rank(of: shapes) }

  /// Whether both hold the same numbers in the same format, whatever they are called.
  package func hasSameContents(as other: AdapterModule) -> Bool {
    algorithm.name == other.algorithm.name && alpha == other.alpha && scale == other.scale
      && views.count == other.views.count
      && views.allSatisfy { suffix, view in
        other.views[suffix].map { $0.hasSameContents(as: view) } ?? false
      }
  }

  /// Whether rows of the adapted weight depend on the same rows of the base alone.
  package func worksByRows(for base: Shape) -> Bool {
    guard algorithm.rowSuffixes(of: shapes) != nil else { return false }
    let axis = try? WeightDecomposition.axis(of: shapes, for: base)
    return axis != .inputs
  }

  /// Whether the module adds the same to every weight.
  package var isAdditive: Bool {
    algorithm is any AdditiveAlgorithm.Type
      && WeightDecomposition<Tensor>.suffixes.allSatisfy { views[$0.name] == nil }
  }

  /// Whether applying the module can change a weight, or only a bias.
  public var changesWeight: Bool { views.keys.contains { !biasSuffixes.contains($0) } }

  /// The change of the bias, if there is one.
  package var biasView: TensorView? {
    biasSuffixes.lazy.compactMap { views[$0] }.first
  }

  /// Finds out from shapes whether the module fits a base weight, and the bias that goes with it.
  /// - Parameter bias: shape of the bias of the layer; nil where it has none and would get one of as
  ///   many elements as the weight has rows.
  /// - Throws: `CheckpointError.module`, `.notConvertible`
  package func check(base: Shape, bias: Shape? = nil) throws(CheckpointError) {
    for view in views.values where !view.holdsNumbers {
      throw .notConvertible(file, tensor: view.name, view.dtype)
    }
    do throws(AdapterError) {
      if changesWeight {
        try shapes.checkExtents()
        try algorithm.check(shapes, base: base)
        _ = try WeightDecomposition.axis(of: shapes, for: base)
      }
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

  /// Finds out from shapes alone whether the tensors of the module go together, whatever the weight.
  /// - Throws: `CheckpointError.module`, `.notConvertible`
  package func check() throws(CheckpointError) {
    for view in views.values where !view.holdsNumbers {
      throw .notConvertible(file, tensor: view.name, view.dtype)
    }
    guard changesWeight else { return }
    do throws(AdapterError) {
      try shapes.checkExtents()
      try algorithm.check(shapes)
      if let weight = algorithm.weightShape(of: shapes) {
        _ = try WeightDecomposition.axis(of: shapes, for: weight)
      }
    } catch {
      throw .module(file, module: name, error)
    }
  }

  /// Decodes the factors for a base weight of the given shape.
  /// - Throws: `CheckpointError.module`, `.notFinite`
  package func adapter(for base: Shape) throws(CheckpointError) -> Adapter {
    var values: [String: Tensor] = [:]
    for (suffix, view) in views where !biasSuffixes.contains(suffix) {
      values.merge(try decode(view, as: suffix)) { $1 }
    }
    if let scale { values[fixedScaleSuffix.name] = Tensor(scalar: scale) }
    let bias = try biasChange()
    do throws(AdapterError) {
      return try Adapter(algorithm, values, alpha: alpha, for: base, bias: bias)
    } catch {
      throw .module(file, module: name, error)
    }
  }

  /// The change of the bias as factors of `Full`; nil if there is none.
  /// - Throws: `CheckpointError.notFinite`
  package func biasChange() throws(CheckpointError) -> Factors<Tensor>? {
    try biasView.map { view throws(CheckpointError) in
      Factors(try decode(view, as: Full.difference))
    }
  }

  /// The shape to which the weight is to be extended by zeros before it is adapted; nil if the
  /// module does not ask for that.
  /// - Throws: `CheckpointError.module` for anything but a list of extents.
  package func extendedShape() throws(CheckpointError) -> Shape? {
    guard let view = views[reshapeSuffix.name] else { return nil }
    let extents =
      view.dtype.isConvertible && view.shape.dimensions.count == 1 && view.shape.count <= 8
      ? view.tensor().elements.map { Int(exactly: $0) ?? 0 } : []
    // 2⁴⁸ numbers are beyond any memory, and their count is still exact.
    let size = extents.reduce(1.0) { $0 * Double($1) }
    guard !extents.isEmpty, extents.allSatisfy({ $0 > 0 }), size < 0x1p48 else {
      throw .module(
        file, module: name,
        .factorShape(reshapeSuffix.name, expected: "a list of extents", found: view.shape))
    }
    return Shape(extents)
  }

  private func decode(
    _ view: TensorView, as suffix: String
  ) throws(CheckpointError) -> [String: Tensor] {
    var decoded: [String: Tensor] = [:]
    if view.dtype == .f64 {
      let split = SplitTensor(decodingF64: view.bytes, shape: view.shape)
      decoded = [suffix: split.high, lowPart: split.low]
    } else {
      decoded[suffix] = view.tensor()
    }
    guard let high = decoded[suffix], high.isFinite else {
      throw .notFinite(file, tensor: view.name)
    }
    return decoded
  }
}

extension String {
  fileprivate var suffixAfterLastDot: String {
    lastIndex(of: ".").map { String(self[index(after: $0)...]) } ?? self
  }
}

extension TensorView {
  /// Whether its values are known: matrices of bytes are codes, of which nothing tells the rule.
  fileprivate var holdsNumbers: Bool {
    dtype.isConvertible && (shape.dimensions.count < 2 || dtype != .u8 && dtype != .i8)
  }
}
