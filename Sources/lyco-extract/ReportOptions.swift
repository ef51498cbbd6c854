import ArgumentParser
import CommandSupport
import Machine
import Operations
import Reports
import Safetensors
import SystemPackage

/// What is told about the extraction, in the adapter and beside it.
struct ReportOptions: ParsableArguments {
  @Option(
    name: .customLong("report"),
    help: ArgumentHelp(
      """
      Write rank, kept energy and error of every module, the curve of error against size, and what was left out: a page \
      for browsers where the name ends in .html, else JSON.
      """, valueName: "file"), completion: .file())
  var path: String?

  @Flag(name: .customLong("no_metadata"), help: "Write no metadata into the adapter.")
  var omitsMetadata = false

  @OptionGroup var entries: MetadataEntryOptions

  func metadata(for output: FilePath) -> ExtractionMetadata {
    let file = output.lastComponent?.string ?? ""
    let name = file.split(separator: ".").first.map(String.init) ?? file
    return ExtractionMetadata(isWritten: !omitsMetadata, name: name, added: entries.added)
  }

  func write(_ report: ExtractionReport) throws {
    guard let path else { return }
    let file = FilePath(named: path)
    try file.write(HTMLPage.isAsked(by: file) ? ExtractionPage(report).html : report.json)
  }
}
