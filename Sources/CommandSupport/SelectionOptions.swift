package import ArgumentParser
package import Checkpoints

/// Patterns on the dotted names of modules.
package struct SelectionOptions: ParsableArguments {
  @Option(
    name: .customLong("exclude_patterns"),
    help: ArgumentHelp(
      "Leave out modules whose whole dotted name matches: a regular expression such as '.*attn1.*', "
        + "or a shell pattern such as '*attn1*'. Several, or a list as in musubi-tuner: "
        + "\"[r'.*single_blocks.*']\".", valueName: "pattern"))
  package var excluded: [String] = []

  @Option(
    name: .customLong("include_patterns"),
    help: ArgumentHelp(
      "Put modules back that '--exclude_patterns' left out.", valueName: "pattern"))
  package var included: [String] = []

  package init() {}

  /// - Throws: `CheckpointError.pattern`
  package func filter() throws(CheckpointError) -> ModuleFilter {
    try ModuleFilter(exclude: excluded, include: included)
  }
}
