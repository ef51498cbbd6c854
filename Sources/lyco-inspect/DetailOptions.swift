import ArgumentParser
import LinearAlgebra
import Machine
import Operations

/// What is told beyond the headers' summary.
struct DetailOptions: ParsableArguments {
  @Flag(
    name: .customLong("metadata"),
    help: "List every entry of the metadata under its own key, whole and as it stands in the file.")
  var showsMetadata = false

  @Flag(name: .customLong("keys"), help: "List every tensor, in the order of the file.")
  var showsKeys = false

  @Flag(
    name: .customLong("stats"),
    help: """
      Measure the values: of an adapter by module, with the norm of scale × ΔW, else by tensor.
      """)
  var showsStatistics = false

  @Flag(
    name: .customLong("spectrum"),
    help: """
      Leading singular values of scale × ΔW by module, or of the 2-D weights of a checkpoint that \
      '--pattern' chooses.
      """)
  var showsSpectra = false

  @Flag(
    name: .customLong("check"),
    help: "Look for NaN, infinity, modules that cannot work, false hashes; exit status 2 if any.")
  var checks = false

  @Option(
    name: .customLong("pattern"),
    help: ArgumentHelp(
      "List, measure and compare only tensors or modules whose whole name matches: a regular "
        + "expression such as '.*attn1.*', or a shell pattern such as '*attn1*'.",
      valueName: "names"),
    transform: { text in
      do {
        return try InspectionPattern(text)
      } catch {
        throw ValidationError("'--pattern': \(error)")
      }
    })
  var givenPattern: InspectionPattern?

  @Option(
    name: .customLong("leading"),
    help: ArgumentHelp(
      "How many singular values to show. Default: 8, 32 of a page.", valueName: "n"))
  var givenLeading: Int?

  @Option(
    name: .customLong("limit"),
    help: ArgumentHelp(
      "Rows of a table on screen, 0 for all. Default: all; 20 of '--diff'. JSON has all.",
      valueName: "n"))
  var limit: Int?

  @Option(
    name: .customLong("threads"),
    help: ArgumentHelp(
      "How many tensors are worked on at a time. Default: the number of cores.", valueName: "n"))
  var requestedThreads: Int?

  var pattern: InspectionPattern { givenPattern ?? .all }

  func validate() throws {
    if let givenLeading, givenLeading < 1 {
      throw ValidationError("'--leading': expected 1 or more, found \(givenLeading)")
    }
    if let limit, limit < 0 {
      throw ValidationError("'--limit': expected 0 or more, found \(limit)")
    }
    if let requestedThreads, !(1...1024).contains(requestedThreads) {
      throw ValidationError("'--threads': expected 1 to 1024, found \(requestedThreads)")
    }
  }

  func prepareThreads() -> Int {
    BLASThreads.set(1)
    return requestedThreads ?? Processors.usable
  }
}
