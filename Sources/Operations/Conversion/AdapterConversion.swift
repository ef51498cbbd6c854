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
    let prepared = try await prepared(progress: .silent)
    var report = prepared.report
    report.summarize(
      prepared.sources.flatMap(\.modules),
      AdapterSpelling(settings, from: formats[0], adapters.map(\.file)), isAsked: asksForFormat)
    return report
  }

  /// - Throws: `OperationError`, `CheckpointError`, `SafetensorsError` from writing,
  ///   `CancellationError`.
  package func run(
    writing output: FilePath, progress: ProgressReporter
  ) async throws -> ConversionReport {
    let clock = ContinuousClock()
    let start = clock.now
    var (sources, others, report) = try await prepared(progress: progress)
    var modules = try await AdapterCombination(settings.combination, names: names)
      .combined(sources, threads: settings.threads, progress: progress)
    sources = []
    let stored = Set(adapters.flatMap(\.file.modules).map { $0.factorFormat })
    report.widened = modules.count { !stored.contains($0.factorFormat) }
    let reshaped = try await AdapterReshaping(settings.reshaping)
      .reshaped(modules, threads: settings.threads, progress: progress)
    modules = reshaped.modules
    report.reshaping = reshaped.report.map { $0.joined(to: report.reshaping) } ?? report.reshaping
    let spelling = AdapterSpelling(
      settings, from: formats[0], adapters.map(\.file), output: output)
    modules = spelling.stored(modules, losses: &report.losses)
    let result = try AdapterOutput(modules, others, spelled: spelling, to: output)
    var metadata = ConversionMetadata(settings: settings)
      .metadata(of: adapters, modules)
    metadata?[AlphaMetadata.key] = nil
    if let entry = result.adapterMetadata {
      metadata = (metadata ?? [:]).merging([AlphaMetadata.key: entry]) { $1 }
    }
    try Task.checkCancellation()
    var set = OutputSet()
    try result.add(to: &set, metadata: metadata)
    try set.commit()
    report.summarize(modules, spelling, isAsked: asksForFormat)
    report.files = result.files.map(\.path.string)
    report.bytes = result.files.reduce(0) { $0 + $1.tensors.reduce(0) { $0 + $1.byteCount } }
    report.seconds = (clock.now - start) / .seconds(1)
    return report
  }

  private var asksForFormat: Bool { settings.format != nil || settings.reshaping.target != nil }

  private var names: FamilyNames? {
    if case .family(let names) = naming { names } else { nil }
  }

  /// The modules of an adapter under the names of a format. Those that have none because of what they
  /// are become what is asked for first, and may have one then.
  private func renamed(
    _ modules: [AdapterModule], to format: AdapterFormat, _ naming: ModuleNaming,
    noting report: inout ConversionReport, progress: ProgressReporter
  ) async throws -> [AdapterModule] {
    let renaming = AdapterRenaming(naming, to: format)
    var modules = modules
    var renamed = try renaming.renamed(modules)
    let nameless = Set(renamed.unknown.map(\.module).filter(naming.knows))
    if !nameless.isEmpty, settings.reshaping.target != nil || settings.reshaping.bakesMagnitudes {
      let reshaped = try await AdapterReshaping(settings.reshaping).reshaped(
        modules.filter { nameless.contains($0.name) }, threads: settings.threads, progress: progress
      )
      let others = modules.filter { !nameless.contains($0.name) }
      modules = others + reshaped.modules
      report.reshaping = reshaped.report.map { $0.joined(to: report.reshaping) } ?? report.reshaping
      renamed = try renaming.renamed(modules)
    }
    report.split += renamed.split
    report.fused += renamed.fused
    report.duplicates += renamed.duplicates
    report.unmatched += renamed.unknown
    let unknown = Set(renamed.unknown.map(\.module))
    return renamed.modules + modules.filter { unknown.contains($0.name) }
  }

  /// The adapters under their new names, and tensors that go along.
  private func prepared(progress: ProgressReporter) async throws -> (
    sources: [AdapterCombination.Source], others: [TensorView], report: ConversionReport
  ) {
    var report = ConversionReport()
    report.from = formats.map(\.rawValue)
    report.family = family?.name
    report.evidence = evidence
    var sources: [AdapterCombination.Source] = []
    var others: [TensorView] = []
    for adapter in adapters {
      var modules = adapter.file.modules
      // Before anything is computed from them.
      for module in modules { try module.check() }
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
        modules = try await renamed(
          modules, to: format, naming, noting: &report, progress: progress)
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
