import Adapters
import Checkpoints
package import ModelFamilies
import Tensors

/// Which modules of a model are trained and how, decided from names and shapes alone.
///
/// LyCORIS 4.1.3 counts two modules more for presets such as `attn-mlp`, because a class that it names for
/// another family, `TimestepEmbedding`, is also that of a UNet's time embedding, and stops at preset
/// `full`, which then has them twice. Here they count once, and only where a name asks for them: 282 modules
/// of `full`, 192 of `attn-mlp`, as before that class was added.
package struct NetworkPlan {
  package let settings: NetworkSettings
  /// Text encoders first, then the denoiser, each in the order of the checkpoint.
  package private(set) var modules: [PlannedModule] = []
  /// Components of the family that read captions, in its order.
  let textEncoders: [String]
  package private(set) var omitted: [OmittedModule] = []
  package private(set) var notices: [String]

  /// - Parameters:
  ///   - family: whose modules they are, as far as that matters to presets and blocks.
  ///   - classes: what trainers choose of the model; nil for what they choose of the family.
  ///   - stored: modules of a file, which are then those that are trained, whatever else selects.
  /// - Throws: `NetworkError.noModules`, `.presetOption`, `.conflict`, `.settings`,
  ///   `.fileWithoutModules`, `.fileAlgorithm`, `CheckpointError.presetWithoutClasses`
  package init(
    modules candidates: [FamilyModule], family: ModelFamily, settings: NetworkSettings,
    classes: TrainedClasses? = nil, stored: StoredModules? = nil
  ) throws {
    self.settings = settings
    let classes = classes ?? family.trainedClasses
    textEncoders = family.textEncoders
    notices = settings.notices
    if stored == nil { try settings.preset?.check(for: family) }
    let families = settings.module.families
    guard families.isEmpty || families.contains(family) else {
      throw NetworkError.moduleOfFamily(settings.module.name, families, found: family)
    }
    if stored == nil { try settings.layers?.check(on: candidates) }
    var filter = settings.filter
    if settings.module.followsKohya, let kohya = classes.kohya {
      let isGiven = settings.arguments["exclude_patterns"] != nil
      filter = try filter.excluding(kohya.excluded + (isGiven ? [] : kohya.excludedByDefault))
    }
    for module in candidates.filter(\.isTextEncoder) + candidates.filter({ !$0.isTextEncoder })
    where module.kind != .embedding && module.role != .autoencoder {
      switch try stored.map({ try Self.decision(on: module, settings, $0) })
        ?? Self.decision(on: module, family, classes, settings, filter)
      {
      case .train(let planned):
        try planned.check()
        modules.append(planned)
      case .omit(let reason): omitted.append(OmittedModule(module: module, reason: reason))
      }
    }
    guard !modules.isEmpty else {
      if let stored { throw stored.noPlace }
      throw NetworkError.noModules(
        selection: Self.selection(of: settings), hints: Self.hints(candidates, omitted, settings))
    }
    notices += try ModuleOptions.notices(on: modules, settings)
    // What stands in a file is trained whatever else selects.
    guard stored == nil else { return }
    notices += settings.preset?.notices(among: candidates) ?? []
    notices += settings.layers?.notices(on: candidates) ?? []
    notices += settings.filter.notices(
      on: candidates.filter { $0.kind != .embedding && $0.role != .autoencoder }.map(\.path))
  }

  /// How many modules of a component are trained.
  package func count(_ component: String) -> Int {
    modules.count { $0.module.component == component }
  }

  /// How many modules of text encoders are trained.
  package var textEncoderCount: Int { modules.count(where: \.isTextEncoder) }

  // MARK: One module

  private enum Decision {
    case train(PlannedModule)
    case omit(String)
  }

  private static func decision(
    on module: FamilyModule, _ family: ModelFamily, _ classes: TrainedClasses,
    _ settings: NetworkSettings, _ filter: ModuleFilter
  ) throws -> Decision {
    if module.isTextEncoder ? !settings.flags.trainsTextEncoders : !settings.flags.trainsUNet {
      return .omit("this part of the model is not trained")
    }
    if let reason = selectionReason(module, classes, settings) { return .omit(reason) }
    guard filter.keeps(module.path) else { return .omit("an exclude pattern matches") }
    if module.kind == .norm { return .train(norm(module, settings)) }
    var options = settings.options
    if let preset = settings.preset, let override = preset.override(for: module) {
      options = try options.overridden(by: override, preset: preset.name, target: module.path)
    }
    var block: Int?
    var rateWeight: Float = 1
    if let blocks = settings.blocks, !module.isTextEncoder {
      guard let number = blocks.numbers.number(of: module.path), number < blocks.numbers.count
      else {
        return .omit("it lies in no block")
      }
      options.rank = blocks.ranks[number]
      options.alpha = blocks.alphas[number]
      options.convolutionRank = blocks.convolutionRanks?[number]
      options.convolutionAlpha = blocks.convolutionAlphas[number]
      if let weights = blocks.rateWeights { (block, rateWeight) = (number, weights[number]) }
    }
    let choice = settings.layers?.choice(of: module) ?? .common
    // LyCORIS looks at the first extent alone.
    let hasKernel = module.shape.kernel.first.map { $0 != 1 } ?? false
    switch choice {
    case .omitted(let reason): return .omit(reason)
    case .named(let rank): options.rank = rank
    case .common, .rank:
      var isFurther = false
      if case .rank(let rank, let further) = choice { (options.rank, isFurther) = (rank, further) }
      guard hasKernel else { break }
      if let rank = options.convolutionRank {
        (options.rank, options.alpha) = (rank, options.convolutionAlpha)
      } else if !isFurther {
        return .omit("a convolution, and no conv_dim")
      }
    }
    guard options.rank > 0 else { return .omit("its rank is 0") }
    if !options.algorithm.adaptsKernels, module.shape.kernel.contains(where: { $0 != 1 }) {
      return .omit("\(options.algorithm.name) has no form for a convolution with a kernel")
    }
    return .train(
      PlannedModule(
        module: module, options: options, dropsAsKohya: settings.module.followsKohya,
        rateWeight: rateWeight, block: block,
        rateRule: settings.layers?.rates?.place(of: module.adapterName),
        parts: settings.layers?.parts(of: module) ?? []))
  }

  /// Of a module of a file.
  private static func decision(
    on module: FamilyModule, _ settings: NetworkSettings, _ stored: StoredModules
  ) throws(NetworkError) -> Decision {
    if module.isTextEncoder ? !settings.flags.trainsTextEncoders : !settings.flags.trainsUNet {
      return .omit("this part of the model is not trained")
    }
    guard let found = stored[module] else { return .omit("the file has none of it") }
    let blocks = module.isTextEncoder ? nil : settings.blocks
    let weights = blocks?.rateWeights
    let block = weights == nil ? nil : blocks?.numbers.number(of: module.path)
    return .train(
      PlannedModule(
        module: module,
        options: try settings.options.taken(
          from: found, named: module.adapterName, of: module.shape,
          fixed: settings.module.followsKohya),
        dropsAsKohya: settings.module.followsKohya && module.kind != .norm,
        rateWeight: block.flatMap { weights?[$0] } ?? 1, block: block,
        rateRule: settings.layers?.rates?.place(of: module.adapterName)))
  }

  private static func norm(_ module: FamilyModule, _ settings: NetworkSettings) -> PlannedModule {
    var options = settings.options
    options.algorithm = Norm.self
    return PlannedModule(
      module: module, options: options, dropsAsKohya: false, rateWeight: 1, block: nil)
  }

  /// Why a module is not selected; nil where it is.
  private static func selectionReason(
    _ module: FamilyModule, _ classes: TrainedClasses, _ settings: NetworkSettings
  ) -> String? {
    if module.kind == .norm, !settings.trainsNorms { return "a norm, and no train_norm" }
    guard let preset = settings.preset else {
      return kohyaSelects(module, classes.kohya, settings)
        ? nil : "it lies in none of the layers that are trained"
    }
    guard preset.selects(module) else {
      return "preset '\(preset.name)' does not select it"
    }
    if preset.isBuiltIn, let container = module.containers.last, Self.borrowed.contains(container),
      !classes.presets.contains(container), !preset.names(module)
    {
      return "preset '\(preset.name)' means the time embeddings of another family"
    }
    return nil
  }

  /// Classes that LyCORIS' presets name for one family, and that others have as well.
  private static let borrowed: Set<String> = ["TimestepEmbedding"]

  /// The layers of kohya's `networks.lora`.
  private static func kohyaSelects(
    _ module: FamilyModule, _ classes: TrainedClasses.Kohya?, _ settings: NetworkSettings
  ) -> Bool {
    guard module.kind != .norm, let classes else { return false }
    let containers = Set(module.containers)
    if module.isTextEncoder {
      return module.kind == .linear && !containers.isDisjoint(with: classes.text)
    }
    if !containers.isDisjoint(with: classes.denoiser) {
      return settings.layers?.keeps(containers) ?? true
    }
    if settings.layers?.isFurther(module) ?? false { return true }
    let hasConvolutions =
      settings.options.convolutionRank != nil || settings.blocks?.convolutionRanks != nil
    return hasConvolutions && !containers.isDisjoint(with: classes.convolutions)
  }
}

extension FamilyModule {
  var isTextEncoder: Bool { role == .text }
}
