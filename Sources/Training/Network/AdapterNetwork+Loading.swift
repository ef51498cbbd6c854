import Adapters
import Autograd
package import Checkpoints
import LinearAlgebra
package import ModelFamilies
import SystemPackage
import Tensors

extension AdapterNetwork {
  /// Goes on from an adapter file, whatever tool wrote it. Where alpha / rank of the file is another than
  /// that of this network, factors are scaled so that the change stays what it was.
  /// - Parameter layout: of the model, which knows all spellings of names.
  /// - Returns: what did not go one to one.
  /// - Throws: `NetworkError.fileAlgorithm`, `.fileShapes`, `.fileFactor`, `.fileWithoutModules`,
  ///   `CheckpointError`
  @discardableResult
  package func load(_ file: AdapterFile, layout: ModelLayout) throws -> [String] {
    let placement = try FilePlacement(of: file, in: plan, layout)
    for (index, module) in placement.found {
      let layer = layers[index]
      try modules[index].factors.take(
        module, named: modules[index].plan.name, shape: layer.weightShape, base: layer.weightValue,
        bias: layer.bias)
    }
    return placement.notices
  }
}

extension TrainedFactors {
  /// Sets the parameters to what a module of a file holds.
  /// - Parameters:
  ///   - shape: of the weight.
  ///   - base: the weight, which is asked for where it is trained itself.
  /// - Throws: `NetworkError.fileAlgorithm`, `.fileFactor`, `CheckpointError`
  func take(
    _ module: AdapterModule, named name: String, shape: Shape,
    base weight: @autoclosure () -> Tensor,
    bias baseBias: Tensor?
  ) throws {
    guard module.algorithm == algorithm.formula else {
      throw NetworkError.fileAlgorithm(
        file: module.file.string, module: name, expected: algorithm.name,
        found: module.algorithm.name)
    }
    let adapter = try module.adapter(for: shape)
    func set(_ parameter: Parameter, _ suffix: String, to tensor: Tensor?) throws(NetworkError) {
      guard let tensor, tensor.count == parameter.value.count else {
        throw .fileFactor(
          file: module.file.string, module: name, suffix: suffix,
          expected: parameter.value.shape, found: tensor?.shape)
      }
      parameter.value = tensor.reshaped(parameter.value.shape)
    }
    if let bias {
      let change = adapter.bias?[Full.difference] ?? Tensor(zeros: bias.value.shape)
      let base = algorithm.trainsWeight ? baseBias : nil
      try set(bias, Full.biasDifference, to: base.map { $0.adding(change, times: 1) } ?? change)
    }
    if algorithm.trainsWeight {
      let change = adapter.factors[Full.difference] ?? Tensor(zeros: shape)
      try set(
        self[parameterOfWeight: ()], Full.difference,
        to: weight().adding(change.reshaped(shape), times: 1))
      return
    }
    if let magnitude {
      try set(
        magnitude, WeightDecomposition<Tensor>.suffix.name, to: adapter.decomposition?.magnitude)
    } else if adapter.decomposition != nil {
      throw NetworkError.fileAlgorithm(
        file: module.file.string, module: name, expected: algorithm.name,
        found: "DoRA; say dora_wd=True")
    }
    var stored = adapter.factors.values
    let own = values
    let ratio = own.scale == 0 ? 1 : adapter.factors.scale / own.scale
    if ratio != 1, algorithm.rankUse == .scale {
      for suffix in algorithm.formula.scaleCarriers(of: stored.mapValues(\.shape)) ?? [] {
        stored[suffix] = stored[suffix].map { $0 * ratio }
      }
    }
    // The scalar is in the factors of a file.
    scalar?.value = Tensor(scalar: 1)
    if let blocks {
      for suffix in blocks.suffixes {
        guard let factor = stored[suffix], factor.count == own[suffix]?.count else {
          throw NetworkError.fileFactor(
            file: module.file.string, module: name, suffix: suffix,
            expected: own[suffix]?.shape ?? [], found: stored[suffix]?.shape)
        }
        let parts = blocks.algorithm.blocks(of: factor, suffix, size: blocks.size)
        for (index, block) in parts.enumerated() {
          try set(self[parameter: "\(suffix).\(index)"], suffix, to: block)
        }
      }
      return
    }
    if let parts {
      guard let divided = parts.divided(stored) else {
        throw NetworkError.fileAlgorithm(
          file: module.file.string, module: name,
          expected: "factors of \(parts.rows.count) parts, as split_qkv=True writes them",
          found: "those of one layer")
      }
      stored = divided
    }
    for (suffix, parameter) in parameters {
      // Of a normalization layer files leave out what did not change: its weight, or its bias.
      let unchanged = algorithm.isOfNorms ? Tensor(zeros: parameter.value.shape) : nil
      try set(parameter, suffix, to: stored[suffix] ?? unchanged)
    }
  }
}
