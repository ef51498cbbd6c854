package import ArgumentParser
import CPlatform
import FoundationEssentials
import LinearAlgebra

/// What every long-running tool takes.
package struct JobOptions: ParsableArguments {
  @Option(
    name: .customLong("threads"),
    help: ArgumentHelp(
      "How many tensors are worked on at a time. Default: the number of cores.", valueName: "n"))
  package var requestedThreads: Int?

  @Flag(name: .customLong("dry_run"), help: "Print the plan and write nothing.")
  package var isDryRun = false

  @Flag(
    name: .shortAndLong,
    help:
      "Print errors and warnings only. What '--json' and '--dry_run' ask for is printed all the same."
  )
  package var quiet = false

  @Flag(name: .shortAndLong, help: "List everything that was done, module by module.")
  package var verbose = false

  @Flag(name: .customLong("json"), help: "Print the result as JSON.")
  package var asJSON = false

  package init() {}

  package func validate() throws {
    if let requestedThreads, !(1...1024).contains(requestedThreads) {
      throw ValidationError("'--threads': expected 1 to 1024, found \(requestedThreads)")
    }
  }

  /// Threads for work on separate tensors; each runs linear algebra on its own.
  package func prepareThreads() -> Int {
    lyco_keep_freed_memory()
    BLASThreads.set(1)
    return requestedThreads ?? ProcessInfo.processInfo.activeProcessorCount
  }
}
