import ArgumentParser
import CommandSupport
import Machine
import Safetensors
import SystemPackage

/// Where pictures go, and what is said of the work.
struct PictureOutputOptions: ParsableArguments {
  @Option(
    name: [.customShort("o"), .customLong("output"), .customLong("outdir")],
    help: ArgumentHelp(
      "A PNG file, of which several pictures get numbers (out-000.png), or a folder.",
      valueName: "path"), completion: .file())
  var path: String?

  @Option(
    help: ArgumentHelp(
      "All pictures in one with labels: a row for each prompt and seed, a column for the base and each "
        + "adapter, or for each strength of one.", valueName: "path"), completion: .file())
  var grid: String?

  @Option(
    help: ArgumentHelp(
      "Write what is there yet after every so many steps, beside the pictures.", valueName: "n"))
  var preview: Int?

  @Option(
    help: ArgumentHelp(
      "Default: the number of cores, 1 for small models. Pictures do not depend on it.",
      valueName: "n"))
  var threads: Int?

  @Flag(name: .customLong("dry_run"), help: "Print what would be drawn, and draw nothing.")
  var isDryRun = false

  @Flag(
    name: .customLong("overwrite"),
    help:
      "Let several pictures, those in a folder and previews take the place of what is there already."
  )
  var overwrites = false

  @Flag(
    name: .shortAndLong,
    help:
      "Print errors and warnings only. What '--json' and '--dry_run' ask for is printed all the same."
  )
  var quiet = false

  @Flag(name: .customLong("json"), help: "Print the result as JSON.")
  var asJSON = false

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("'--threads': expected 1 to 1024, found \(threads)")
    }
    if let preview, preview < 1 {
      throw ValidationError("'--preview': expected 1 or more steps, found \(preview)")
    }
    if let grid, !Self.isPNG(grid) {
      throw ValidationError(
        "'--grid \(grid.printable)': expected the name of a PNG file, such as 'grid.png'")
    }
    if let path, !Self.isPNG(path), !path.hasSuffix("/"), FilePath(named: path).kind != .folder {
      throw ValidationError(
        "'-o \(path.printable)': expected the name of a PNG file, such as 'out.png', or that of a folder, "
          + "'\(path.printable)/'")
    }
  }

  static func isPNG(_ path: String) -> Bool { path.lowercased().hasSuffix(".png") }
}
