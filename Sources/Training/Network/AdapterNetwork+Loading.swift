import Adapters
import Autograd
package import Checkpoints
import LinearAlgebra
package import ModelFamilies
import Safetensors
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
    var places: [String: Int] = [:]
    for (index, module) in modules.enumerated() { places[module.plan.name] = index }
    var (loaded, strangers): (Set<Int>, [String]) = ([], [])
    var found: [(index: Int, module: AdapterModule)] = []
    var unmatched: [UnmatchedModule] = []
    for module in file.modules {
      guard
        let index = places[module.name]
          ?? layout.modules(named: module.name).lazy.compactMap({ places[$0.adapterName] }).first
      else {
        strangers.append(module.name)
        continue
      }
      found.append((index, module))
      do throws(CheckpointError) {
        try module.check(base: layers[index].weightShape, bias: layers[index].bias?.shape)
      } catch {
        unmatched.append(
          UnmatchedModule(
            file: module.file.string, module: module.name, reason: error.withoutPlace))
      }
    }
    guard unmatched.isEmpty else {
      throw NetworkError.fileShapes(
        unmatched, total: file.modules.count, misfit: layout.family.misfit(of: file))
    }
    for (index, module) in found {
      try modules[index].factors.take(module, for: layers[index], named: modules[index].plan.name)
      loaded.insert(index)
    }
    let path = file.file.path.string
    guard !loaded.isEmpty else {
      throw NetworkError.fileWithoutModules(
        file: path, first: Array(strangers.prefix(3)), misfit: layout.family.misfit(of: file))
    }
    var notices: [String] = []
    if !strangers.isEmpty {
      notices.append(
        "\(path): \(strangers.count) of its modules are not trained and left out, first "
          + "'\(strangers[0])'")
    }
    if loaded.count < modules.count {
      notices.append(
        "\(path): has nothing for \(modules.count - loaded.count) of \(modules.count) modules, "
          + "which start anew")
    }
    return notices
  }
}

extension CheckpointError {
  /// What is wrong with a module, without the names of file and module.
  fileprivate var withoutPlace: String {
    if case .module(_, _, let error) = self { "\(error)" } else { "\(self)" }
  }
}

extension TrainedFactors {
  /// Sets the parameters to what a module of a file holds.
  fileprivate func take(_ module: AdapterModule, for layer: Layer, named name: String) throws {
    guard module.algorithm.name == algorithm.formula.name else {
      throw NetworkError.fileAlgorithm(
        file: module.file.string, module: name, expected: algorithm.rawValue,
        found: module.algorithm.name)
    }
    let adapter = try module.adapter(for: layer.weightShape)
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
      let base = algorithm == .full ? layer.bias : nil
      try set(bias, Full.biasDifference, to: base.map { $0.adding(change, times: 1) } ?? change)
    }
    if algorithm == .full {
      let change = adapter.factors[Full.difference] ?? Tensor(zeros: layer.weightShape)
      try set(
        self[parameterOfWeight: ()], Full.difference,
        to: layer.weightValue.adding(change.reshaped(layer.weightShape), times: 1))
      return
    }
    if let magnitude {
      try set(
        magnitude, WeightDecomposition<Tensor>.suffix.name, to: adapter.decomposition?.magnitude)
    } else if adapter.decomposition != nil {
      throw NetworkError.fileAlgorithm(
        file: module.file.string, module: name, expected: algorithm.rawValue,
        found: "DoRA; say dora_wd=True")
    }
    var stored = adapter.factors.values
    let own = values
    let ratio = own.scale == 0 ? 1 : adapter.factors.scale / own.scale
    if ratio != 1, algorithm.hasRank {
      for suffix in algorithm.formula.scaleCarriers(of: stored.mapValues(\.shape)) ?? [] {
        stored[suffix] = stored[suffix].map { $0 * ratio }
      }
    }
    // The scalar is in the factors of a file.
    scalar?.value = Tensor(scalar: 1)
    if algorithm == .dylora {
      for suffix in [LoRA.up, LoRA.down] {
        guard let factor = stored[suffix], factor.count == own[suffix]?.count else {
          throw NetworkError.fileFactor(
            file: module.file.string, module: name, suffix: suffix,
            expected: own[suffix]?.shape ?? [], found: stored[suffix]?.shape)
        }
        let matrix = factor.reshaped(factor.shape.asMatrix)
        for (index, block) in Self.blocks(of: matrix, suffix, size: blockSize).enumerated() {
          try set(self[parameter: "\(suffix).\(index)"], suffix, to: block)
        }
      }
      return
    }
    for (suffix, parameter) in parameters { try set(parameter, suffix, to: stored[suffix]) }
  }
}
