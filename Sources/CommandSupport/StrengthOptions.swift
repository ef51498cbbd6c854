package import ArgumentParser
package import Checkpoints
package import Operations

/// How strongly each adapter is added.
package struct StrengthOptions: ParsableArguments {
  @Option(
    name: [
      .customLong("ratio"), .customLong("ratios"), .customLong("weight"),
      .customLong("network_mul"),
    ],
    help: ArgumentHelp(
      "Multiplier of each adapter, or one for all; may be negative. Default: 1.",
      valueName: "number"))
  package var ratios: [Float] = []

  @Option(
    name: .customLong("unet_ratio"),
    help: ArgumentHelp(
      "Further factor for modules of the denoiser (UNet or transformer).", valueName: "number"))
  package var denoiserRatios: [Float] = []

  @Option(
    name: .customLong("te_ratio"),
    help: ArgumentHelp("Further factor for modules of the text encoders.", valueName: "number"))
  package var textEncoderRatios: [Float] = []

  package init() {}

  /// Whether anything is said about how strong adapters are.
  package var isGiven: Bool {
    !(ratios.isEmpty && denoiserRatios.isEmpty && textEncoderRatios.isEmpty)
  }

  package func check(adapterCount: Int) throws {
    for (name, values) in [
      ("ratio", ratios), ("unet_ratio", denoiserRatios), ("te_ratio", textEncoderRatios),
    ] {
      guard values.count <= 1 || values.count == adapterCount else {
        throw ValidationError(
          "'--\(name)': expected one value, or one for each of \(adapterCount) adapters, "
            + "found \(values.count)")
      }
      if let value = values.first(where: { !$0.isFinite }) {
        throw ValidationError("'--\(name)': expected a finite number, found \(value)")
      }
    }
  }

  package func weighted(_ file: AdapterFile, at index: Int) -> WeightedAdapter {
    let (denoiser, text) = ratios(at: index)
    return WeightedAdapter(file: file, denoiserRatio: denoiser, textEncoderRatio: text)
  }

  /// Of the modules of an adapter in the denoiser, and of those in text encoders.
  package func ratios(at index: Int) -> (denoiser: Float, text: Float) {
    func value(_ values: [Float]) -> Float {
      values.isEmpty ? 1 : values[values.count == 1 ? 0 : index]
    }
    let ratio = value(ratios)
    return (ratio * value(denoiserRatios), ratio * value(textEncoderRatios))
  }
}
