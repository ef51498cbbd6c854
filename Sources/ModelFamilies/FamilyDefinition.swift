import TOML

/// What the file of a family says: how to know it, its components, and where their names are listed.
struct FamilyDefinition: Sendable {
  /// A tensor whose extent tells the family: present with another extent, the family is excluded.
  struct Sign: Sendable {
    let component: String
    /// Names within the component, without the prefix of the checkpoint.
    let keys: [String]
    let axis: Int
    let extents: [Int]
  }

  /// A part of the model with its own prefix in checkpoints and adapters.
  struct Component: Sendable {
    let name: String
    let role: ComponentRole
    /// Files that list the names; the blocks of all of them make one table. None where the family's own file
    /// lists them.
    let tables: [String]
    /// The block in which the names start.
    let root: String?
    /// Prefixes under which adapters name this component's modules.
    let aliases: [String]
    /// Beginning of the names that adapters may leave out.
    let implied: String?
    let layouts: [Layout]
    /// By format of adapters: the column of the table that its names are taken from, and what stands
    /// before them. A format that is missing has the names of its `substitute`.
    let names: [String: [String]]?
    /// The column whose names the graph of the model has: diffusers' where the file says nothing.
    let graph: String?
    /// The option of trainers that names a file of its own for it: `clip_l`.
    let option: String?
  }

  /// One spelling of the component's keys in checkpoints, and what adapters call the modules of a
  /// checkpoint spelled so.
  struct Layout: Sendable {
    /// Column of the table that lists the checkpoint's names.
    let column: String
    /// Prefixes of the checkpoint's keys.
    let keys: [String]
    /// What the checkpoint leaves out between prefix and name.
    let inserting: String?
    /// Column of the table that adapters take their names from.
    let naming: String
    /// Prefix of the adapter names.
    let prefix: String
    /// Column and prefix of the names that extracted adapters get, where the programs that load kohya's
    /// names do not know the layout's own.
    let extraction: [String]?
  }

  /// How to know an adapter for the family from its module names.
  struct Adapters: Sendable {
    /// Beginnings of what metadata say of the model, see `StatedFamily`.
    let metadata: [String]
    /// Endings of module names, dots as underscores, and the input widths they may have.
    let widths: [String: [Int]]?
    /// The same of outputs.
    let outputs: [String: [Int]]?
    /// Beginnings or parts of names that adapters of this family never have.
    let lacks: [String]?
    /// At least one name must contain one of these.
    let needs: [String]?
    /// Beginnings of names that a block's number follows, and how many such blocks models have. Where one is part
    /// of another, the longer counts.
    let blocks: [String: [Int]]?
  }

  let name: String
  let title: String
  let signs: [Sign]
  /// Keys (without prefix) that no model of this family has, though a relative has.
  let absent: [String]?
  let components: [Component]
  /// Names that no other family shares, in the form of the files of `NameTables`.
  let names: EmbeddedTable?
  /// Prefixes of keys that belong to the checkpoint but to no module, by what they are.
  let others: [String: [String]]?
  /// Roles of those that are part of a model.
  let roles: [String: ComponentRole]
  /// Of families that can be trained.
  let latents: LatentLayout?
  /// Of families whose items come encoded.
  let prepared: PreparedLayout?
  /// Of its variants, by what `--model_version` calls them.
  let preparedVariants: [String: PreparedLayout]
  let trainedClasses: TrainedClasses
  /// What its own module of `--network_module` knows beside the common arguments.
  let layerArguments: LayerArguments
  /// Of variants that differ in them.
  let trainedVariants: [String: TrainedClasses]
  /// Of families that find a flow, where their trainer has rules of its own.
  let flow: (common: FlowRules, variants: [String: FlowRules])?
  /// Of families whose trainer draws otherwise than most.
  let sampling: SamplingRules?
  let adapters: Adapters
  let metadata: FamilyMetadata?
  /// Files that say what its blocks are called and how they are numbered; all of them are one table.
  let blocks: [String]

  var family: ModelFamily { ModelFamily(name: name, title: title) }
}

extension FamilyDefinition {
  /// The files of all families but `generic`, in order of preference.
  static let tables = EmbeddedFolder("Families", of: EmbeddedTables.files).inOrder.map(\.table)

  /// What those files say. Who wants no more than names finds them in `ModelFamily.all`, which reads nothing else.
  static let all = tables.map { FamilyDefinition($0) }
}
