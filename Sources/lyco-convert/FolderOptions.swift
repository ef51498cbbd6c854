import ArgumentParser

/// Many files converted alike.
struct FolderOptions: ParsableArguments {
  @Option(
    name: .customLong("output_dir"),
    help: ArgumentHelp(
      "Convert every input by itself, and every file of input folders, to a file of the same name "
        + "in this folder.", valueName: "folder"), completion: .directory)
  var output: String?

  @Flag(name: .customLong("recursive"), help: "Folders in input folders, too.")
  var isRecursive = false
}
