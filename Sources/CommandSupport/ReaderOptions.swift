package import ArgumentParser
package import Checkpoints

/// The program that is to load an adapter.
package struct ReaderOptions: ParsableArguments {
  @Option(
    name: .customLong("reader"),
    help: ArgumentHelp(
      "The program that is to load the adapter: "
        + OptionWords.readers.words.joined(separator: ", ")
        + ". What it does not read as it is meant is said. lyco-convert writes its names, and both tools that "
        + "write the norms of DoRA that it reads, unless others are given.",
      valueName: "program"), completion: .list(OptionWords.readers.words))
  package var reader: AdapterReader?

  package init() {}
}

extension AdapterReader: ExpressibleByArgument {
  package init?(argument: String) {
    guard let reader = Self.named(argument) else { return nil }
    self = reader
  }
}
