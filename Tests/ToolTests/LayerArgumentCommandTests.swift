import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// `--network_args` about single layers of Flux.1 and Stable Diffusion 3, as they come out in the saved file.
@Suite(.serialized) struct LayerArgumentCommandTests {
  /// Two steps upon the weights and caches of an oracle.
  private static func adapter(_ oracle: String, _ arguments: String) throws -> TensorFile {
    let folder = TemporaryFolder()
    let source = Fixtures.path("training/oracles/\(oracle)")
    let file = try TensorFile(opening: source.appending("model.safetensors.zst"))
    try folder.write(
      "model.safetensors",
      Dictionary(uniqueKeysWithValues: file.tensors.map { ($0.key, $0.value.stored) }))
    for name in directoryEntries(source.appending("images")) {
      try folder.write(
        "images/\(name)", bytes: contents(of: source.appending("images/\(name)")))
    }
    try folder.write("dataset.toml", bytes: contents(of: source.appending("dataset.toml")))
    let family = oracle.hasPrefix("flux") ? "flux" : "sd3"
    let line = """
      accelerate launch \(family)_train_network.py --pretrained_model_name_or_path model.safetensors \
      --dataset_config dataset.toml --output_dir out --output_name a --network_module networks.lora_\(family) \
      --network_dim 4 --network_alpha 1 --learning_rate 1e-3 --optimizer_type AdamW --max_train_steps 2 \
      --cache_text_encoder_outputs --cache_text_encoder_outputs_to_disk --cache_latents --cache_latents_to_disk \
      --network_train_unet_only --seed 42 --threads 1 --quiet
      """
    let result = ToolRun(
      "lyco-train",
      line.split(separator: " ").map(String.init)
        + (arguments.isEmpty
          ? [] : ["--network_args"] + arguments.split(separator: " ").map(String.init)),
      in: folder.path)
    #expect(result.status == 0, "\(result.errors)")
    return try TensorFile(opening: folder.file("out/a.safetensors"))
  }

  /// Modules of a file with their ranks.
  private static func ranks(_ file: TensorFile) -> [String: Int] {
    var ranks: [String: Int] = [:]
    for (key, view) in file.tensors where key.hasSuffix(".lora_down.weight") {
      ranks[String(key.dropLast(".lora_down.weight".count))] = view.shape.rows
    }
    return ranks
  }

  @Test(
    arguments: [
      ("flux-dev", "train_blocks=single", { $0.contains("single_blocks") ? 4 : 0 }),
      ("flux-dev", "train_double_block_indices=none", { $0.contains("single_blocks") ? 4 : 0 }),
      (
        "flux-dev", "img_mod_dim=0 txt_mod_dim=0 single_mod_dim=0 single_dim=2 img_attn_dim=3",
        { name in
          name.contains("_mod_") || name.contains("modulation")
            ? 0 : name.contains("single") ? 2 : name.contains("img_attn") ? 3 : 4
        }
      ),
      (
        "flux-dev", "network_reg_dims=linear1=2,_mod=0",
        { name in
          name.contains("linear1") ? 2 : name.contains("_mod") ? 0 : 4
        }
      ),
      ("sd35-medium", "train_block_indices=0", { $0.contains("blocks_0_") ? 4 : 0 }),
      (
        "sd3-medium", "context_attn_dim=2 x_mlp_dim=0 context_mod_dim=3",
        { name in
          name.contains("context_block_attn")
            ? 2 : name.contains("x_block_mlp") ? 0 : name.contains("context_block_ada") ? 3 : 4
        }
      ),
    ] as [(String, String, @Sendable (String) -> Int)])
  func savesRanks(oracle: String, arguments: String, rank: @Sendable (String) -> Int) throws {
    let all = Self.ranks(try Self.adapter(oracle, ""))
    #expect(!all.isEmpty && all.values.allSatisfy { $0 == 4 })
    let expected = all.keys.reduce(into: [:]) { $0[$1] = rank($1) }.filter { $0.value > 0 }
    #expect(expected.count < all.count || expected.values.contains { $0 != 4 })
    #expect(Self.ranks(try Self.adapter(oracle, arguments)) == expected)
  }

  /// Layers outside of blocks, one of them a convolution of patches.
  @Test(
    arguments: [
      (
        "flux-dev", "in_dims=[1,2,0,3,1]",
        ["img_in": 1, "time_in": 2, "guidance_in": 3, "txt_in": 1]
      ),
      (
        "sd35-medium", "emb_dims=1,2,3,1,2,3 train_block_indices=none",
        [
          "context_embedder": 1, "t_embedder": 2, "x_embedder": 3, "y_embedder": 1,
          "final_layer_adaLN": 2, "final_layer_linear": 3,
        ]
      ),
    ] as [(String, String, [String: Int])])
  func trainsLayersOutsideOfBlocks(
    oracle: String, arguments: String, expected: [String: Int]
  ) throws {
    let file = try Self.adapter(oracle, arguments)
    let ranks = Self.ranks(file).filter { !$0.key.contains("blocks_") }
    for (name, rank) in ranks {
      #expect(
        expected.contains { name.hasPrefix("lora_unet_" + $0.key) && $0.value == rank }, "\(name)")
    }
    #expect(ranks.count == (oracle == "flux-dev" ? 6 : 8))
    for (key, view) in file.tensors where key.hasSuffix("lora_up.weight") {
      #expect(view.tensor().sumOfSquares > 0, "\(key)")
    }
    if let down = file.tensors["lora_unet_x_embedder_proj.lora_down.weight"] {
      #expect(down.shape == [3, 16, 2, 2])
    }
  }

  /// Parts of a layer are saved as one, in blocks on the diagonal, with an alpha that gives each its scale.
  @Test(arguments: ["flux-dev", "sd35-medium"]) func splits(oracle: String) throws {
    let file = try Self.adapter(oracle, "split_qkv=True")
    #expect(
      Set(Self.ranks(file).keys) == Set(Self.ranks(try Self.adapter(oracle, "")).keys))
    var split = 0
    for (name, rank) in Self.ranks(file) {
      let isFused = name.hasSuffix("qkv") || name.hasSuffix("linear1")
      let parts = isFused ? (name.hasSuffix("linear1") ? 4 : 3) : 1
      #expect(rank == 4 * parts, "\(name)")
      let alpha = try #require(file.tensors[name + ".alpha"]).tensor().elements[0]
      #expect(alpha == Float(parts), "\(name)")
      guard isFused else { continue }
      split += 1
      let up = try #require(file.tensors[name + ".lora_up.weight"]).tensor()
      let width = try #require(file.tensors[name + ".lora_down.weight"]).shape.columns
      #expect(up.sumOfSquares > 0, "\(name)")
      for row in 0..<up.shape.rows {
        let part = min(row / width, parts - 1)
        let own = up.elements[row * rank + 4 * part..<row * rank + 4 * part + 4]
        let all = up.elements[row * rank..<(row + 1) * rank]
        #expect(own.count { $0 != 0 } == all.count { $0 != 0 }, "\(name)")
      }
    }
    #expect(split > 0)
  }
}
