import Adapters
import Checkpoints
import ModelFamilies
import OrderedCollections
import Safetensors
import Tensors

extension Inspection {
  /// Looks for what is wrong with the file: NaN, infinity, adapter modules that cannot work, hashes
  /// that are not those of the data.
  package func check(
    threads: Int, progress: ProgressReporter
  ) async throws -> InspectionReport.Check {
    var check = InspectionReport.Check()
    if hasFalseScales { check.find(Array(notes.prefix(1)), .scales) }
    let views = file.tensors.values.filter { view in
      // Codes may be kept in the guise of another format.
      let weight = base?.quantized.weights[view.name]
      return view.dtype.isConvertible && view.dtype.isFloatingPoint
        && (weight == nil || weight?.scaling != nil)
    }
    let statistics = try await measure(
      views, threads, "checking", progress, cost: \.byteCount
    ) { view in
      var found = TensorStatistics(name: view.name)
      found.add(view)
      return found
    }
    check.find(
      statistics.filter { !$0.isFinite }.map {
        "tensor '\($0.name)': \($0.nan) NaN and \($0.infinite) infinite of \($0.elements) numbers"
      }, .notFinite)
    let zero = Set(statistics.filter { $0.elements > 0 && $0.zeros == $0.elements }.map(\.name))
    if let adapter {
      checkModules(adapter, zero: zero, &check)
    } else {
      let weights = zero.filter { (file.tensors[$0]?.shape.dimensions.count ?? 0) > 1 }.sorted()
      check.notes += weights.map { "tensor '\($0)' is zero" }
    }
    try Task.checkCancellation()
    checkHashes(&check)
    return check
  }

  /// Whether the scales of 8-bit weights fit no weight, which the first note says.
  private var hasFalseScales: Bool {
    layout != nil && base == nil && file.tensors.values.contains(where: \.dtype.isFloat8)
  }

  private func checkModules(
    _ adapter: InspectedAdapter, zero: Set<String>, _ check: inout InspectionReport.Check
  ) {
    check.find(
      adapter.refused.map { format, modules in
        "\(modules.count) modules cannot be applied by other tools: \(format.text)"
      }.sorted(), .refused)
    check.find(
      adapter.orphans.map { key in
        if key.hasSuffix(".alpha") {
          return "tensor '\(key)': an alpha without the module it belongs to"
        }
        guard let suffix = AdapterKey(key)?.suffix, let shape = file.tensors[key]?.shape else {
          return "tensor '\(key)' belongs to no module of a known algorithm"
        }
        return "tensor '\(key)': no algorithm has '\(suffix)' alone or in the shape \(shape)"
      }, .orphan)
    check.find(
      adapter.duplicates.map { "tensor '\($0)' stands in the file under another spelling too" },
      .duplicate)
    var withoutAlpha: [String] = []
    var withoutRank: [String] = []
    var withoutEffect: [String] = []
    for module in adapter.modules {
      func find(_ text: String, _ advice: CheckAdvice) {
        check.find(["module '\(module.name)': \(text)"], advice)
      }
      for rival in module.rivals {
        find("has tensors of \(module.algorithm.name) and of \(rival)", .rivals)
      }
      if let fault = module.fault { find(fault, .factors) }
      if module.hasNoEffect(zero) { withoutEffect.append(module.name) }
      guard module.rank != nil || module.algorithm.boundsChange else {
        if module.algorithm is LoKr.Type { withoutRank.append(module.name) }
        continue
      }
      guard let view = module.alphaView else {
        guard module.recordedAlpha == nil, !module.algorithm.boundsChange else { continue }
        withoutAlpha.append(module.name)
        continue
      }
      guard let alpha = module.alpha else {
        find("alpha: expected one number, found \(view.dtype) \(view.shape)", .factors)
        continue
      }
      // Rotations are not bounded by numbers below 1.
      guard !module.algorithm.boundsChange else { continue }
      // NaN and infinity are found as such.
      if alpha == 0 { find("alpha is 0: the module has no effect", .alpha) }
      if alpha < 0 { find("alpha is \(alpha): the module's change is turned around", .alpha) }
    }
    checkMissingAlphas(withoutAlpha, among: adapter, &check)
    if let first = withoutRank.first, StatedNetwork(file.metadata).dividesByRoot {
      check.find(
        [
          "\(withoutRank.count) LoKr modules with both factors whole, first '\(first)', trained with "
            + "rs_lora: training scaled by the root of a rank that the file does not tell, every "
            + "loader by 1"
        ], .scaling)
    }
    if !withoutEffect.isEmpty, withoutEffect.count == adapter.modules.count {
      check.find(["every module is zero: the adapter has no effect"], .untrained)
    } else {
      check.notes += withoutEffect.map { "module '\($0)' is zero" }
    }
  }

  /// A file whose modules all lack alpha is of a tool that writes none; a single one has lost it.
  private func checkMissingAlphas(
    _ modules: [String], among adapter: InspectedAdapter, _ check: inout InspectionReport.Check
  ) {
    if adapter.modules.allSatisfy({ $0.alphaView == nil && $0.recordedAlpha == nil }) {
      if !modules.isEmpty {
        check.notes.append(
          "no module has an alpha: the scale is 1, unless a configuration says more")
      }
    } else {
      check.find(
        modules.map {
          "module '\($0)': alpha is missing, though other modules have one; the scale is 1"
        }, .alpha)
    }
  }
}

extension InspectedModule {
  /// Whether factors without which the module changes nothing are zero.
  fileprivate func hasNoEffect(_ zero: Set<String>) -> Bool {
    let zeros = Set(views.filter { zero.contains($0.value.name) }.keys)
    let hasBias = biasSuffixes.contains { views[$0] != nil && !zeros.contains($0) }
    let hasResidual = views[SparseResidual.valuesSuffix] != nil
    let hasMagnitude = WeightDecomposition<Tensor>.suffixes.contains { views[$0.name] != nil }
    guard !hasBias, !hasMagnitude, !hasResidual || zeros.contains(SparseResidual.valuesSuffix)
    else { return false }
    return algorithm.hasNoEffect(whereZero: zeros)
  }
}
