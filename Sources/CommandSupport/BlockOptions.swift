package import ArgumentParser
package import Operations

/// How strongly each block of each adapter takes part.
package struct BlockOptions: ParsableArguments {
  @Option(
    name: [.customLong("block_weights"), .customLong("lbws"), .customLong("lbw")],
    help: ArgumentHelp(
      """
      Further factors by block, for each adapter or once for all: 12 or 20 numbers for SDXL, 17 or 26 \
      for SD1, 61 for Flux, or 'double_blocks.0-18=0.5;single_blocks=1;*=1' for any model.
      """, valueName: "list or patterns"))
  package var texts: [String] = []

  package init() {}

  /// One for each adapter; empty for none.
  /// - Throws: `ValidationError`
  package func weights(adapterCount: Int) throws -> [BlockWeights] {
    guard !texts.isEmpty else { return [] }
    guard texts.count == 1 || texts.count == adapterCount else {
      throw ValidationError(
        "'--block_weights': expected one list, or one for each of \(adapterCount) adapters, found "
          + "\(texts.count)")
    }
    let weights = try texts.map { text in
      do throws(BlockWeights.Failure) {
        return try BlockWeights(text)
      } catch {
        throw ValidationError("'--block_weights': \(error)")
      }
    }
    return weights.count == 1 ? Array(repeating: weights[0], count: adapterCount) : weights
  }
}
