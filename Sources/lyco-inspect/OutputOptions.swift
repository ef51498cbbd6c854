import ArgumentParser

/// How results are told.
struct OutputOptions: ParsableArguments {
  @Flag(
    name: .customLong("json"),
    help: "Print the results as JSON: an object for one file, a list for several.")
  var asJSON = false

  @Flag(name: .shortAndLong, help: "Show long values and lists whole.")
  var verbose = false

  @Flag(
    name: .shortAndLong, help: "Show no progress, and of faults and differences the status alone.")
  var quiet = false
}
