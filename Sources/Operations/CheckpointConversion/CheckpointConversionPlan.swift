package import Checkpoints
import ModelFamilies
import OrderedCollections
import Patterns
import Safetensors
import SystemPackage
import Tensors

/// Which tensors a checkpoint made of one or several others has, and what each is made of, decided
/// from headers.
package struct CheckpointConversionPlan: Sendable {
  package let sources: [BaseModel]
  let outputs: [CheckpointOutput]
  /// Keys of the first that are left out, by the reason.
  package let pruned: [String: [String]]
  /// Tensors of the first that all others lack.
  package internal(set) var onlyInFirst: [String] = []
  /// Tensors of others that the first lacks: they are left out.
  package internal(set) var notInFirst: [String] = []
  /// Tensors of which the first alone has some inputs, as an inpainting model has.
  package internal(set) var extended: [String] = []
  /// Patterns that match nothing.
  package let notices: [String]
  /// Weights of the first whose codes are kept.
  let keptCodes: Set<String>

  /// - Precondition: at least one source.
  /// - Throws: `CheckpointConversionError`, `CheckpointError.quantized` for codes that would have to be read.
  package init(_ sources: [BaseModel], settings: CheckpointConversionSettings) throws {
    let first = sources[0]
    try Self.check(sources, settings.arithmetic)
    self.sources = sources
    var builder = try CheckpointOutputs(sources, settings)
    var pruned: [String: [String]] = [:]
    for (key, view) in first.file.tensors {
      if let part = builder.reasonToDrop(key) {
        pruned[part.rawValue, default: []].append(key)
      } else {
        try builder.add(key, view)
      }
    }
    guard !builder.outputs.isEmpty else {
      throw CheckpointConversionError.nothingLeft(first.file.path)
    }
    builder.finish()
    self.pruned = pruned
    outputs = builder.outputs
    onlyInFirst = builder.onlyInFirst
    extended = builder.extended
    keptCodes = builder.keptCodes
    notInFirst = builder.unusedKeys
    notices = NamePattern.notices(
      on: settings.arithmetic.patternRatios.map(\.pattern), from: "'--pattern_ratio'",
      names: builder.summedNames, of: "tensors")
    guard sources.count == 1 || onlyInFirst.count < builder.comparedCount else {
      throw CheckpointConversionError.nothingInCommon(first.file.path, sources[1].file.path)
    }
  }

  private static func check(
    _ sources: [BaseModel], _ arithmetic: CheckpointArithmetic
  ) throws(CheckpointConversionError) {
    guard arithmetic.method != .addDifference || sources.count == 3 else {
      throw .differenceOf(sources.count)
    }
    guard sources.count > 1 else { return }
    let counts = arithmetic.counts(sources: sources.count)
    let lists =
      [
        ("ratio", arithmetic.ratios), ("unet_ratio", arithmetic.denoiserRatios),
        ("te_ratio", arithmetic.textEncoderRatios), ("vae_ratio", arithmetic.autoencoderRatios),
      ] + arithmetic.patternRatios.map { ("pattern_ratio", $0.ratios) }
    for (flag, list) in lists where !counts.contains(list.count) {
      throw .ratioCount(flag: flag, found: list.count, sources: sources.count)
    }
    let first = sources[0]
    for other in sources.dropFirst()
    where ![first.layout.family, .generic].contains(other.layout.family)
      && first.layout.family != .generic
    {
      throw .families(
        first: (first.file.path, first.layout.family.name),
        other: (other.file.path, other.layout.family.name))
    }
  }
}
