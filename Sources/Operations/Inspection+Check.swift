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
    if hasFalseScales { check.findings += notes.prefix(1) }
    let views = file.tensors.values.filter { $0.dtype.isConvertible && $0.dtype.isFloatingPoint }
    let statistics = try await measure(
      views, threads, "checking", progress, cost: \.byteCount
    ) { view in
      var found = TensorStatistics(name: view.name)
      found.add(view)
      return found
    }
    check.findings += statistics.filter { !$0.isFinite }.map {
      "tensor '\($0.name)': \($0.nan) NaN and \($0.infinite) infinite of \($0.elements) numbers"
    }
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
    check.findings += adapter.orphans.map {
      $0.hasSuffix(".alpha")
        ? "tensor '\($0)': an alpha without the module it belongs to"
        : "tensor '\($0)' belongs to no module of a known algorithm"
    }
    check.findings += adapter.duplicates.map {
      "tensor '\($0)' stands in the file under another spelling too"
    }
    var withoutAlpha: [String] = []
    var withoutEffect: [String] = []
    for module in adapter.modules {
      func find(_ text: String) { check.findings.append("module '\(module.name)': \(text)") }
      for rival in module.rivals {
        find("has tensors of \(module.algorithm.name) and of \(rival)")
      }
      for fault in module.algorithm.faults(in: module.shapes) { find(fault) }
      if module.hasNoEffect(zero) { withoutEffect.append(module.name) }
      guard module.algorithm.isScaled, module.rank != nil else { continue }
      guard let view = module.alphaView else {
        guard module.recordedAlpha == nil else { continue }
        withoutAlpha.append(module.name)
        continue
      }
      guard let alpha = module.alpha else {
        find("alpha: expected one number, found \(view.dtype) \(view.shape)")
        continue
      }
      // NaN and infinity are found as such.
      if alpha == 0 { find("alpha is 0: the module has no effect") }
      if alpha < 0 { find("alpha is \(alpha): the module's change is turned around") }
    }
    checkMissingAlphas(withoutAlpha, among: adapter, &check)
    if withoutEffect.count == adapter.modules.count {
      check.findings.append("every module is zero: the adapter has no effect")
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
      check.findings += modules.map {
        "module '\($0)': alpha is missing, though other modules have one; the scale is 1"
      }
    }
  }
}

extension InspectedModule {
  /// Whether a factor that makes the change zero is zero, or the whole change is.
  fileprivate func hasNoEffect(_ zero: Set<String>) -> Bool {
    guard !views.isEmpty else { return false }
    switch algorithm {
    case .foreign: return views.values.allSatisfy { zero.contains($0.name) }
    case .known:
      let hasBias = biasSuffixes.contains { views[$0].map { !zero.contains($0.name) } ?? false }
      let hasResidual = views["bias_values"].map { !zero.contains($0.name) } ?? false
      guard !hasBias, !hasResidual else { return false }
      let factors = views.filter { algorithm.markers.contains($0.key) }.values
      return factors.contains { zero.contains($0.name) }
    }
  }
}
