import Adapters
import Checkpoints
import Foundation
import ModelFamilies
import SystemPackage
import Tensors
import TestSupport
import Testing

/// The tables of programs that load adapters: whole, and without rows that are about nothing.
@Suite struct ReaderTableTests {
  /// In the order in which they are named; all files of the folder are there.
  @Test func readersAreTheFilesOfTheirFolder() throws {
    let names = [
      "comfyui", "a1111", "forge", "invokeai", "diffusers", "peft", "sd.cpp", "musubi", "lycoris",
      "hcp",
    ]
    #expect(AdapterReader.all.map(\.name) == names)
    let folder = Fixtures.folder.removingLastComponent().appending(
      "Sources/Checkpoints/ReaderTables")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.string)
    #expect(files.sorted() == names.map { $0 + ".toml" }.sorted())
  }

  /// Tensors of modules of all kinds there are, by what they are called here.
  private static let shapes:
    [(algorithm: any AdapterAlgorithm.Type, shapes: [String: Shape], alpha: Float?)] =
      [
        (LoRA.self, ["lora_up.weight": [8, 2], "lora_down.weight": [2, 4]], 1),
        (LoRA.self, ["lora_up.weight": [8, 2, 1], "lora_down.weight": [2, 4, 3]], 1),
        (LoRA.self, ["lora_up.weight": [8, 2, 1, 1, 1], "lora_down.weight": [2, 4, 1, 2, 2]], 1),
        (
          LoRA.self,
          [
            "lora_up.weight": [8, 2, 1, 1], "lora_mid.weight": [2, 2, 3, 3],
            "lora_down.weight": [2, 4, 1, 1],
          ], 1
        ),
        (
          LoRA.self,
          [
            "lora_up.weight": [8, 2, 1, 1, 1], "lora_mid.weight": [2, 2, 3, 3, 3],
            "lora_down.weight": [2, 4, 1, 1, 1],
          ], 1
        ),
        (
          LoRA.self,
          ["lora_up.weight": [8, 2], "lora_down.weight": [2, 4], "dora_scale": [8, 1]], 1
        ),
        (
          LoRA.self,
          ["lora_up.weight": [8, 2], "lora_down.weight": [2, 4], "dora_scale": [1, 4]], 1
        ),
        (
          LoRA.self,
          [
            "lora_up.weight": [8, 2, 1, 1], "lora_mid.weight": [2, 2, 3, 3],
            "lora_down.weight": [2, 4, 1, 1],
            "dora_scale": [1, 4, 1, 1],
          ], 1
        ),
        (
          LoRA.self,
          [
            "lora_up.weight": [8, 2], "lora_down.weight": [2, 4], "bias_indices": [2, 3],
            "bias_values": [3],
            "bias_size": [2],
          ], 1
        ),
        (
          LoRA.self,
          [
            "lora_up.weight": [8, 2], "lora_down.weight": [2, 4], "diff_b": [8], "scalar": [],
            "scale": [],
            "reshape_weight": [2],
          ], 1
        ),
        (
          LoHa.self,
          ["hada_w1_a": [8, 2], "hada_w1_b": [2, 4], "hada_w2_a": [8, 2], "hada_w2_b": [2, 4]], 1
        ),
        (
          LoHa.self,
          [
            "hada_w1_a": [2, 8], "hada_w1_b": [2, 4], "hada_t1": [2, 2, 3, 3], "hada_w2_a": [2, 8],
            "hada_w2_b": [2, 4], "hada_t2": [2, 2, 3, 3],
          ], 1
        ),
        (
          LoHa.self,
          [
            "hada_w1_a": [8, 2], "hada_w1_b": [2, 4], "hada_w2_a": [8, 2], "hada_w2_b": [2, 4],
            "dora_scale": [8, 1], "diff_b": [8],
          ], 1
        ),
        (LoKr.self, ["lokr_w1": [2, 2], "lokr_w2": [4, 2]], 1),
        (LoRA.self, ["lora_up.weight": [8, 2], "lora_down.weight": [2, 4]], nil),
        (LoRA.self, ["lora_up.weight": [8, 1], "lora_down.weight": [1, 4]], 1),
        (LoKr.self, ["lokr_w1": [2, 2], "lokr_w2": [4, 2, 3, 3]], 1),
        (LoKr.self, ["lokr_w1": [16, 16], "lokr_w2": [4, 4]], 1),
        (LoKr.self, ["lokr_w1": [2, 2], "lokr_w2": [4, 2, 3, 3, 3]], 1),
        (LoKr.self, ["lokr_w1_a": [2, 1], "lokr_w1_b": [1, 2], "lokr_w2": [4, 2]], 1),
        (
          LoKr.self,
          [
            "lokr_w1": [2, 2], "lokr_w2_a": [2, 4], "lokr_w2_b": [2, 2], "lokr_t2": [2, 2, 3, 3],
          ], 1
        ),
        (IA3.self, ["weight": [8], "on_input": []], nil),
        (IA3.self, ["weight": [8, 1, 1, 1], "on_input": []], nil),
        (
          GLoRA.self,
          ["a1.weight": [4, 2], "a2.weight": [2, 4], "b1.weight": [8, 2], "b2.weight": [2, 4]], 1
        ),
        (DiagOFT.self, ["oft_blocks": [2, 4, 4], "rescale": [8, 1]], 1),
        (BOFT.self, ["oft_blocks": [1, 2, 4, 4]], nil),
        (
          TLoRA.self,
          ["p_layer.weight": [8, 2], "q_layer.weight": [2, 4], "lambda_layer": [1, 2]], nil
        ),
        (Full.self, ["diff": [8, 4]], nil), (Norm.self, ["w_norm": [8]], nil),
        (Replacement.self, ["set_weight": [8]], nil),
      ]

  private static let names = [
    "lora_unet_double_blocks_0_img_attn_proj", "lora_unet_img_in", "lora_unet_final_layer_linear",
    "lora_unet_layers_0_attention_qkv", "lora_te1_text_model_encoder_layers_0_mlp_fc1",
    "text_encoder.text_model.encoder.layers.0.mlp.fc1",
    "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q",
    "text_encoders.clip_l.transformer.text_model.encoder.layers.0.mlp.fc1",
    "diffusion_model.double_blocks.0.img_attn.proj", "lora_unet_double_blocks_0_img_mlp_fc1",
    "diffusion_model.time_in.mlp.0", "lora_unet_patch_embedding",
    "diffusion_model.double_blocks.0.img_attn.proj", "diffusion_model.patchify_proj",
    "diffusion_model.txt_in.individual_token_refiner.blocks.0.self_attn_qkv",
    "diffusion_model.final_layer.adaLN_modulation.1", "lora_unet_distilled_guidance_layer_in_proj",
    "lora_unet_double_stream_modulation_img_lin",
    "layers.0.attention.qkv", "transformer.distilled_guidance_layer.in_proj",
    "text_encoder_2.encoder.block.0.layer.0.SelfAttention.q", "lora_te1_layers_0_self_attn_q_proj",
    "conditioner.embedders.1.model.transformer.resblocks.0.mlp.c_fc", "lora_unet_time_embed_0",
    "lora_unet_txtfusion_refiner_blocks_0_attn_wq", "transformer.norm_out.linear",
    "transformer.distilled_guidance_layer.layers.0.linear_1", "transformer.proj_in",
  ]

  private static var modules: [ReadModule] {
    shapes.flatMap { algorithm, shapes, alpha in
      names.map { ReadModule(name: $0, algorithm, shapes, alpha: alpha) }
    }
  }

  /// What only a whole file tells.
  private static let traitsOfFiles: Set<ModuleTrait> = [
    .mixed, .notFirst, .otherFactor, .otherParts, .withoutControl,
  ]

  @Test(arguments: AdapterReader.all.map(\.name))
  func answersForEveryAlgorithm(name: String) throws {
    let reader = try #require(AdapterReader.named(name))
    #expect(Set(reader.verdicts.keys) == Set(allAlgorithms.map { $0.name }))
    for algorithm in reader.rows.flatMap({ $0.algorithms ?? [] }) {
      #expect(reader.verdicts[algorithm] == .whole, "\(algorithm): its rows are never asked")
    }
    for format in [reader.format(for: nil)] + ModelFamily.all.map({ reader.format(for: $0) })
      + AdapterFormat.allCases.filter({ reader.namings[$0] == .own })
    {
      #expect(reader.namings[format] != nil, "\(format)")
    }
    for family in (reader.families ?? []) + reader.rows.flatMap({ $0.families ?? [] }) {
      #expect(ModelFamily.named(family) != nil, "\(family)")
    }
    #expect(!reader.source.isEmpty && reader.rows.allSatisfy { !$0.source.isEmpty })
  }

  /// A row is there for modules that there are, in names that the program reads.
  @Test(arguments: AdapterReader.all.map(\.name))
  func everyRowIsAboutSomething(name: String) throws {
    let reader = try #require(AdapterReader.named(name))
    let families = ModelFamily.all.map { $0 as ModelFamily? } + [nil]
    for (index, row) in reader.rows.enumerated() {
      let isReached = Self.modules.contains { module in
        var module = module
        module.traits.formUnion(row.traits.intersection(Self.traitsOfFiles))
        return reader.namings.keys.contains { format in
          families.contains { row.covers(module, format, $0) }
        }
      }
      #expect(isReached, "row \(index + 1): \(row.what)")
    }
  }

  @Test func everyTraitIsFound() {
    let found = Self.modules.reduce(into: Set<ModuleTrait>()) { $0.formUnion($1.traits) }
    #expect(Set(ModuleTrait.allCases).subtracting(found) == Self.traitsOfFiles)
  }

  /// The manual's tables are those of the program; `scripts/docs/tabulate-readers.py` writes them.
  @Test func theManualHasThem() throws {
    let page = try String(
      contentsOfFile: Fixtures.path("../docs/readers.md").string, encoding: .utf8)
    let lines = page.split(separator: "\n").map {
      $0.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
    }
    let read = [
      "partly": "in part", "wrong": "wrongly", "not": "not",
      "refused": "not, nor the rest of the file",
    ]
    let columns = try #require(lines.first { $0.contains("lora") && $0.contains("set") })
      .dropFirst()
    #expect(Set(columns) == Set(allAlgorithms.map { $0.name }))
    for reader in AdapterReader.all {
      let verdicts = columns.map { reader.verdicts[$0]?.rawValue ?? "" }
      #expect(lines.contains([reader.title] + verdicts), "\(reader.name)")
      for row in reader.rows {
        let error = row.error.map { "\($0)" }.joined(separator: " to ")
        let entry = reader.title + (error.isEmpty ? "" : " (\(error))")
        #expect(
          lines.contains {
            $0.count == 3 && $0[0] == row.what && $0[1] == read[row.verdict.rawValue]
              && $0[2].components(separatedBy: ", ").contains(entry)
          }, "\(reader.name): \(row.what)")
      }
    }
  }
}
