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
  /// By names and metadata, whatever `--family` says.
  private let recognized: ModelFamily?
  /// What metadata may say: nil where names fit several.
  private let statedFamily: ModelFamily?
  private let evidence: [String]

  /// - Parameter base: whose names are those of the modules where no family knows them.
  /// - Throws: `OperationError.format` if an adapter is plainly not of the format it is said to have,
  ///   `.blockWeights` for a list of another model's length.
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
    // '--family' is the user's word for all of them.
    if settings.family == nil { try Self.checkModels(adapters) }
    let largest = adapters.max { $0.file.modules.count < $1.file.modules.count }!.file
    let recognized = Self.recognize(
      largest, among: adapters,
      base: base?.family ?? settings.base?.layout.family)
    let family = settings.family ?? recognized.family
    self.family = family
    self.recognized = recognized.family
    statedFamily = settings.family ?? (recognized.rivals.isEmpty ? recognized.family : nil)
    evidence =
      settings.family.map { ["'--family' says \($0.name)"] } ?? recognized.evidence
    try Self.check(settings.combination.blockWeights, for: family, largest)
    naming =
      family.flatMap(FamilyNames.init).map(ModuleNaming.family) ?? base.map(ModuleNaming.checkpoint)
    // What the user says of names wins over what the program that is to read them has.
    if settings.format == nil, let reader = settings.reader,
      naming != nil || reader.namings[formats[0]] == nil
    {
      self.settings.format = reader.format(for: family)
    }
    // Adapters that are to become one have their names in one format; and layers named by processors get names,
    // some of them several.
    let keys = adapters.lazy.flatMap { $0.file.file.tensors.keys }
    if self.settings.format == nil,
      Set(formats).count > 1 || keys.contains(where: ProcessorNames.names)
    {
      self.settings.format = formats[0]
    }
    if settings.family == nil, let format = self.settings.format {
      for adapter in adapters { try recognized.requireOneMeaning(of: adapter.file, in: format) }
    }
  }

  /// What would be written: all of the work but the writing, so that it says what `run` says and fails where that
  /// fails.
  ///
  /// - Parameter output: where it would be written; it is not touched.
  /// - Throws: as `run`, but for errors of writing.
  package func plan(
    writing output: FilePath, progress: ProgressReporter
  ) async throws -> ConversionReport {
    try await computed(for: output, progress).report
  }

  /// - Parameter announce: called with what is known when all is computed and nothing is written yet.
  /// - Throws: `OperationError`, `CheckpointError`, `SafetensorsError` from writing,
  ///   `CancellationError`.
  package func run(
    writing output: FilePath, progress: ProgressReporter,
    announce: (ConversionReport) -> Void = { _ in }
  ) async throws -> ConversionReport {
    let clock = ContinuousClock()
    let start = clock.now
    let finished = try await computed(for: output, progress)
    var report = finished.report
    announce(report)
    var set = OutputSet()
    try finished.output.add(to: &set, metadata: finished.metadata)
    try set.commit()
    report.bytes = finished.output.files.reduce(0) { $0 + $1.path.byteCount }
    report.seconds = (clock.now - start) / .seconds(1)
    return report
  }

  private typealias Finished = (
    output: AdapterOutput, metadata: [String: String]?, report: ConversionReport
  )

  private func computed(
    for output: FilePath, _ progress: ProgressReporter
  ) async throws -> Finished {
    var (sources, others, report) = try await prepared(progress: progress)
    let combination = AdapterCombination(settings.combination, names: names)
    report.leftOut = combination.leftOut(of: sources)
    // Beside the work: it takes one thread the longer, the larger the sources are.
    async let hashed = ConversionMetadata.provenance(of: adapters, settings)
    let modules = try await combination.combined(
      sources, threads: settings.threads, progress: progress)
    sources = []
    let stored = Set(adapters.flatMap(\.file.modules).map { $0.factorFormat })
    report.widened = modules.count { !stored.contains($0.factorFormat) }
    var finished = try await finished(
      modules, others, report,
      ConversionMetadata(settings: settings, family: statedFamily, provenance: await hashed),
      for: output, progress)
    try Task.checkCancellation()
    finished.report.files = finished.output.files.map(\.path.string)
    finished.report.bytes = finished.output.byteCount(metadata: finished.metadata)
    return finished
  }

  /// What is written, at ranks that keep within the limit of a file's size where there is one.
  private func finished(
    _ modules: [AdapterModule], _ others: [TensorView], _ report: ConversionReport,
    _ facts: ConversionMetadata, for output: FilePath, _ progress: ProgressReporter
  ) async throws -> Finished {
    let limit = settings.reshaping.sizeLimit
    // What is no module: the metadata, and tensors that are carried along with their entries. How long
    // names become in the format is known at the end alone; then a second round takes it into account.
    var reserved = 0
    if limit != nil {
      let metadata = facts.metadata(of: adapters, modules)
      reserved = AdapterWriter.byteCount(of: others, metadata: metadata)
    }
    while true {
      var report = report
      var wanted = settings.reshaping
      // Where nothing else says that the adapter is to stay as it is.
      wanted.turnsMagnitudes =
        wanted.base != nil && modules.contains(where: \.hasOutputMagnitudes)
        && settings.format.map {
          AdapterReader.takesInputMagnitudes(settings.reader, format: $0, family)
        } ?? false
      let reshaping = AdapterReshaping(wanted)
      let turned = Set(modules.filter(reshaping.turns).map(\.name))
      let reshaped = try await reshaping.reshaped(
        modules, reserving: reserved, threads: settings.threads, progress: progress)
      if let error = reshaped.report?.relativeError(of: turned) {
        report.warnings.append(
          "\(turned.count) modules of DoRA by outputs became DoRA by inputs, with a relative error of "
            + "\(error) of their change; '--dim' with a higher rank lessens it")
      }
      report.reshaping =
        reshaped.report.map { $0.joined(to: report.reshaping) } ?? report.reshaping
      report.leftOut += reshaped.report?.leftOut ?? []
      let spelling = AdapterSpelling(
        settings, from: formats[0], adapters.map(\.file), output: output)
      let stored = spelling.stored(reshaped.modules, losses: &report.losses)
      let result = try AdapterOutput(stored, others, spelled: spelling, to: output)
      var metadata = facts.metadata(of: adapters, stored)
      metadata?[StatedConfiguration.key] = nil
      if let entry = result.adapterMetadata {
        metadata = (metadata ?? [:]).merging([StatedConfiguration.key: entry]) { $1 }
      }
      let excess = limit.map { result.byteCount(metadata: metadata) - $0 } ?? 0
      guard excess > 0 else {
        report.summarize(
          stored, spelling, of: family, for: settings.reader, isAsked: asksForFormat)
        return (result, metadata, report)
      }
      reserved += excess
    }
  }

  private var asksForFormat: Bool {
    settings.format != nil || settings.reader != nil || settings.reshaping.target != nil
  }

  /// Block weights that fit nothing, numbers that were read from text.
  private var notices: [String] {
    var notices = adapters.flatMap(\.file.notices)
    for (adapter, weights) in zip(adapters, settings.combination.blockWeights) {
      let found = weights.notices(on: adapter.file.modules.map(\.name), in: names)
      notices += found.filter { !notices.contains($0) }
    }
    if settings.reshaping.bakesMagnitudes,
      !adapters.contains(where: { $0.file.modules.contains { $0.magnitude != nil } })
    {
      notices.append("'--bake_dora' has no effect: no module has magnitudes of DoRA")
    }
    return notices
  }

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
    report.warnings = notices
    var sources: [AdapterCombination.Source] = []
    var others: [TensorView] = []
    for adapter in adapters {
      var modules = adapter.file.modules
      // Before anything is computed from them.
      for module in modules { try module.check() }
      try Self.requirePlaces(of: adapter.file, in: settings.base)
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
        report.unmatched, total: report.read, format: settings.format?.rawValue ?? "",
        recognized: recognized == family ? nil : recognized)
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
