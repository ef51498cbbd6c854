package import ModelFamilies
import Tensors

/// A part of a denoiser that is computed as one: what gradient checkpointing computes twice at a time, and
/// what costs are counted by. It is made where a model's layers are known, so that nothing else reads paths.
package struct LayerUnit: Sendable {
  /// `down_blocks.1.attentions.0`
  package let path: String
  package private(set) var layers: [Member] = []

  /// What a layer takes of it.
  package struct Member: Sendable {
    package let path: String
    package let cost: @Sendable (StepSize) -> LayerCost

    package init(path: String, cost: @escaping @Sendable (StepSize) -> LayerCost) {
      self.path = path
      self.cost = cost
    }
  }

  package init(path: String) { self.path = path }

  package mutating func add(_ layer: Member) { layers.append(layer) }
}

extension LayerUnit {
  /// Units of text encoders through which gradients go: what has the same first number in its path.
  package static func units(of modules: [FamilyModule]) -> [LayerUnit] {
    var units: [LayerUnit] = []
    for module in modules where module.kind == .linear {
      let parts = module.path.split(separator: ".", omittingEmptySubsequences: false)
      let number = parts.firstIndex { Int($0) != nil } ?? 0
      let path = ([module.component] + parts[...number].map(String.init)).joined(separator: ".")
      if units.last?.path != path { units.append(LayerUnit(path: path)) }
      let (shape, isFirst) = (module.shape, units[units.count - 1].layers.isEmpty)
      units[units.count - 1].add(
        Member(path: "\(module.component).\(module.path)") { size in
          LayerCost(
            operations: 2 * Double(size.tokens) * Double(shape.count),
            kept: size.tokens * (shape.rows + shape.columns), keptIfAdapted: 0,
            boundary: isFirst ? size.tokens * shape.columns : 0)
        })
    }
    return units
  }
}

/// The extents of what one sample of a step is.
package struct StepSize: Hashable, Sendable {
  /// Of the latents.
  package let frames, height, width: Int
  /// Of the caption.
  package let tokens: Int
  /// Places of the latents of other pictures that are seen.
  package let shownPlaces: Int

  package init(frames: Int = 1, height: Int, width: Int, tokens: Int, shownPlaces: Int = 0) {
    self.frames = frames
    self.shownPlaces = shownPlaces
    self.height = height
    self.width = width
    self.tokens = tokens
  }
}

/// What one layer takes for one sample.
package struct LayerCost: Hashable, Sendable {
  /// Multiplications and additions of one pass.
  package let operations: Double
  /// Numbers that wait for the backward pass.
  package let kept: Int
  /// Those that wait besides where the layer is trained.
  package let keptIfAdapted: Int
  /// Numbers of its input that wait where its unit is computed twice; 0 but for the first of a unit.
  package let boundary: Int

  package init(operations: Double, kept: Int, keptIfAdapted: Int, boundary: Int) {
    self.operations = operations
    self.kept = kept
    self.keptIfAdapted = keptIfAdapted
    self.boundary = boundary
  }
}
