import ArgumentParser

/// How results are told.
struct OutputOptions: ParsableArguments {
  @Flag(
    name: .customLong("json"),
    help: "Print the results as JSON: an object for one file, a list for several.")
  var asJSON = false
}
