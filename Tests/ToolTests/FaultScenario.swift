import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// A way of writing, for `FaultTests`.
struct FaultScenario: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let tool: String
  let arguments: [String]
  /// The same with other results, which make the old outputs; empty for none.
  let former: [String]
  /// What is opened to read an output.
  let entries: [String]
  /// Files that may be new where others are old.
  let independent: Set<String>
  /// The base is the output: to run it again on what is whole would apply the adapter twice.
  var isInPlace = false
  var isNamed = false
  /// The base is of a size that is written past the page cache.
  var isLarge = false
  /// Pages, which have times of the work in them: any whole one is as good.
  var pages: Set<String> = []
  /// A training: what begins with one of these changes places together, all else by itself, and the next run goes
  /// on from the last state.
  var sets: [String]?
  /// What saves begin with that the run removes again: where it is stopped before, the next one does.
  var passing: String?

  private init(
    _ name: String, _ tool: String, _ arguments: [String], former: [String], entries: [String],
    independent: Set<String> = []
  ) {
    testDescription = name
    (self.tool, self.arguments, self.former) = (tool, arguments, former)
    (self.entries, self.independent) = (entries, independent)
  }

  /// The same on a file system that has no files without names.
  private var named: FaultScenario {
    var scenario = self
    scenario.isNamed = true
    return FaultScenario(renaming: scenario)
  }

  private init(renaming other: FaultScenario) {
    testDescription = other.testDescription + ", no unnamed files"
    (tool, arguments, former) = (other.tool, other.arguments, other.former)
    (entries, independent, isNamed) = (other.entries, other.independent, other.isNamed)
    isInPlace = other.isInPlace
    (sets, passing, pages) = (other.sets, other.passing, other.pages)
  }

  /// A training of one module in a few steps.
  private static func training(
    _ name: String, _ more: [String], former: [String] = [], sets: [String] = []
  ) -> FaultScenario {
    let arguments =
      [
        "--pretrained_model_name_or_path", Fixtures.path("training/tiny").string,
        "--train_data_dir", "images", "--resolution", "32", "--network_module", "lycoris.kohya",
        "--network_args", "exclude_patterns=['.*']", "include_patterns=['conv_in']",
        "--network_dim",
        "2", "--network_train_unet_only", "--seed", "7", "--no_metadata", "--output_dir", "o",
        "--output_name", "t",
      ]
    var scenario = FaultScenario(
      name, "lyco-train", arguments + more, former: former.isEmpty ? [] : arguments + former,
      entries: [])
    scenario.sets = sets
    return scenario
  }

  /// Trainings. A run of one takes a second, so that each call is met by one of the faults.
  static let trainings: [FaultScenario] = {
    var rotating = training(
      "states that take turns",
      [
        "--max_train_epochs", "3", "--train_batch_size", "2", "--save_every_n_epochs", "1",
        "--save_state", "--save_last_n_epochs", "1",
      ], sets: ["o/t-000002-state/", "o/t-state/"])
    rotating.passing = "o/t-000001"
    return [
      rotating,
      training(
        "a state over another", ["--max_train_steps", "2", "--save_state_on_train_end"],
        former: ["--max_train_steps", "1", "--save_state_on_train_end"], sets: ["o/t-state/"]
      ).named,
      page(training("a page", ["--max_train_steps", "1", "--html", "p.html"]), "p.html"),
      training("caches as numpy's", ["--max_train_steps", "1", "--cache_latents_to_disk"]).named,
      training(
        "compressed caches",
        [
          "--max_train_steps", "1", "--cache_latents_to_disk", "--latent_cache_format",
          "safetensors.zst",
        ]
      ).named,
    ]
  }()

  private static func merge(
    _ name: String, _ base: String, _ output: String, _ more: [String] = [], former: [String] = [],
    entry: String
  ) -> FaultScenario {
    let arguments = ["lyco-merge", base, "a.safetensors", "-o", output]
    return FaultScenario(
      name, arguments[0], Array(arguments[1...]) + more,
      former: Array(arguments[1...]) + ["--ratio", "0.5"] + former, entries: [entry])
  }

  /// A file whose blocks are written past the page cache, by threads beside the one that computes.
  static let large = {
    var large = merge(
      "a large file", "large.safetensors", "o.safetensors", entry: "o.safetensors")
    large.isLarge = true
    return large
  }()

  static let all: [FaultScenario] = {
    let single = merge("one file", "base.safetensors", "o.safetensors", entry: "o.safetensors")
    let shards = merge(
      "shards", "base.safetensors", "o.safetensors", ["--shard_size", "100"],
      former: ["--shard_size", "50"], entry: "o.safetensors.index.json")
    let folder = merge("folder", "pipeline", "out", entry: "out")
    let index = "s.safetensors.index.json"
    var inPlace = FaultScenario(
      "shards in place", "lyco-merge",
      [index, "a.safetensors", "-o", "s.safetensors", "--shard_size", "50"],
      former: ["base.safetensors", "b.safetensors", "-o", "s.safetensors", "--shard_size", "50"],
      entries: [index])
    inPlace.isInPlace = true
    return [
      inPlace,
      single, single.named, shards, shards.named, folder,
      merge(
        "shards in the place of one file", "base.safetensors", "o.safetensors",
        ["--shard_size", "100"], entry: "o.safetensors.index.json"),
      FaultScenario(
        "new folder", "lyco-merge", ["pipeline", "a.safetensors", "-o", "made/out"], former: [],
        entries: ["made/out"]),
      FaultScenario(
        "PEFT folder", "lyco-convert",
        ["a.safetensors", "--to", "peft", "--family", "sd1", "-o", "p"],
        former: ["b.safetensors", "--to", "peft", "--family", "sd1", "-o", "p"],
        entries: ["p/unet/adapter_model.safetensors"]),
      FaultScenario(
        "pair of HCP", "lyco-convert",
        ["a.safetensors", "--to", "hcp", "--family", "sd1", "-o", "h.safetensors"],
        former: ["b.safetensors", "--to", "hcp", "--family", "sd1", "-o", "h.safetensors"],
        entries: ["unet-h.safetensors", "text_encoder-h.safetensors"]),
      FaultScenario(
        "several conversions", "lyco-convert",
        ["a.safetensors", "b.safetensors", "--output_dir", "o", "--overwrite"],
        former: ["a.safetensors", "b.safetensors", "--dim", "1", "--output_dir", "o"],
        entries: [], independent: ["o/a.safetensors", "o/b.safetensors"]),
      FaultScenario(
        "report", "lyco-convert",
        ["a.safetensors", "--dim", "1", "--report", "r.json", "-o", "o.safetensors"],
        former: ["b.safetensors", "--dim", "1", "--report", "r.json", "-o", "o.safetensors"],
        entries: ["o.safetensors"], independent: ["r.json"]),
      pictures,
      page(
        FaultScenario(
          "page of an extraction", "lyco-extract",
          [
            "base.safetensors", "tuned.safetensors", "-o", "o.safetensors", "--linear_dim", "1",
            "--report", "p.html",
          ],
          former: [
            "base.safetensors", "tuned.safetensors", "-o", "o.safetensors", "--linear_dim", "2",
            "--report", "p.html",
          ], entries: ["o.safetensors"]), "p.html"),
      page(
        merge(
          "page of a merge", "base.safetensors", "o.safetensors", ["--report", "p.html"],
          former: ["--report", "p.html"], entry: "o.safetensors"), "p.html"),
      page(
        FaultScenario(
          "page of a folder", "lyco-inspect", [".", "--html", "made/p.html"], former: [],
          entries: []), "made/p.html"),
    ]
  }()

  private static func page(_ scenario: FaultScenario, _ page: String) -> FaultScenario {
    var scenario = scenario
    scenario.pages = [page]
    return scenario
  }

  /// Several pictures, each of which comes by itself.
  private static let pictures: FaultScenario = {
    func arguments(_ seed: String) -> [String] {
      [
        "--base", Fixtures.path("training/tiny").string, "--prompt", "a bag", "--width", "64",
        "--height", "64", "--steps", "1", "--scale", "1", "--batch", "2", "--seed", seed, "-o",
        "made/p.png", "--overwrite",
      ]
    }
    return FaultScenario(
      "pictures", "lyco-sample", arguments("1"), former: arguments("3"), entries: [],
      independent: ["made/p-000.png", "made/p-001.png"])
  }()

  /// The same base in a file of 33 MiB.
  static func writeLargeBase(to folder: borrowing TemporaryFolder) throws {
    let base = try TensorFile(opening: folder.file("base.safetensors"))
    var tensors = Dictionary(uniqueKeysWithValues: base.tensors.map { ($0, $1.encoded) })
    tensors["large"] = EncodedTensor(Tensor(random: [33 << 18], seed: 9), as: .f32)
    try folder.write("large.safetensors", tensors)
  }

  /// Inputs: a base as one file and as a folder of components, and two adapters for both.
  static func writeInputs(to folder: borrowing TemporaryFolder) throws {
    for name in ["bits.png", "gray.png"] {
      let bytes = try contents(of: Fixtures.path("training/data/images/\(name)"))
      try FileTree(files: ["images/\(name)": bytes]).write(to: folder.path)
    }
    let unet = "down_blocks.0.attentions.0.transformer_blocks.0.attn1"
    let text = "text_model.encoder.layers.0.self_attn"
    func tensor(_ shape: Shape, _ seed: UInt64) -> EncodedTensor {
      EncodedTensor(Tensor(random: shape, seed: seed), as: .f32)
    }
    var base: [String: EncodedTensor] = [:]
    for (i, name) in ["to_q", "to_k", "to_v"].enumerated() {
      base["\(unet).\(name).weight"] = tensor([4, 3], UInt64(i))
    }
    try folder.write("pipeline/unet/diffusion_pytorch_model.safetensors", base)
    try folder.write(
      "pipeline/unet/config.json", text: "{\"_class_name\": \"UNet2DConditionModel\"}")
    let encoder = ["\(text).q_proj.weight": tensor([4, 3], 7)]
    try folder.write("pipeline/text_encoder/model.safetensors", encoder)
    try folder.write("pipeline/model_index.json", text: "{}")
    try folder.write(
      "base.safetensors",
      base.merging(encoder) { $1 }.reduce(into: [:]) { $0[$1.key] = $1.value })
    try folder.write(
      "tuned.safetensors",
      base.merging(encoder) { $1 }.reduce(into: [:]) { tensors, entry in
        tensors[entry.key] = tensor([4, 3], UInt64(200 + tensors.count))
      })
    for (index, name) in ["a", "b"].enumerated() {
      var factors: [String: EncodedTensor] = [:]
      for (i, module) in [
        "lora_unet_\(unet.underscored)_to_q", "lora_te_\(text.underscored)_q_proj",
      ].enumerated() {
        let seed = UInt64(100 + 10 * index + i)
        factors["\(module).lora_up.weight"] = tensor([4, 2], seed)
        factors["\(module).lora_down.weight"] = tensor([2, 3], seed + 50)
        factors["\(module).alpha"] = EncodedTensor(Tensor(scalar: 2), as: .f32)
      }
      try folder.write("\(name).safetensors", factors)
    }
  }
}

extension String {
  fileprivate var underscored: String { replacing(".", with: "_") }
}
