package import ArgumentParser
import Machine
package import SystemPackage

/// Adapters as they were before training, for those that did not begin at zero.
package struct InitialAdapterOptions: ParsableArguments {
  @Option(
    name: [
      .customLong("initial_adapter"), .customLong("path_initial_model_for_weight_conversion"),
    ],
    help: ArgumentHelp(
      "PEFT adapters as they were before training, for those whose factors did not begin at zero (pissa, "
        + "olora, corda, loftq, lora_ga), in their order: what they began with is subtracted.",
      valueName: "path"), completion: .file())
  package var names: [String] = []

  package init() {}

  package var paths: [FilePath] { names.map { FilePath(named: $0) } }
}
