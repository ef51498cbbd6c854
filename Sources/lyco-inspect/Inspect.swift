import ArgumentParser
import Checkpoints
import CommandSupport
import Machine
import Operations
import Safetensors
import SystemPackage

/// `lyco-inspect FILE…`
@main
struct Inspect: Tool {
  static let configuration = CommandConfiguration(
    commandName: "lyco-inspect",
    abstract: "Say what a checkpoint, adapter or cache is and holds.",
    discussion: """
      Reads headers only, unless one of the options asks for values. A FILE may be a safetensors \
      file, plain or compressed with zstd, the index of a sharded checkpoint or a diffusers folder. Of any other folder all adapters \
      and checkpoints below it are listed.

      EXAMPLES
        lyco-inspect adapter.safetensors
        lyco-inspect adapter.safetensors --stats --spectrum
        lyco-inspect adapter.safetensors --check --against base.safetensors
        lyco-inspect model.safetensors --keys --pattern '.*attn2.*to_k.*'
        lyco-inspect adapter.safetensors --reader comfyui
        lyco-inspect adapter.safetensors --html report.html
        lyco-inspect base.safetensors --diff tuned.safetensors
        lyco-inspect *.safetensors --json
        lyco-inspect adapter.safetensors --metadata
        lyco-inspect folder/ --html catalogue.html
        lyco-inspect --finish folder/

      EXIT STATUS
        0 done, 1 a file could not be inspected, 2 '--check' found a fault, '--against' \
      a module without its layer or '--diff' tensors that differ, 64 wrong usage, \
      130 interrupted
      """,
    version: Suite.version)

  static let options = OptionTable.inspect
  static let normalization = ArgumentNormalization()

  @Argument(help: ArgumentHelp("What to inspect.", valueName: "file"), completion: .file())
  var files: [String]

  @Flag(
    name: .customLong("finish"),
    help:
      "First put the rest of a set of files in place that an interrupted run has replaced in part.")
  var finishes = false

  @OptionGroup(title: "Details") var details: DetailOptions
  @OptionGroup(title: "Comparison") var comparison: ComparisonOptions
  @OptionGroup(title: "Comparison") var reader: ReaderOptions
  @OptionGroup(title: "Files") var family: FamilyOptions
  @OptionGroup(title: "Output") var output: OutputOptions

  func work(_ given: GivenOptions) async throws {
    if finishes {
      for file in files {
        guard let finished = try Exchange.finish(at: FilePath(named: file), foreign: true) else {
          continue
        }
        StandardError.say(
          "\(file): \(finished.places.count) files are in place: "
            + finished.places.map(\.string).joined(separator: ", "))
      }
    }
    let page = try output.preparePage(
      of: files, comparedWith: [comparison.base, comparison.other].compactMap { $0 })
    defer { withExtendedLifetime(page) {} }
    let work = InspectionWork(
      details: details,
      comparison: try comparison.open(
        as: family.family, needsWeights: details.showsStatistics || page != nil),
      family: family.family, reader: reader.reader, output: output)
    var results: [String] = []
    var (isFirst, hasFailed, hasFault) = (true, false, false)
    for file in files {
      do {
        let path = FilePath(named: file)
        if let folder = CatalogueWork(path, as: family.family, details: details, output: output) {
          try CatalogueWork.check(given, folder: file)
          let catalogue = try await folder.catalogue()
          try tell(catalogue, isFirst: isFirst)
          isFirst = false
          if output.asJSON { results.append(catalogue.json) }
          hasFailed = hasFailed || !catalogue.faults.isEmpty
        } else {
          let report = try await work.report(on: path)
          try tell(report, isFirst: isFirst)
          isFirst = false
          if output.asJSON { results.append(report.json) }
          hasFault = hasFault || report.hasFault(checks: details.checks)
        }
      } catch let error where files.count > 1 && !(error is CancellationError) {
        StandardError.say("Error: \(error)")
        hasFailed = true
      }
    }
    if output.asJSON {
      await StandardOutput.asList(files.count > 1) { results.forEach(StandardOutput.writeJSON) }
    }
    if hasFailed { throw ExitCode(1) }
    if hasFault { throw ExitCode(2) }
  }

  private func tell(_ report: InspectionReport, isFirst: Bool) throws {
    if output.page != nil {
      try output.writePage(
        InspectionPage(report: report, showsMetadata: details.showsMetadata).html)
    } else if !output.asJSON, !output.quiet {
      let text = InspectionText(
        report, limit: details.limit, isVerbose: output.verbose,
        showsMetadata: details.showsMetadata)
      StandardOutput.write((isFirst ? "" : "\n") + text.text)
    }
  }

  private func tell(_ catalogue: Catalogue, isFirst: Bool) throws {
    for fault in catalogue.faults { StandardError.say("Error: \(fault.reason)") }
    if output.page != nil {
      try output.writePage(CataloguePage(catalogue: catalogue).html)
    } else if !output.asJSON, !output.quiet {
      let text = CatalogueText(
        catalogue: catalogue, limit: details.limit, isVerbose: output.verbose)
      StandardOutput.write((isFirst ? "" : "\n") + text.text)
    }
  }

  static func main() async { await start() }
}

extension InspectionReport {
  /// Whether what was asked for found something wrong.
  /// - Parameter checks: whether the check was asked for; a page has it in any case.
  fileprivate func hasFault(checks: Bool) -> Bool {
    checks && check?.findings.isEmpty == false || match?.isComplete == false
      || difference?.hasEqualTensors == false
  }
}
