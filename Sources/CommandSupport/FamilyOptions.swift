import ArgumentParser
package import ModelFamilies

/// The family that a checkpoint is read as.
package struct FamilyOptions: ParsableArguments {
  @Option(
    name: .customLong("family"),
    help: ArgumentHelp(
      "Read the checkpoint as this family instead of recognizing it: auto, "
        + ModelFamily.all.map(\.name).joined(separator: ", ") + ".",
      valueName: "name"), completion: .list(OptionWords.families.words))
  package var name = "auto"

  package init() {}

  /// nil to recognize it.
  package var family: ModelFamily? { name == "auto" ? nil : ModelFamily.named(name) }
}
