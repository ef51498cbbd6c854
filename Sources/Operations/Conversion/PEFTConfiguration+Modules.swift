import Adapters
import Checkpoints
import Tensors

extension PEFTConfiguration {
  /// The configuration of one component.
  /// - Parameter modules: under their full names, as stored; `prefix` ends before PEFT's own paths.
  init(_ modules: [AdapterModule], prefix: String) {
    let readable: [any AdapterAlgorithm.Type] = [LoRA.self, LoHa.self, LoKr.self]
    let kind = readable.max { a, b in
      modules.count { $0.algorithm == a } < modules.count { $0.algorithm == b }
    }
    let algorithm = kind ?? LoRA.self
    let members = modules.filter { $0.algorithm == algorithm }
    self.init(
      algorithm,
      // Of others too, which PEFT leaves alone, the file says the alphas nowhere else.
      modules: modules.compactMap { module in
        guard let rank = module.rank ?? module.wholeRank else { return nil }
        return Module(
          path: Self.path(module.name.dropFirst(prefix.count)), rank: rank,
          alpha: module.rank == nil ? module.totalScale * Float(rank) : module.alpha ?? Float(rank))
      })
    usesDoRA = members.contains { $0.magnitude != nil }
    keepsInputsFirst = members.contains { $0.keepsInputsFirst == true }
    hasBias = members.contains { $0.biasView != nil }
    guard algorithm != LoRA.self else { return }
    let shapes = members.map(\.shapes)
    details["use_effective_conv2d"] = .flag(
      shapes.contains { $0["hada_t1"] != nil || $0["lokr_t2"] != nil })
    guard algorithm == LoKr.self else { return }
    details["decompose_both"] = .flag(shapes.contains { $0["lokr_w1_a"] != nil })
    details["decompose_factor"] = .integer(Self.factor(of: shapes))
  }

  /// PEFT takes what ends in a path. Without its outer level the path of a text encoder is found with
  /// and without it: transformers 5 dropped it.
  private static func path(_ name: Substring) -> String {
    let outer = "text_model."
    return String(name.hasPrefix(outer) ? name.dropFirst(outer.count) : name)
  }

  /// The LoKr modules that are divided otherwise than PEFT would, so that it cannot load them: it has one factor for
  /// all layers.
  static func namesOfOtherShapes(
    _ modules: [(name: String, algorithm: any AdapterAlgorithm.Type, shapes: [String: Shape])]
  ) -> Set<String> {
    let modules = modules.filter { $0.algorithm == LoKr.self }
    let factor = factor(of: modules.map(\.shapes))
    return Set(modules.filter { !fits($0.shapes, factor) }.map(\.name))
  }

  /// The LoKr modules of which PEFT makes a whole matrix where the file has a product, or the other way around: what
  /// it then does not find stays as it begins, and the change is another. A matrix is whole where the rank reaches half
  /// of its greater extent; w1 is otherwise divided only where that of some module of the file is.
  ///
  /// Source: PEFT `tuners/lokr/layer.py`, `update_layer`.
  static func namesOfOtherParts(
    _ modules: [(name: String, algorithm: any AdapterAlgorithm.Type, shapes: [String: Shape])]
  ) -> Set<String> {
    let modules = modules.filter { $0.algorithm == LoKr.self }
    let dividesBoth = modules.contains { $0.shapes["lokr_w1_a"] != nil }
    return Set(
      modules.filter { module in
        let shapes = module.shapes
        guard let rank = (shapes["lokr_w2_b"] ?? shapes["lokr_w1_b"])?.rows,
          let outer = greaterExtent("lokr_w1", shapes), let inner = greaterExtent("lokr_w2", shapes)
        else { return false }
        let dividesOuter = dividesBoth && 2 * rank < outer
        return dividesOuter != (shapes["lokr_w1_a"] != nil)
          || (2 * rank < inner) != (shapes["lokr_w2_a"] != nil)
      }.map(\.name))
  }

  /// Of a matrix that is whole or a product, without its kernel where it is whole or has a core.
  private static func greaterExtent(_ name: String, _ shapes: [String: Shape]) -> Int? {
    if let whole = shapes[name] { return max(whole.rows, whole.inputs) }
    guard let left = shapes[name + "_a"], let right = shapes[name + "_b"] else { return nil }
    return max(
      shapes["lokr_t2"] != nil && name == "lokr_w2" ? left.columns : left.rows, right.columns)
  }

  /// The factor by which PEFT divides weights as most of these are; -1 is its own choice.
  private static func factor(of shapes: [[String: Shape]]) -> Int {
    var factors = [-1]
    for shapes in shapes {
      guard let outer = shapes["lokr_w1"] ?? shapes["lokr_w1_a"] else { continue }
      for factor in [outer.rows, outer.columns] where !factors.contains(factor) {
        factors.append(factor)
      }
    }
    return factors.prefix(32).max { a, b in
      shapes.count { fits($0, a) } < shapes.count { fits($0, b) }
    } ?? -1
  }

  /// Whether PEFT would make an outer factor of that shape.
  private static func fits(_ shapes: [String: Shape], _ factor: Int) -> Bool {
    guard let weight = LoKr.weightShape(of: shapes),
      let outer = shapes["lokr_w1"]
        ?? shapes["lokr_w1_a"].map({ [$0.rows, shapes["lokr_w1_b"]?.columns ?? 0] })
    else { return false }
    /// Unlike LyCORIS, PEFT does not put the smaller part first where the factor divides.
    func first(_ extent: Int) -> Int {
      factor > 0 && extent % factor == 0 ? factor : evenFactors(of: extent, factor: factor).0
    }
    return outer.dimensions == [first(weight.rows), first(weight.inputs)]
  }
}

extension AdapterModule {
  /// A rank at which PEFT does not divide a LoKr whose factors are whole; nil for anything else.
  fileprivate var wholeRank: Int? {
    [shapes["lokr_w1"], shapes["lokr_w2"]].compactMap { $0.map { max($0.rows, $0.columns) } }.max()
  }
}
