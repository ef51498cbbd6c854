import Adapters
import Checkpoints
import LinearAlgebra
import ModelFamilies
import Safetensors
import SystemPackage
import Tensors

/// Which modules of an adapter file go into which of a plan, decided from names and shapes alone.
struct FilePlacement {
  /// By the place among the modules of the plan.
  let found: [(index: Int, module: AdapterModule)]
  /// What did not go one to one.
  let notices: [String]

  /// - Parameter layout: of the model, which knows all spellings of names.
  /// - Throws: `NetworkError.fileShapes`, `.fileWithoutModules`
  init(of file: AdapterFile, in plan: NetworkPlan, _ layout: ModelLayout) throws(NetworkError) {
    var places: [String: Int] = [:]
    for (index, module) in plan.modules.enumerated() { places[module.name] = index }
    var strangers: [String] = []
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
      let planned = plan.modules[index].module
      do throws(CheckpointError) {
        try module.check(base: planned.shape, bias: planned.biasShape)
      } catch {
        unmatched.append(
          UnmatchedModule(
            file: module.file.string, module: module.name, reason: error.withoutPlace))
      }
    }
    self.found = found
    guard unmatched.isEmpty else {
      throw .fileShapes(
        unmatched, total: file.modules.count, misfit: layout.family.misfit(of: file))
    }
    let path = file.file.path.string
    guard !found.isEmpty else {
      throw .fileWithoutModules(
        file: path, first: Array(strangers.prefix(3)), misfit: layout.family.misfit(of: file))
    }
    var notices: [String] = []
    if !strangers.isEmpty {
      notices.append(
        "\(path): \(strangers.count) of its modules are not trained and left out, first "
          + "'\(strangers[0])'")
    }
    let loaded = Set(found.map(\.index)).count
    if loaded < plan.modules.count {
      notices.append(
        "\(path): has nothing for \(plan.modules.count - loaded) of \(plan.modules.count) modules, "
          + "which start anew")
    }
    let biases = found.compactMap { index, module in
      let algorithm = plan.modules[index].algorithm
      return algorithm.trainsWeight || algorithm.trainedBias != nil ? nil : module.biasView?.name
    }
    if let first = biases.first {
      notices.append(
        "\(path): \(biases.count) of its tensors change biases and are left out, first '\(first)'; "
          + "'algo=full' alone trains them")
    }
    self.notices = notices
  }

  /// Checks that every module of the file has the algorithm and the factors that the plan gives its place,
  /// with weights of zeros in the place of those of the model.
  /// - Throws: `NetworkError.fileAlgorithm`, `.fileFactor`, `.settings`, `CheckpointError`
  /// - Complexity: as that of making and loading the network; O(ranks) where that would want a singular value
  ///   decomposition of each weight.
  func check(_ plan: NetworkPlan) throws {
    var generator = SeededGenerator(seed: 0)
    for (index, module) in found {
      let planned = plan.modules[index]
      if let suffix = planned.algorithm.decomposedFactor, let found = module.shapes[suffix] {
        guard found.rows == planned.options.rank else {
          throw NetworkError.fileFactor(
            file: module.file.string, module: planned.name, suffix: suffix,
            expected: [planned.options.rank, found.columns], found: found)
        }
        continue
      }
      let shape = planned.module.shape
      let bias = planned.module.biasShape.map { Tensor(zeros: $0) }
      let factors = try TrainedFactors(
        for: planned, base: BaseWeight(shape) { Tensor(zeros: shape) }, bias: bias,
        using: &generator)
      try factors.take(
        module, named: planned.name, shape: shape, base: Tensor(zeros: shape), bias: bias)
    }
  }
}

extension FamilyModule {
  /// One number for each output.
  fileprivate var biasShape: Shape? { bias.map { _ in [shape.dimensions[0]] } }
}

extension CheckpointError {
  /// What is wrong with a module, without the names of file and module.
  fileprivate var withoutPlace: String {
    if case .module(_, _, let error) = self { "\(error)" } else { "\(self)" }
  }
}
