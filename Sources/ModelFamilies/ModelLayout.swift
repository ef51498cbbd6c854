package import Tensors

/// The modules of one checkpoint: which family it is of, what adapters call its modules, and which
/// tensors hold their parameters. Built from names and shapes alone.
package struct ModelLayout: Sendable {
  /// The family whose names the modules have.
  package let family: ModelFamily
  /// Why that family: keys and shapes that were found, one sentence each.
  package let evidence: [String]
  /// All modules in the order of the checkpoint.
  package let modules: [FamilyModule]
  /// Keys that are not the weight or bias of a module, so that no adapter can name them: buffers, odd
  /// parameters, scales of quantized weights, keys the family does not know.
  package let unnamed: [String]
  /// Keys of parameters that are no module's, by component and name in the graph: `unet/blocks.0.modulation`.
  package let parameters: [String: String]

  private let names: AdapterNames
  private let componentNames: [String]
  private let components: [UInt8?]
  private let positions: [String: Int]

  /// Reads the layout of a checkpoint from its keys and shapes, in the order of the file. Names in a
  /// folder of components are `component/key`.
  ///
  /// Without `family` the best fitting one is taken, `generic` if none fits.
  /// - Complexity: O(keys · length).
  /// - Throws: `ModelFamilyError.foreignKeys` if fewer than half of the keys belong to `family`.
  package init(
    of tensors: [(key: String, shape: Shape)], as family: ModelFamily? = nil
  ) throws(ModelFamilyError) {
    let checkpoint = CheckpointKeys(tensors)
    if let family {
      guard let definition = family.definition else {
        self.init(generic: checkpoint, evidence: ["family 'generic' was asked for"])
        return
      }
      let reading = FamilyReading(of: checkpoint, as: definition)
      guard reading.isFitting else {
        throw .foreignKeys(
          family: family.name, first: Array(reading.foreign.prefix(3)),
          count: reading.foreign.count, total: tensors.count)
      }
      let signs = Recognition.signs(of: definition, in: checkpoint)
      self.init(
        reading, of: checkpoint,
        evidence: ["family '\(family.name)' was asked for"] + signs.for
          + signs.against.map { "against \($0)" })
      return
    }
    let recognition = Recognition(of: checkpoint)
    guard let definition = recognition.definition else {
      self.init(generic: checkpoint, evidence: recognition.evidence)
      return
    }
    let reading = FamilyReading(of: checkpoint, as: definition)
    guard reading.isFitting else {
      let foreign =
        "\(reading.foreign.count) of \(tensors.count) keys are not of \(definition.name), "
        + "first '\(reading.foreign[0])'"
      self.init(generic: checkpoint, evidence: recognition.evidence + [foreign])
      return
    }
    self.init(reading, of: checkpoint, evidence: recognition.evidence)
  }

  private init(_ reading: FamilyReading, of checkpoint: CheckpointKeys, evidence: [String]) {
    family = reading.family.definition.family
    self.evidence = evidence
    modules = reading.modules
    unnamed = reading.unnamed
    parameters = reading.parameters
    names = AdapterNames(of: reading.modules, family: reading.family)
    componentNames = reading.componentNames
    components = reading.components
    positions = checkpoint.positions
  }

  private init(generic checkpoint: CheckpointKeys, evidence: [String]) {
    let reading = GenericReading(of: checkpoint)
    family = .generic
    self.evidence = evidence
    modules = reading.modules
    unnamed = reading.unnamed
    parameters = [:]
    names = AdapterNames(of: reading.modules, family: nil)
    componentNames = [ModelFamily.genericComponent]
    components = checkpoint.tensors.map { _ in 0 }
    positions = checkpoint.positions
  }

  /// The component that the key belongs to; `nil` if the family does not know the key.
  package func component(ofKey key: String) -> String? {
    guard let position = positions[key], let component = components[position] else { return nil }
    return componentNames[Int(component)]
  }

  /// What the component is for that the key belongs to; `nil` if that is part of no model.
  package func role(ofKey key: String) -> ComponentRole? {
    component(ofKey: key).flatMap { family.role(of: $0) }
  }

  /// The module that an adapter means by that name, in any of the spellings in use. Names of a part of
  /// a fused weight give a module whose slots are rows of it.
  /// Returns `nil` if there is no such module, or if several could be meant: see `modules(named:)`.
  package func module(named adapterName: String) -> FamilyModule? {
    let found = modules(named: adapterName)
    return found.count == 1 ? found[0] : nil
  }

  /// All modules that an adapter could mean by that name: none if it is unknown, more than one if the
  /// name is ambiguous, as `a_b` is between `a.b` and `a_b`.
  package func modules(named adapterName: String) -> [FamilyModule] {
    names.modules(named: adapterName, among: modules)
  }

  /// The modules that are the rows of the one weight an adapter means by that name, where the
  /// checkpoint or the names of its family keep them apart: `double_blocks.0.img_attn.qkv` for a
  /// checkpoint of diffusers; or the halves of a module that has them in the other order. More than one entry
  /// if the name is ambiguous, none if it is neither.
  package func split(named adapterName: String) -> [SplitModule] {
    names.split(named: adapterName, among: modules)
  }
}
