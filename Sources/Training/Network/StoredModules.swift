import Adapters
package import Checkpoints
package import ModelFamilies
import Safetensors
import SystemPackage
import Tensors

/// The modules of an adapter file by the places that they have in a model: `--dim_from_weights` trains just
/// these, with ranks, alphas and forms of the file, as sd-scripts and LyCORIS do.
package struct StoredModules {
  private let file: AdapterFile
  private let modules: [String: AdapterModule]
  private let layout: ModelLayout

  /// - Parameter layout: of the model, which knows all spellings of names.
  package init(_ file: AdapterFile, in layout: ModelLayout) {
    self.file = file
    self.layout = layout
    var modules: [String: AdapterModule] = [:]
    for module in file.modules {
      for named in layout.modules(named: module.name) { modules[named.adapterName] = module }
    }
    self.modules = modules
  }

  /// What the file has for a module of the model; nil for nothing.
  subscript(module: FamilyModule) -> AdapterModule? { modules[module.adapterName] }

  /// That there is nothing to train.
  var noPlace: NetworkError {
    .fileWithoutModules(
      file: file.file.path.string, first: file.modules.prefix(3).map(\.name),
      misfit: layout.family.misfit(of: file))
  }
}

extension ModuleOptions {
  /// The options with algorithm, rank, alpha and form of a module of a file.
  /// - Parameters:
  ///   - weight: shape of the one that the module changes.
  ///   - fixed: whether the trainer's module knows no other algorithm.
  /// - Throws: `NetworkError.fileAlgorithm`
  func taken(
    from module: AdapterModule, named name: String, of weight: Shape, fixed: Bool
  ) throws(NetworkError) -> ModuleOptions {
    var options = self
    if algorithm.formula != module.algorithm {
      let found = trainableAlgorithms.first { $0.formula == module.algorithm }
      guard let found, !fixed || found.isOfNorms else {
        throw .fileAlgorithm(
          file: module.file.string, module: name, expected: algorithm.name,
          found: module.algorithm.name)
      }
      options.algorithm = found
    }
    let shapes = module.shapes
    options.usesRootOfRank = false
    if let rank = module.rank {
      options.rank = rank
      options.alpha = module.alpha ?? Float(rank)
    }
    options.algorithm.adopt(
      shapes, { module.views[$0]?.tensor() }, of: weight, into: &options.form)
    options.decomposesWeight = shapes[WeightDecomposition<Tensor>.suffix.name] != nil
    return options
  }
}
