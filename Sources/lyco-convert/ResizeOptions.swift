import Adapters
import ArgumentParser
import Checkpoints
import CommandSupport
import LinearAlgebra
import Machine
import Operations
import Safetensors
import SystemPackage
import Tensors

/// Algorithm and rank: options of lyco-convert.
struct ResizeOptions: ParsableArguments {
  enum DynamicMethod: String, ExpressibleByArgument, CaseIterable {
    case ratio = "sv_ratio"
    case norm = "sv_fro"
    case cumulative = "sv_cumulative"
  }

  @Option(
    name: .customLong("algo"),
    help: ArgumentHelp(
      """
      \(OptionTable.words(of: "algo", in: .convert).joined(separator: ", ")): what modules are to become. LoHa, LoKr and Tucker \
      become LoRA exactly where no rank is asked for; everything else is factorized anew. Default: as \
      they are.
      """, valueName: "name"), completion: .list(OptionTable.words(of: "algo", in: .convert)))
  var algorithm: String?

  @Option(
    name: [.customLong("dim"), .customLong("new_rank"), .customLong("linear_dim")],
    help: ArgumentHelp(
      "Rank of linear layers and 1×1 convolutions; with --dynamic_method the highest.",
      valueName: "n"))
  var rank: Int?

  @Option(
    name: [.customLong("conv_dim"), .customLong("new_conv_rank")],
    help: ArgumentHelp(
      "The same for convolutions with a kernel. Default: that of linear layers.", valueName: "n"))
  var convolutionRank: Int?

  @Option(
    name: .customLong("dynamic_method"),
    help: ArgumentHelp(
      """
      Ranks from singular values: sv_ratio those above the largest over the parameter, sv_cumulative \
      and sv_fro until their sum, or its root of squares, reaches the parameter's share.
      """, valueName: "criterion"),
    completion: .list(OptionTable.words(of: "dynamic_method", in: .convert)))
  var dynamicMethod: DynamicMethod?

  @Option(
    name: .customLong("dynamic_param"),
    help: ArgumentHelp("Its parameter: 1 or more for sv_ratio, else 0 to 1.", valueName: "number"))
  var dynamicParameter: Double?

  @Option(
    name: .customLong("max_error"),
    help: ArgumentHelp(
      "The lowest ranks that keep the relative error of every module below a bound.",
      valueName: "number"))
  var largestError: Double?

  @Option(
    name: .customLong("max_size"),
    help: ArgumentHelp(
      "Ranks where a stored byte removes most error, within 64MiB, 150MB or bytes.",
      valueName: "size"))
  var largestSize: ByteCount?

  @Option(
    name: [.customLong("dylora_unit"), .customLong("unit")],
    help: ArgumentHelp(
      "Cut a DyLoRA at every multiple of its unit, into OUT-0004.safetensors, OUT-0008.safetensors, …",
      valueName: "n"))
  var unit: Int?

  @Flag(
    name: .customLong("bake_dora"), help: "Make DoRA's magnitudes part of the change; needs --base."
  )
  var bakesMagnitudes = false

  @Option(
    help: ArgumentHelp(
      "lokr: the smaller part into which outputs and inputs are divided, -1 for the most even.",
      valueName: "n"))
  var factor: Int?

  @Flag(name: .customLong("decompose_both"), help: "lokr: w1 as a product of low rank too.")
  var decomposesBoth = false

  @Flag(
    name: [.customLong("use_tucker"), .customLong("use_cp")],
    help: "Split the kernel of convolutions off into a core (lora_mid).")
  var tucker = false

  @Option(
    help: ArgumentHelp(
      "auto, randomized or exact: how changes multiplied out are decomposed.", valueName: "method"),
    completion: .list(OptionTable.words(of: "svd", in: .convert)))
  var svd = SVDMethod.auto

  @Option(
    name: .customLong("report"),
    help: ArgumentHelp(
      "Write rank, kept energy and error of every module as JSON.", valueName: "file"),
    completion: .file())
  var report: String?

  func validate() throws {
    for (name, value) in [("dim", rank), ("conv_dim", convolutionRank), ("dylora_unit", unit)] {
      if let value, value < 1 {
        throw ValidationError("'--\(name)': expected a number of at least 1, found \(value)")
      }
    }
    guard (dynamicMethod == nil) == (dynamicParameter == nil) else {
      throw ValidationError("'--dynamic_method' and '--dynamic_param' need each other")
    }
    if let dynamicMethod, let dynamicParameter {
      let isRatio = dynamicMethod == .ratio
      // kohya's own bounds.
      guard isRatio ? dynamicParameter >= 1 : (0...1).contains(dynamicParameter),
        dynamicParameter.isFinite
      else {
        throw ValidationError(
          "'--dynamic_param': expected "
            + (isRatio ? "a number of at least 1" : "a number from 0 to 1")
            + " for \(dynamicMethod.rawValue), found \(dynamicParameter)")
      }
    }
    if let largestError, !(largestError > 0 && largestError < 1) {
      throw ValidationError(
        "'--max_error': expected a number between 0 and 1, found \(largestError)")
    }
    if let factor, factor != -1, factor < 1 {
      throw ValidationError("'--factor': expected a positive number or -1, found \(factor)")
    }
    if largestSize != nil, rank != nil || convolutionRank != nil {
      throw ValidationError("'--max_size' chooses ranks by itself and takes no '--dim'")
    }
    if largestSize != nil, let algorithm, !["lora", "locon"].contains(algorithm.lowercased()) {
      throw ValidationError("'--max_size' is only valid with '--algo lora'")
    }
    if unit != nil,
      rank != nil || convolutionRank != nil || algorithm != nil || bakesMagnitudes
        || dynamicMethod != nil || largestError != nil || largestSize != nil
    {
      throw ValidationError("'--dylora_unit' cuts as training meant and takes no other rank")
    }
  }

  private var target: ReshapingSettings.Target? {
    guard let name = algorithm?.lowercased() else {
      return largestSize == nil ? nil : .algorithm(LoRA.self)
    }
    if name == Full.name { return .full }
    return (Adapters.algorithm(named: name) as? any ExtractableAlgorithm.Type).map {
      .algorithm($0)
    }
  }

  /// How the rank of a kind of layer is chosen; nil keeps it.
  private func ranks(limit: Int?) -> ReshapingSettings.Ranks? {
    if let largestError { return .init(.error(largestError), limit: limit) }
    if let dynamicMethod, let parameter = dynamicParameter {
      return switch dynamicMethod {
      case .ratio: .init(.ratio(1 / parameter), limit: limit)
      case .norm: .init(.norm(parameter), limit: limit)
      case .cumulative: .init(.quantile(parameter), limit: limit)
      }
    }
    return limit.map { .init(.fixed($0)) }
  }

  /// Of linear layers and of convolutions; what else `--combine svd` goes by.
  var limits: (linear: Int?, convolution: Int?) { (rank, convolutionRank ?? rank) }

  func settings(base: BaseModel?) -> ReshapingSettings {
    var settings = ReshapingSettings()
    settings.target = target
    settings.linear = ranks(limit: rank)
    settings.convolution = ranks(limit: convolutionRank ?? rank)
    settings.sizeLimit = largestSize?.bytes
    settings.bakesMagnitudes = bakesMagnitudes
    settings.base = base
    settings.factorization.factor = factor
    settings.factorization.decomposesBoth = decomposesBoth
    settings.factorization.tucker = tucker
    settings.factorization.method = svd
    return settings
  }

  /// The ranks of a DyLoRA with the files they go to; nil for no DyLoRA.
  ///
  /// Names are those of sd-scripts' `extract_lora_from_dylora.py`.
  func slices(
    of modules: [AdapterModule], output path: FilePath
  ) throws -> [(rank: Int, output: FilePath)]? {
    guard let unit else { return nil }
    var stem = path
    stem.extension = nil
    let ending = path.extension.map { ".\($0)" } ?? ""
    return try AdapterReshaping.slices(of: modules, unit: unit).map { rank in
      let digits = "\(rank)"
      let padded = String(repeating: "0", count: max(4 - digits.count, 0)) + digits
      return (rank, FilePath(named: "\(stem.text)-\(padded)\(ending)"))
    }
  }

  func write(_ report: ReshapingReport) throws {
    guard let path = self.report else { return }
    try FilePath(named: path).write(report.json)
  }
}

extension SVDMethod: ExpressibleByArgument {}
