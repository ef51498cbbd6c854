import Adapters
import ArgumentParser
import CommandSupport
import LinearAlgebra
import Tensors

/// What the differences become.
struct AlgorithmOptions: ParsableArguments {
  enum Side: String, ExpressibleByArgument, CaseIterable {
    case auto, input, output
  }

  @Option(
    name: .customLong("algo"),
    help: ArgumentHelp(
      """
      \(OptionTable.words(of: "algo", in: .extract).joined(separator: ", ")). full stores the differences themselves, norm those of \
      normalization layers alone, auto takes for every module what needs the fewest bytes for \
      --max_error, or removes most error within --max_size.
      """, valueName: "name"), completion: .list(OptionTable.words(of: "algo", in: .extract)))
  var name = "lora"

  @Option(
    help: ArgumentHelp(
      """
      lokr: the smaller part into which outputs and inputs are divided, -1 for the most even \
      division, auto for the one that removes most error per byte.
      """, valueName: "number or auto"))
  var factor = "auto"

  @Flag(name: .customLong("decompose_both"), help: "lokr: w1 as a product of low rank too.")
  var decomposesBoth = false

  @Flag(
    name: .customLong("unbalanced_factorization"),
    help: "lokr: the larger part of the outputs goes to w1.")
  var isUnbalanced = false

  @Flag(
    name: .customLong("dora_wd"),
    help: "lora, loha, lokr: store the norms of the tuned weight apart (DoRA).")
  var decomposesWeight = false

  @Option(
    name: .customLong("wd_on_output"),
    help: ArgumentHelp(
      "DoRA's norms are those of outputs (true), which ComfyUI and the web UIs read wrongly, or of inputs "
        + "(false). Default: what '--reader' reads, else false.", valueName: "true or false"),
    completion: .list(OptionTable.words(of: "wd_on_output", in: .extract)))
  var normsOfOutputs = false

  @Option(
    name: .customLong("ia3_side"),
    help: ArgumentHelp("ia3: auto takes the side that fits better.", valueName: "side"),
    completion: .list(OptionTable.words(of: "ia3_side", in: .extract)))
  var side = Side.auto

  @Flag(
    name: .customLong("rescaled"),
    help: "diag-oft, boft: also a factor for every output.")
  var rescales = false

  func validate() throws {
    guard factor == "auto" || parsedFactor != nil else {
      throw ValidationError("'--factor': expected a positive number, -1 or auto, found '\(factor)'")
    }
  }

  private var parsedFactor: Int? { Int(factor).flatMap { $0 == -1 || $0 > 0 ? $0 : nil } }

  var isAutomatic: Bool { name.lowercased() == "auto" }
  var storesWhole: Bool { name.lowercased() == Full.name }
  /// Normalization layers and nothing else.
  var isNormOnly: Bool { name.lowercased() == Norm.name }

  /// Empty where weights take no part, or are stored whole.
  var algorithms: [any ExtractableAlgorithm.Type] {
    if isAutomatic { return extractableAlgorithms }
    return (algorithm(named: name) as? any ExtractableAlgorithm.Type).map { [$0] } ?? []
  }

  func apply(to settings: inout FactorizationSettings) {
    settings.factor = parsedFactor
    settings.decomposesBoth = decomposesBoth
    settings.isUnbalanced = isUnbalanced
    settings.rescales = rescales
    settings.scaledSide =
      switch side {
      case .auto: nil
      case .input: .inputs
      case .output: .outputs
      }
    settings.magnitudes = decomposesWeight ? (normsOfOutputs ? .outputs : .inputs) : nil
  }
}
