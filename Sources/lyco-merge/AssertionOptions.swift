import Adapters
import ArgumentParser

/// What the user vouches for, where the file of an adapter leaves something open.
struct AssertionOptions: ParsableArguments {
  @Option(
    name: .customLong("tlora_sig"),
    help: ArgumentHelp(
      "Singular vectors that T-LoRA adapters started from, which their files do not hold: "
        + "principal, the leading ones of this base.", valueName: "principal"))
  var singularVectors: String?

  @Flag(
    name: .customLong("residual_base"),
    help: "The base is the one without what such adapters began with: they are merged as they are.")
  var isResidualBase = false

  var assertions: Set<Assertion> {
    singularVectors == nil ? [] : [.principalSingularVectors]
  }
}
