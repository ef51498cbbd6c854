import Tensors

extension FamilyDefinition {
  init(_ table: EmbeddedTable) {
    name = table.string("name")
    title = table.string("title")
    signs = table.tables("signs").map(Sign.init)
    absent = table.strings(ifAny: "absent")
    components = table.tables("components").map(Component.init)
    names = table.table(ifAny: "names")
    others = table.lists(ifAny: "others")
    roles = table.table(ifAny: "roles")?.entries { $0.word($1) } ?? [:]
    let network = table.table(ifAny: "network")
    trainedClasses = network.map { TrainedClasses($0) } ?? .none
    trainedVariants =
      network?.table(ifAny: "variants")?.entries { TrainedClasses($0.table($1)) } ?? [:]
    flow = table.table(ifAny: "flow").map { flow in
      (FlowRules(flow), flow.table(ifAny: "variants")?.entries { FlowRules($0.table($1)) } ?? [:])
    }
    sampling = table.table(ifAny: "sampling").map { SamplingRules($0) }
    layerArguments = network?.table(ifAny: "arguments").map { LayerArguments($0) } ?? .none
    latents = table.table(ifAny: "latents").map { LatentLayout($0) }
    prepared = table.table(ifAny: "caches").map { PreparedLayout($0) }
    preparedVariants =
      table.table(ifAny: "caches")?.table(ifAny: "variants")?.entries {
        PreparedLayout($0.table($1))
      } ?? [:]
    adapters = Adapters(table.table("adapters"))
    blocks = table.strings(ifAny: "blocks") ?? []
    metadata = table.table(ifAny: "metadata").map(FamilyMetadata.init)
  }
}

extension FamilyDefinition.Sign {
  init(_ table: EmbeddedTable) {
    component = table.string("component")
    keys = table.strings("keys")
    axis = table.integer("axis")
    extents = table.integers("extents")
  }
}

extension FamilyDefinition.Component {
  init(_ table: EmbeddedTable) {
    name = table.string("name")
    role = table.word("role")
    tables = table.strings(ifAny: "tables") ?? []
    root = table.string(ifAny: "root")
    aliases = table.strings("aliases")
    implied = table.string(ifAny: "implied")
    layouts = table.tables("layouts").map(FamilyDefinition.Layout.init)
    names = table.lists(ifAny: "names")
    graph = table.string(ifAny: "graph") ?? names?[AdapterFormat.diffusers.rawValue]?.first
    option = table.string(ifAny: "option")
  }
}

extension FamilyDefinition.Layout {
  init(_ table: EmbeddedTable) {
    column = table.string("column")
    keys = table.strings("keys")
    inserting = table.string(ifAny: "inserting")
    naming = table.string("naming")
    prefix = table.string("prefix")
    extraction = table.strings(ifAny: "extraction")
  }
}

extension TrainedClasses {
  fileprivate init(_ table: EmbeddedTable) {
    table.expect("kohya", "presets", "variants", "arguments")
    kohya = table.table(ifAny: "kohya").map { kohya in
      Kohya(
        text: Set(kohya.strings("text")), denoiser: Set(kohya.strings("denoiser")),
        convolutions: Set(kohya.strings("convolutions")), script: kohya.string(ifAny: "script"),
        module: kohya.string(ifAny: "module"), excluded: kohya.strings(ifAny: "exclude") ?? [],
        excludedByDefault: kohya.strings(ifAny: "exclude_by_default") ?? [])
    }
    presets = Set(table.strings(ifAny: "presets") ?? [])
  }
}

extension LatentLayout {
  fileprivate init(_ table: EmbeddedTable) {
    table.expect(
      "channels", "stride", "frame_stride", "patch", "shift", "scale", "scaled_format",
      "clamps_variance", "cache", "cached_scaled", "cached_sizes")
    self.init(
      channels: table.integer("channels"), stride: table.integer("stride"),
      frameStride: table.integer(ifAny: "frame_stride") ?? 1,
      patch: table.integer(ifAny: "patch") ?? 1,
      shift: Float(table.number(ifAny: "shift") ?? 0), scale: Float(table.number("scale")),
      scaledFormat: table.string(ifAny: "scaled_format").map { format in
        guard let dtype = DType(rawValue: format) else {
          preconditionFailure("embedded table: no format '\(format)'")
        }
        return dtype
      },
      clampsVariance: table.bool(ifAny: "clamps_variance") ?? true,
      cacheName: table.string("cache"),
      cachesScaled: table.bool(ifAny: "cached_scaled") ?? false,
      cachesSizes: table.bool(ifAny: "cached_sizes") ?? false)
  }
}

extension PreparedLayout {
  fileprivate init(_ table: EmbeddedTable) {
    table.expect("name", "architecture", "step", "latents", "text", "variants")
    self.init(
      name: table.string("name"), architecture: table.string("architecture"),
      step: table.integer("step"), latentsCommand: table.string("latents"),
      textCommand: table.string("text"))
  }
}

extension FamilyDefinition.Adapters {
  init(_ table: EmbeddedTable) {
    metadata = table.strings("metadata")
    widths = table.table(ifAny: "widths")?.entries { $0.integers($1) }
    outputs = table.table(ifAny: "outputs")?.entries { $0.integers($1) }
    lacks = table.strings(ifAny: "lacks")
    needs = table.strings(ifAny: "needs")
    blocks = table.table(ifAny: "blocks")?.entries { $0.integers($1) }
  }
}
