import ArgumentParser
import CommandSupport
import Machine
import Safetensors
import SystemPackage

/// What is recorded on the way.
struct LoggingOptions: ParsableArguments {
  @Option(
    name: .customLong("logging_dir"),
    help: ArgumentHelp("Folder for logs: TensorBoard's event files.", valueName: "folder"),
    completion: .directory)
  var folder: String?

  @Option(
    name: .customLong("log_with"),
    help: ArgumentHelp("tensorboard, csv or all.", valueName: "name"),
    completion: .list(OptionTable.words(of: "log_with", in: .train)))
  var format: String?

  @Option(
    name: .customLong("log_prefix"),
    help: ArgumentHelp("What its folder's name begins with.", valueName: "text"))
  var prefix = ""

  @Option(
    name: .customLong("log_tracker_name"),
    help: ArgumentHelp("Name of the run in the log.", valueName: "name"))
  var tracker = "network_train"

  @Option(
    name: .customLong("log_csv"),
    help: ArgumentHelp("A table of the steps.", valueName: "path"), completion: .file())
  var table: String?

  @Option(
    name: .customLong("html"),
    help: ArgumentHelp(
      """
      A page for browsers with curves, norms and samples, written anew while the run gets on; the same as JSON where the \
      name ends in .json.
      """, valueName: "file"), completion: .file())
  var page: String?

  func validate() throws {
    guard let page, !page.isEmpty else { return }
    let path = FilePath(named: page)
    guard ["html", "htm", "json"].contains(path.extension?.lowercased()) || path.isWrittenThrough
    else {
      throw ValidationError(
        "'--html': expected a name that ends in .html or .json, found '\(page.printable)'")
    }
  }

  /// Whether event files are written; nothing is uploaded, so they stand for other services.
  var writesEvents: Bool { folder != nil && format != "csv" }

  /// Where the table of steps goes, of an adapter of that name.
  func tablePath(for name: String) -> String? {
    if let table { return table }
    guard let folder, format == "csv" || format == "all" else { return nil }
    return "\(folder)/\(name).csv"
  }
}
