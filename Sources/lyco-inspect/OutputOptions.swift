import ArgumentParser
import CommandSupport
import Machine
import Reports
import Safetensors
import SystemPackage

/// How results are told.
struct OutputOptions: ParsableArguments {
  @Flag(
    name: .customLong("json"),
    help: "Print the results as JSON: an object for one file, a list for several.")
  var asJSON = false

  @Option(
    name: .customLong("html"),
    help: ArgumentHelp(
      "Write the results as one page for browsers, of an adapter with its norms, spectra and faults.",
      valueName: "page"), completion: .file(extensions: ["html"]))
  var page: String?

  @Flag(name: .shortAndLong, help: "Show long values and lists whole.")
  var verbose = false

  @Flag(
    name: .shortAndLong, help: "Show no progress, and of faults and differences the status alone.")
  var quiet = false

  var pagePath: FilePath? { page.map { FilePath(named: $0) } }

  /// Looks at the place of the page before the work.
  /// - Parameters:
  ///   - files: what it is about.
  ///   - others: what they are compared with.
  /// - Throws: `ValidationError`, `SafetensorsError`
  func preparePage(of files: [String], comparedWith others: [String]) throws -> OutputPlace? {
    guard let page, let path = pagePath else { return nil }
    guard files.count == 1 else {
      throw ValidationError(
        "'--html': expected one file or folder, found \(files.count); a folder makes one page of all files in it"
      )
    }
    if let place = FileIdentity(path),
      let input = (files + others).first(where: { FileIdentity(FilePath(named: $0)) == place })
    {
      throw ValidationError(
        "'--html': expected a place of its own for the page, found the input '\(input.printable)'")
    }
    guard path.isWrittenThrough || HTMLPage.isAsked(by: path) else {
      throw ValidationError(
        "'--html': expected the name of a page, such as report.html, found '\(page)'")
    }
    return try OutputPlace(path, .text)
  }

  /// Writes the page and says so.
  /// - Throws: `SafetensorsError`
  func writePage(_ html: String) throws {
    guard let path = pagePath else { return }
    try path.write(html)
    if !quiet, !asJSON, !path.isWrittenThrough {
      StandardOutput.say("wrote \(path.string), \(ByteCount(html.utf8.count))")
    }
  }
}
