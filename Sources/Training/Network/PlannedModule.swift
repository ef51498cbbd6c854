package import Adapters
package import ModelFamilies
import Tensors

/// A module that gets an adapter.
package struct PlannedModule: Sendable {
  package let module: FamilyModule
  /// With the rank and alpha of this module, convolution or not.
  package let options: ModuleOptions
  /// Whether neurons are dropped as `networks.lora` does, rather than as LyCORIS.
  package let dropsAsKohya: Bool
  /// The factor of its learning rate, by the block it lies in.
  package let rateWeight: Float
  /// kohya's number of that block where blocks have rates of their own.
  package let block: Int?
  /// The place of the pattern that says its learning rate; nil where that is the common one.
  package var rateRule: Int?
  /// Rows of the parts of the layer that have factors of their own; empty where the layer is one.
  package var parts: [Int] = []

  package var algorithm: any TrainableAlgorithm.Type { options.algorithm }

  /// Whether DoRA wraps it.
  package var isDecomposed: Bool {
    options.decomposesWeight && algorithm.trainingOptions.contains(.weightDecomposition)
      && !algorithm.trainsWeight
  }

  /// How many numbers its factors hold, about.
  package var parameterCount: Int {
    let shapes = parts.map { Shape([$0, module.shape.columns]) }
    return (shapes.isEmpty ? [module.shape] : shapes).reduce(0) {
      $0 + algorithm.parameterCount(for: $1, rank: options.rank)
    }
  }

  /// In an adapter file.
  package var name: String { module.adapterName }

  package var isTextEncoder: Bool { module.isTextEncoder }

  /// That its weight can have first factors.
  /// - Throws: `NetworkError.settings`
  func check() throws(NetworkError) {
    guard !algorithm.trainsWeight else { return }
    do throws(AdapterError) {
      try algorithm.checkFirstFactors(for: module.shape, options.adapterSettings)
    } catch {
      throw .settings(module: name, error)
    }
  }

  /// `lora_unet_…: lokr, rank 8, alpha 4`
  package var summary: String {
    let alpha = options.alpha.map { $0 == 0 ? Float(options.rank) : $0 } ?? Float(options.rank)
    let rank = "\(name): \(algorithm.name), rank \(options.rank)"
    return switch algorithm.rankUse {
    case .scale: "\(rank), alpha \(alpha)" + (parts.isEmpty ? "" : ", \(parts.count) parts")
    case .blockExtent: rank
    case .nothing: "\(name): \(algorithm.name)"
    }
  }
}

/// A module that gets none, and why.
package struct OmittedModule: Sendable {
  package let module: FamilyModule
  package let reason: String
}
