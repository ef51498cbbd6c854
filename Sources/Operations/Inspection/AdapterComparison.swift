import Adapters
import Checkpoints
import LinearAlgebra
import ModelFamilies
import Safetensors
import Tensors

/// Two adapters by what they do to the weights of a model: modules are paired by their place, whatever
/// tool named them, and their scale × ΔW compared, whatever factors it is a product of.
struct AdapterComparison {
  /// A module of both.
  struct Pair: Sendable {
    let name: String
    let here: AdapterModule
    let there: AdapterModule

    /// Elements and bytes to work on. Of a weight that is too large to be held, and refused, no more than
    /// 2⁴⁰, so that costs can be added.
    var cost: Int {
      min(here.algorithm.weightShape(of: here.shapes)?.count ?? 0, 1 << 40)
        + here.views.values.reduce(0) { $0 + $1.byteCount }
    }
  }

  /// ‖a − b‖², ‖a‖² and ‖b‖² of two changes.
  struct Distance: Sendable {
    var difference = 0.0
    var here = 0.0
    var there = 0.0
    /// What was compared in place of ΔW.
    var note: String?

    /// Relative distances below this are what products in f32 round to.
    private static let rounding = 1e-6

    var isEqual: Bool {
      difference <= Self.rounding * Self.rounding * max(here, there)
    }
    var relative: Double? { here > 0 ? (difference / here).squareRoot() : nil }
    var cosine: Double? {
      guard here > 0, there > 0 else { return nil }
      return min(max((here + there - difference) / (2 * (here * there).squareRoot()), -1), 1)
    }
  }

  private let pairs: [Pair]
  private let onlyHere: [String]
  private let onlyThere: [String]

  init(_ here: AdapterFile, _ there: AdapterFile, _ pattern: InspectionPattern) {
    let format = AdapterFormat.recognize(here)
    // Only names matter for pairing: tiny models have those of their family, and other widths.
    let family =
      ModelFamily.recognize(
        adapterModules: here.modules.map { NamedModule($0.name) },
        metadata: here.familyMetadata
      ).family
    let naming = family.flatMap(FamilyNames.init).map(ModuleNaming.family)
    /// Under the names that the first adapter's format has, weights fused or split as there.
    func named(_ modules: [AdapterModule]) -> [AdapterModule] {
      guard let naming, let found = try? AdapterRenaming(naming, to: format).renamed(modules)
      else { return modules }
      let unknown = Set(found.unknown.map(\.module))
      return found.modules + modules.filter { unknown.contains($0.name) }
    }
    let first = pattern.filter(named(here.modules)) { $0.name }
    let second = pattern.filter(named(there.modules)) { $0.name }
    let others = Dictionary(second.map { ($0.name, $0) }) { first, _ in first }
    let names = Set(first.map(\.name))
    pairs = first.compactMap { module in
      others[module.name].map { Pair(name: module.name, here: module, there: $0) }
    }
    onlyHere = first.map(\.name).filter { others[$0] == nil }
    onlyThere = second.map(\.name).filter { !names.contains($0) }
  }

  /// - Parameter measure: the distances of pairs, in their order; nil of shapes that differ.
  func add(
    to found: inout FileDifference, measure: ([Pair]) async throws -> [Distance?]
  ) async throws {
    found.comparison = .changes
    found.onlyHere = onlyHere
    found.onlyThere = onlyThere
    var total = Distance()
    for (pair, distance) in zip(pairs, try await measure(pairs)) {
      guard let distance else {
        found.reshaped.append(
          .init(name: pair.name, here: pair.here.summary, there: pair.there.summary))
        continue
      }
      total.difference += distance.difference
      total.here += distance.here
      total.there += distance.there
      if distance.isEqual {
        found.equal += 1
      } else {
        let isFinite = distance.difference.isFinite
        found.changed.append(
          .init(
            name: pair.name, change: isFinite ? distance.difference.squareRoot() : nil,
            relativeChange: isFinite ? distance.relative : nil,
            cosine: isFinite ? distance.cosine : nil, note: distance.note))
      }
    }
    found.changed.sort {
      ($1.change ?? .infinity, $0.name) < ($0.change ?? .infinity, $1.name)
    }
    if total.difference.isFinite, !pairs.isEmpty {
      found.total = .init(relativeChange: total.relative, cosine: total.cosine)
    }
  }
}

extension AdapterComparison.Pair {
  /// nil where the two change weights of other shapes, or need the weight and are of other algorithms.
  /// - Throws: `CheckpointError`, `AdapterError`, `OperationError.workingMemory`
  func distance() throws -> AdapterComparison.Distance? {
    let (first, second) = (try here.effect(), try there.effect())
    guard first.parts.count == second.parts.count,
      zip(first.parts, second.parts).allSatisfy({ $0.count == $1.count }),
      first.needsWeight == second.needsWeight,
      !first.needsWeight || here.algorithm.name == there.algorithm.name
    else { return nil }
    var distance = AdapterComparison.Distance()
    for (a, b) in zip(first.parts, second.parts) {
      distance.difference += a.squaredDistance(to: b.reshaped(a.shape))
      distance.here += a.sumOfSquares
      distance.there += b.sumOfSquares
    }
    if first.needsWeight {
      distance.note = "factors: what \(here.algorithm.name) does depends on the weight"
    }
    return distance
  }
}

extension AdapterModule {
  /// `lora [320, 768]`
  fileprivate var summary: String {
    algorithm.name + (algorithm.weightShape(of: shapes).map { " \($0)" } ?? "")
  }

  /// What the module does, as tensors: scale × ΔW, or the factors where that depends on the weight; DoRA's
  /// magnitudes; the change of the bias.
  /// - Throws: `CheckpointError`, `AdapterError`, `OperationError.workingMemory`
  fileprivate func effect() throws -> (parts: [Tensor], needsWeight: Bool) {
    var parts: [Tensor] = []
    var needsWeight = false
    if changesWeight {
      let shape = algorithm.weightShape(of: shapes) ?? []
      // The change of the other adapter, and this one with what it is made of.
      try WorkingMemory.require(shape, copies: 3, for: name)
      let adapter = try adapter(for: shape)
      let inner = Adapter(algorithm: adapter.algorithm, factors: adapter.factors)
      switch try inner.delta() {
      case .whole(let tensor): parts.append(tensor)
      case .product(let left, let right): parts.append(left.matmul(right))
      case nil:
        needsWeight = true
        parts += adapter.factors.values.sorted { $0.key < $1.key }.map(\.value)
        parts.append(Tensor(scalar: adapter.factors.scale))
      }
      if let decomposition = adapter.decomposition { parts.append(decomposition.magnitude) }
    }
    if let bias = try biasChange()?.values[Full.difference] { parts.append(bias) }
    return (parts, needsWeight)
  }
}
