import Adapters
import Checkpoints
import ModelFamilies
import Tensors

/// The weights of the checkpoint that adapters are for, by the names of their modules.
struct BaseWeights: Sendable {
  let base: BaseModel

  init(_ base: BaseModel) { self.base = base }

  /// The shape of the weight that a module changes.
  /// - Throws: `AdapterConversionError.noPlace`
  func shape(for module: AdapterModule) throws(AdapterConversionError) -> Shape {
    try place(of: module).weight.shape
  }

  /// The shape of the weight that a module changes: that of the base, where there is one and it has the
  /// module; otherwise what the factors tell, which may leave a kernel flattened.
  /// - Throws: `AdapterConversionError.noPlace`, `.shapeNotTold`
  static func shape(
    for module: AdapterModule, in base: BaseModel?
  ) throws(AdapterConversionError) -> Shape {
    let told = module.algorithm.weightShape(of: module.shapes)
    if let base {
      do throws(AdapterConversionError) {
        return try BaseWeights(base).shape(for: module)
      } catch {
        guard let told, module.isAdditive else { throw error }
        return told
      }
    }
    guard let told else {
      throw .shapeNotTold(module.file, module: module.name, algorithm: module.algorithm.name)
    }
    return told
  }

  /// The weight that a module changes, its parts joined.
  /// - Throws: `AdapterConversionError.noPlace`, `CheckpointError.notConvertible`
  func weight(for module: AdapterModule) throws -> Tensor {
    try place(of: module).values(in: base)
  }

  private func place(of module: AdapterModule) throws(AdapterConversionError) -> MergePlace {
    do throws(NoPlace) {
      if let assertion = module.algorithm.assertion { throw NoPlace(assertion.reason) }
      let place = try MergePlace(of: module.name, in: base)
      do throws(CheckpointError) {
        try module.check(base: place.weight.shape)
      } catch {
        throw NoPlace(error, place.weight.shape)
      }
      return place
    } catch {
      throw .noPlace(module.file, module: module.name, reason: error.reason)
    }
  }
}
