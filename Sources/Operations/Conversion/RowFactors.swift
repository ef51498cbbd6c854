import Adapters
import Checkpoints
import LinearAlgebra
import Safetensors
import Tensors

/// A module seen by the rows of its weight: which of its stored factors hold them, and which all rows
/// share.
struct RowFactors {
  let module: AdapterModule
  /// Rows of the weight.
  let count: Int
  /// By suffix, how many rows of the weight one row of the factor stands for.
  let steps: [String: Int]

  /// - Throws: `NoPlace` if the factors cannot be cut by rows.
  init(of module: AdapterModule) throws(NoPlace) {
    let shapes = module.shapes
    guard shapes[reshapeSuffix.name] == nil else {
      throw NoPlace("it extends the weight, which is but a part of a layer there")
    }
    guard var steps = module.algorithm.storedRows(of: shapes) else {
      throw NoPlace(AdapterModule.hint(module.algorithm))
    }
    for suffix in biasSuffixes where shapes[suffix] != nil { steps[suffix] = 1 }
    try self.init(module, shapes, steps)
  }

  private init(
    _ module: AdapterModule, _ shapes: [String: Shape], _ steps: [String: Int]
  ) throws(NoPlace) {
    var steps = steps
    self.module = module
    count =
      steps.first.map { suffix, step in
        step * (biasSuffixes.contains(suffix) ? shapes[suffix]?.count : shapes[suffix]?.rows)!
      } ?? 0
    if let magnitude = module.magnitude {
      let weight = module.algorithm.weightShape(of: shapes) ?? [count, 0]
      guard (try? WeightDecomposition<Tensor>.axis(of: shapes, for: weight)) == .outputs else {
        throw NoPlace(
          "its DoRA normalizes over the inputs of the whole layer; '--bake_dora --base FILE' "
            + "multiplies it out")
      }
      steps[magnitude.suffix] = 1
    }
    self.steps = steps
    for (suffix, step) in steps {
      let extents = shapes[suffix]?.dimensions ?? []
      guard extents.first(where: { $0 != 1 }) ?? 1 == count / step, count % step == 0 else {
        throw NoPlace("'\(suffix)' of \(Shape(extents)) beside \(count) rows")
      }
    }
  }

  /// Whether every factor has a row that begins there.
  func isBoundary(_ row: Int) -> Bool { steps.values.allSatisfy { row % $0 == 0 } }

  /// The least range around another that cuts no factor's row.
  func cover(of range: Range<Int>) -> Range<Int> {
    // All steps but one are 1: only the outer factor of LoKr stands for several rows.
    let step = steps.values.max() ?? 1
    return range.lowerBound / step * step..<(range.upperBound + step - 1) / step * step
  }

  /// The module of some rows; nil if a factor's row would be cut.
  func rows(_ range: Range<Int>) -> AdapterModule? {
    guard isBoundary(range.lowerBound), isBoundary(range.upperBound) else { return nil }
    return module.replacing(
      steps.reduce(into: module.views) { views, entry in
        let (suffix, step) = entry
        views[suffix] = views[suffix]?.rows(
          range.lowerBound / step..<range.upperBound / step, of: count / step)
      })
  }

  /// The module with the upper half of the rows below the lower one; nil if that cuts a factor's row.
  func swappingHalves() -> AdapterModule? {
    guard count % 2 == 0, isBoundary(count / 2) else { return nil }
    return module.replacing(
      steps.reduce(into: module.views) { views, entry in
        views[entry.key] = views[entry.key]?.swappingHalves(of: count / entry.value)
      })
  }
}

extension AdapterModule {
  /// Whether it is a DoRA by outputs, as far as its shapes tell.
  var hasOutputMagnitudes: Bool { algorithm.magnitudeAxis(of: shapes) == .outputs }

  /// The tensor of DoRA's magnitudes.
  var magnitude: (suffix: String, view: TensorView)? {
    for suffix in WeightDecomposition<Tensor>.suffixes {
      if let view = views[suffix.name] { return (suffix.name, view) }
    }
    return nil
  }

  /// Why a module cannot be cut or put together, and what to do.
  fileprivate static func hint(_ algorithm: any AdapterAlgorithm.Type) -> String {
    "\(algorithm.name) of this form has no rows that could be cut; '--algo lora' turns it into LoRA, "
      + "with '--base FILE' where that needs the weights"
  }

  /// The same change as LoRA in f32, at the lowest rank that holds it, with scale 1; a change of the
  /// bias and magnitudes of DoRA stay.
  /// - Throws: `NoPlace` if the change is no product of low rank.
  func asLowRank() throws(NoPlace) -> AdapterModule {
    let companions = biasSuffixes.union(WeightDecomposition<Tensor>.suffixes.map(\.name))
    guard let weight = algorithm.weightShape(of: shapes), algorithm is any LowRankAlgorithm.Type
    else { throw NoPlace(Self.hint(algorithm)) }
    let change: LowRankChange?
    do {
      change = try replacing(views.filter { !companions.contains($0.key) })
        .adapter(for: weight).lowRankChange(for: weight)
    } catch {
      throw NoPlace("\(error)")
    }
    guard let change else {
      throw NoPlace(Self.hint(algorithm))
    }
    var views = views.filter { companions.contains($0.key) }
    for (suffix, tensor) in change.factors.values {
      views[suffix] = TensorView(
        "\(name).\(suffix)", EncodedTensor(tensor, as: .f32), from: file)
    }
    return AdapterModule(
      name: name, algorithm: LoRA.self, views: views, alpha: nil,
      keepsInputsFirst: keepsInputsFirst,
      file: file)
  }
}
