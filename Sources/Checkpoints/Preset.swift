package import ModelFamilies
import Patterns
import Tensors

/// Which modules of a model take part, and at which rank, in the terms of LyCORIS' presets.
///
/// A module is selected if it lies in a layer of a target class or its dotted name matches a
/// target name. The built-in presets and files of the user are the same TOML.
package struct Preset {
  /// The selection within the denoiser or within the text encoders.
  struct Targets {
    var classes: Set<String> = []
    var names: [NamePattern] = []

    func contain(_ module: FamilyModule) -> Bool {
      module.containers.contains { classes.contains($0) }
        || names.contains { $0.matches(module.path) }
    }
  }

  /// What a preset asks of the modules of one class or name in place of the general settings.
  package struct Override: Equatable, Sendable {
    package var algorithm: String?
    package var linearRank: Int?
    package var convolutionRank: Int?
    /// LoKr's division, -1 for the most even one.
    package var factor: Int?
    /// Everything else, as it would stand in `network_args`: what only training knows to use.
    package var options: [String: String] = [:]
  }

  package let name: String
  /// Whether convolutions with a kernel take part; 1×1 convolutions always do.
  var convolutions = true
  var denoiser = Targets()
  var textEncoders = Targets()
  var excluded: [NamePattern] = []
  var classOverrides: [String: Override] = [:]
  var nameOverrides: [(pattern: NamePattern, override: Override)] = []

  init(name: String) { self.name = name }

  /// Whether the preset means every layer of a model whose layers have no classes: LyCORIS' `full`,
  /// and its linear half.
  private var coversUnclassified: Bool { name == "full" || name == "full-lin" }

  /// Whether the preset selects by class anywhere, so that it needs a family that knows classes.
  var usesClasses: Bool { !(denoiser.classes.isEmpty && textEncoders.classes.isEmpty) }

  /// - Throws: `CheckpointError.presetWithoutClasses` for a family whose layers have no classes.
  package func check(for family: ModelFamily) throws(CheckpointError) {
    guard family != .generic || !usesClasses || coversUnclassified else {
      throw .presetWithoutClasses(name, family: family.name)
    }
  }

  /// Whether the module takes part. Layers that are neither in the denoiser nor in a text encoder
  /// never do.
  package func selects(_ module: FamilyModule) -> Bool {
    if excluded.contains(where: { $0.matches(module.path) }) { return false }
    // A rank of its own takes part even so, as in LyCORIS.
    if !convolutions && module.shape.kernel.contains(where: { $0 != 1 })
      && override(for: module)?.convolutionRank == nil
    {
      return false
    }
    if module.component == ModelFamily.genericComponent && coversUnclassified { return true }
    return targets(for: module.role)?.contain(module) ?? false
  }

  /// Whether the preset asks for anything in that part of a model.
  package func covers(_ role: ComponentRole) -> Bool {
    targets(for: role).map { !($0.classes.isEmpty && $0.names.isEmpty) } ?? false
  }

  /// The most particular override: by name before by class, an inner class before an outer one.
  package func override(for module: FamilyModule) -> Override? {
    nameOverrides.first { $0.pattern.matches(module.path) }?.override
      ?? ([module.className] + module.containers.reversed()).lazy.compactMap { classOverrides[$0] }
      .first
  }

  /// Whether the preset comes with the suite.
  package var isBuiltIn: Bool { Self.builtInNames.contains(name) }

  /// Whether the module is selected by its name rather than, or as well as, by a class it lies in.
  package func names(_ module: FamilyModule) -> Bool {
    targets(for: module.role)?.names.contains { $0.matches(module.path) } ?? false
  }

  /// What of a user's preset selects nothing; the built-in ones are for several families.
  package func notices(among modules: [FamilyModule]) -> [String] {
    guard !isBuiltIn else { return [] }
    let weights = modules.filter { $0.kind == .linear || $0.kind == .convolution }
    let paths = weights.map(\.path)
    let classes = Set(weights.flatMap(\.containers)).sorted()
    let missing = unmatched(among: weights).filter { name in
      !(denoiser.names + textEncoders.names).contains { $0.text == name }
    }
    return missing.map { name in
      "preset '\(self.name)': class '\(name)' is that of none of \(weights.count) modules"
        + (classes.nearest(to: name).map { "; did you mean '\($0)'?" }
          ?? "; there are \(classes.joined(separator: ", "))")
    }
      + zip([denoiser, textEncoders], [false, true]).flatMap { targets, isText in
        NamePattern.notices(
          on: targets.names, from: "preset '\(self.name)'",
          names: weights.filter { ($0.role == .text) == isText }.map(\.path))
      }
      + NamePattern.notices(
        on: excluded + nameOverrides.map(\.pattern), from: "preset '\(self.name)'", names: paths)
  }

  /// Classes and names that the preset asks for and none of the modules has, for the parts of a model
  /// that there are modules of.
  package func unmatched(among modules: [FamilyModule]) -> [String] {
    let parts = [denoiser, textEncoders].enumerated().map { index, targets in
      (targets, modules.filter { $0.role != .autoencoder && ($0.role == .text) == (index == 1) })
    }
    return parts.filter { !$0.1.isEmpty }.flatMap { targets, modules in
      let classes = Set(modules.flatMap(\.containers))
      return targets.classes.subtracting(classes).sorted()
        + targets.names.filter { name in !modules.contains { name.matches($0.path) } }.map(\.text)
    }
  }

  private func targets(for role: ComponentRole) -> Targets? {
    switch role {
    case .denoiser, .connector: denoiser
    case .text: textEncoders
    case .autoencoder: nil
    }
  }
}

extension FamilyModule {
  /// The class of the layer itself, as PyTorch names it.
  fileprivate var className: String {
    switch kind {
    case .linear: "Linear"
    case .convolution: "Conv\(max(shape.kernel.count, 1))d"
    case .norm: "Norm"
    case .embedding: "Embedding"
    }
  }
}
