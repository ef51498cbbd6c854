import Adapters
import Checkpoints
package import ModelFamilies
import OrderedCollections
import Safetensors
package import SystemPackage
import Tensors

/// One or several adapters turned into one: named anew, then combined, then factorized anew, then
/// spelled in the format asked for.
package struct AdapterConversion {
  private let adapters: [WeightedAdapter]
  private var settings: AdapterConversionSettings
  private let formats: [AdapterFormat]
  /// nil where names stay and nothing is known about them.
  private let naming: ModuleNaming?
  private let family: ModelFamily?
  private let evidence: [String]

  /// - Parameter base: whose names are those of the modules where no family knows them.
  /// - Throws: `OperationError.format` if an adapter is plainly not of the format it is said to have.
  package init(
    _ adapters: [WeightedAdapter], settings: AdapterConversionSettings, base: ModelLayout? = nil
  ) throws(OperationError) {
    self.adapters = adapters
    self.settings = settings
    formats = try adapters.map { adapter throws(OperationError) in
      let found = AdapterFormat.recognize(adapter.file)
      guard let stated = settings.source else { return found }
      guard stated.canBe(found) else {
        throw .format(
          adapter.file.file.path, stated: stated.rawValue, found: found.rawValue,
          module: adapter.file.modules[0].name)
      }
      return stated
    }
    // Adapters that are to become one have their names in one format.
    if settings.format == nil, Set(formats).count > 1 { self.settings.format = formats[0] }
    let largest = adapters.max { $0.file.modules.count < $1.file.modules.count }!.file
    let recognized = ModelFamily.recognize(
      adapterModules: largest.modules.map { ($0.name, $0.inputWidth) },
      metadata: largest.file.metadata)
    let family = settings.family ?? recognized.family
    self.family = family
    evidence =
      settings.family.map { ["'--family' says \($0.name)"] } ?? recognized.evidence
    naming =
      family.flatMap(FamilyNames.init).map(ModuleNaming.family) ?? base.map(ModuleNaming.checkpoint)
  }

  /// What is known before any work: formats, family, names.
  ///
  /// - Throws: `OperationError.unnamed`, `CheckpointError.duplicateModule`
  package func plan() async throws -> ConversionReport {
    try check()
    return try prepared(try await reshapedEarly(progress: .silent)).report
  }

  /// - Throws: `OperationError`, `CheckpointError`, `SafetensorsError` from writing,
  ///   `CancellationError`.
  package func run(
    writing output: FilePath, progress: ProgressReporter
  ) async throws -> ConversionReport {
    let clock = ContinuousClock()
    let start = clock.now
    try check()
    let early = try await reshapedEarly(progress: progress)
    var (sources, others, report) = try prepared(early)
    var modules = try await AdapterCombination(settings.combination, names: names)
      .combined(sources, threads: settings.threads, progress: progress)
    sources = []
    let stored = Set(adapters.flatMap(\.file.modules).map { $0.factorFormat })
    report.widened = modules.count { !stored.contains($0.factorFormat) }
    (modules, report.reshaping) = try await AdapterReshaping(settings.reshaping)
      .reshaped(modules, threads: settings.threads, progress: progress)
    let spelling = AdapterSpelling(
      settings, from: formats[0], adapters.map(\.file), output: output)
    var losses = ConversionLosses()
    modules = spelling.stored(modules, losses: &losses)
    report.add(losses)
    let result = try AdapterOutput(modules, others, spelled: spelling, to: output)
    var metadata = ConversionMetadata(settings: settings)
      .metadata(of: adapters, modules)
    metadata?[AlphaMetadata.key] = nil
    if let entry = result.adapterMetadata {
      metadata = (metadata ?? [:]).merging([AlphaMetadata.key: entry]) { $1 }
    }
    try result.write(metadata: metadata)
    report.summarize(modules, spelling, isAsked: asksForFormat)
    report.files = result.files.map(\.path.string)
    report.bytes = result.files.reduce(0) { $0 + $1.tensors.reduce(0) { $0 + $1.byteCount } }
    report.seconds = (clock.now - start) / .seconds(1)
    return report
  }

  /// Refuses modules whose tensors do not go together, before anything is computed from them.
  private func check() throws(CheckpointError) {
    for module in adapters.flatMap(\.file.modules) { try module.check() }
  }

  private var asksForFormat: Bool { settings.format != nil || settings.reshaping.target != nil }

  private var names: FamilyNames? {
    if case .family(let names) = naming { names } else { nil }
  }

  /// By input, modules without a name in the format because of what they are: in the algorithm asked
  /// for, in which they may have one.
  private func reshapedEarly(
    progress: ProgressReporter
  ) async throws -> [[String: AdapterModule]] {
    guard let format = settings.format, let naming,
      settings.reshaping.target != nil || settings.reshaping.bakesMagnitudes
    else { return [] }
    var reshaped: [[String: AdapterModule]] = []
    for adapter in adapters {
      let unknown = try AdapterRenaming(naming, to: format).renamed(adapter.file.modules).unknown
      let names = Set(unknown.map(\.module))
      let modules = adapter.file.modules.filter {
        names.contains($0.name) && naming.knows($0.name)
      }
      guard !modules.isEmpty else {
        reshaped.append([:])
        continue
      }
      let results = try await AdapterReshaping(settings.reshaping)
        .reshaped(modules, threads: settings.threads, progress: progress).modules
      reshaped.append(
        Dictionary(results.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first }))
    }
    return reshaped
  }

  /// The adapters under their new names, and tensors that go along.
  /// - Parameter early: modules that take the place of those of their names, by input.
  private func prepared(_ early: [[String: AdapterModule]] = []) throws -> (
    sources: [AdapterCombination.Source], others: [TensorView], report: ConversionReport
  ) {
    var report = ConversionReport()
    report.from = formats.map(\.rawValue)
    report.family = family?.name
    report.evidence = evidence
    var sources: [AdapterCombination.Source] = []
    var others: [TensorView] = []
    for (index, adapter) in adapters.enumerated() {
      var modules = adapter.file.modules
      if index < early.count { modules = modules.map { early[index][$0.name] ?? $0 } }
      report.read += modules.count
      for view in carried(of: adapter.file, noting: &report) {
        if let other = others.first(where: { $0.name == view.name }) {
          guard view.hasSameContents(as: other) else {
            throw OperationError.differingTensors(view.name, [other.file, view.file])
          }
        } else {
          others.append(view)
        }
      }
      if let format = settings.format {
        guard let naming else { throw OperationError.noNames(adapter.file.file.path, evidence) }
        let renamed = try AdapterRenaming(naming, to: format).renamed(modules)
        report.split += renamed.split
        report.fused += renamed.fused
        report.duplicates += renamed.duplicates
        report.unmatched += renamed.unknown
        let unknown = Set(renamed.unknown.map(\.module))
        modules = renamed.modules + modules.filter { unknown.contains($0.name) }
      }
      sources.append(
        AdapterCombination.Source(
          modules: modules, denoiserRatio: adapter.denoiserRatio,
          textEncoderRatio: adapter.textEncoderRatio))
    }
    others = try settings.bundle.tensors(others)
    report.carried = others.count
    guard report.unmatched.isEmpty || settings.isLenient else {
      throw OperationError.unnamed(
        report.unmatched, total: report.read, format: settings.format?.rawValue ?? "")
    }
    let spelling = AdapterSpelling(
      settings, from: formats[0], adapters.map(\.file))
    report.summarize(
      sources.flatMap(\.modules), spelling, isAsked: asksForFormat)
    return (sources, others, report)
  }

  /// Tensors of no module that go along under their own names: embeddings of a bundle, and whatever
  /// else if that is asked for.
  private func carried(
    of adapter: AdapterFile, noting report: inout ConversionReport
  ) -> [TensorView] {
    adapter.unrecognized.compactMap { key in
      if !key.hasPrefix(AdapterKey.bundlePrefix) {
        report.unmatched.append(
          UnmatchedModule(
            file: adapter.file.path.string, module: key,
            reason: RefusedFormat.recognize(key).map { "tensor of \($0.format.text)" }
              ?? "tensor of no known algorithm"))
      }
      return adapter.file.tensors[key]
    }
  }
}

extension ConversionReport {
  /// Counts what is written, and says what readers of the format will not take.
  fileprivate mutating func summarize(
    _ modules: [AdapterModule], _ spelling: AdapterSpelling, isAsked: Bool
  ) {
    let target = spelling.target
    to = target.rawValue
    alpha = spelling.policy.rawValue
    written = modules.count
    algorithms = [:]
    var unread: [String: Int] = [:]
    for module in modules {
      let name = module.algorithm.name
      algorithms[name, default: 0] += 1
      if !target.isRead(module.algorithm) { unread[name, default: 0] += 1 }
    }
    warnings = []
    // What a file already was, and nobody asked to change, needs no warning.
    if !unread.isEmpty, isAsked {
      let list = unread.sorted { $0.key < $1.key }.map { "\($0.value) \($0.key)" }
      let isTurned = unread.contains { $0.key != Norm.name }
      warnings.append(
        "programs that read \(target.rawValue) pass over \(list.joined(separator: " and ")) modules"
          + (isTurned ? "; '--algo lora' turns what is no norm into what they take" : ""))
    }
    let kinds = algorithms.keys
    if target == .peft, unread.isEmpty, kinds.count > 1 {
      warnings.append(
        "PEFT loads one algorithm at a time, and these are \(kinds.sorted().joined(separator: ", "))"
          + "; '--algo lora' makes them one")
    }
    let divided = target == .peft ? PEFTConfiguration.countOfOtherShapes(modules) : 0
    if divided > 0 {
      warnings.append(
        "PEFT divides weights by one factor, and \(divided) LoKr modules by others: it does not load "
          + "them; '--algo lora' turns them into what it loads")
    }
    if modules.contains(where: { $0.views.values.contains { $0.dtype.isFloat8 } }) {
      warnings.append("factors in 8 bit have two or three digits, and few programs load them")
    }
    let inputs = modules.count {
      target.namesMagnitudesAsPEFT && $0.views["dora_scale"] != nil
    }
    if inputs > 0 {
      warnings.append(
        "\(inputs) modules have DoRA by inputs, which programs that read \(target.rawValue) do not "
          + "know; '--bake_dora --base FILE' multiplies it out")
    }
  }
}
