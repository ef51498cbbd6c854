import Adapters
import Checkpoints
import Foundation
import ModelFamilies
import Operations
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// The metadata of converted adapters.
@Suite struct ConversionMetadataTests {
  static let trained = [
    "ss_network_module": "networks.lora_flux", "ss_network_dim": "4", "ss_network_alpha": "2.0",
    "ss_network_args": #"{"loraplus_lr_ratio": "4"}"#, "ss_v2": "False",
    "ss_base_model_version": "flux1", "ss_tag_frequency": "{}", "ss_sd_model_name": "base",
    "ss_training_comment": "mine", "modelspec.title": "Title", "modelspec.author": "someone",
    "modelspec.architecture": "flux-1-dev/lora", "modelspec.hash_sha256": "0x0",
    "lora_adapter_metadata": "{}", "sshs_model_hash": "stale", "sshs_legacy_hash": "stale",
  ]

  private func module(
    _ name: String, rank: Int, alpha: Float, seed: UInt64 = 1
  ) -> [String: EncodedTensor] {
    [
      name + ".lora_up.weight": EncodedTensor(Tensor(random: [20, rank], seed: seed), as: .f32),
      name + ".lora_down.weight": EncodedTensor(Tensor(random: [rank, 24], seed: seed), as: .f32),
      name + ".alpha": EncodedTensor(Tensor(scalar: alpha), as: .f32),
    ]
  }

  private func converted(
    _ inputs: [FilePath], in folder: borrowing TemporaryFolder,
    _ settings: AdapterConversionSettings = AdapterConversionSettings(threads: 1)
  ) async throws -> [String: String] {
    let isAlone = inputs.count == 1
    let adapters = try inputs.map {
      WeightedAdapter(
        file: try AdapterFile(opening: $0), denoiserRatio: isAlone ? 1 : 0.5,
        textEncoderRatio: isAlone ? 1 : 0.25)
    }
    let output = folder.file("out.safetensors")
    _ = try await AdapterConversion(adapters, settings: settings)
      .run(writing: output, progress: .silent)
    return try TensorFile(opening: output).metadata
  }

  /// What has not changed stays as the trainer wrote it; what is of another file goes.
  @Test func keepsWhatIsTrue() async throws {
    let folder = TemporaryFolder()
    let input = try folder.write(
      "in.safetensors", module("lora_unet_a", rank: 4, alpha: 2), metadata: Self.trained)
    var found = try await converted([input], in: folder)
    #expect(found.removeValue(forKey: "sshs_model_hash")?.count == 64)
    #expect(found.removeValue(forKey: "sshs_legacy_hash")?.count == 8)
    let gone = [
      "modelspec.hash_sha256", "lora_adapter_metadata", "sshs_model_hash", "sshs_legacy_hash",
    ]
    #expect(found == Self.trained.filter { !gone.contains($0.key) })
  }

  @Test func policies() async throws {
    let folder = TemporaryFolder()
    let input = try folder.write(
      "in.safetensors", module("lora_unet_a", rank: 4, alpha: 2), metadata: Self.trained)
    let minimal = try await converted(
      [input], in: folder,
      AdapterConversionSettings(
        family: .named("flux"), metadata: .minimal,
        addedMetadata: ["mine": "x", "ss_v2": ""], threads: 1))
    #expect(
      Set(minimal.keys) == [
        "ss_base_model_version", "ss_network_module", "ss_network_dim", "ss_network_alpha",
        "ss_network_args", "modelspec.sai_model_spec", "modelspec.architecture",
        "modelspec.implementation", "modelspec.title", "modelspec.resolution", "sshs_model_hash",
        "sshs_legacy_hash", "mine",
      ])
    #expect(minimal["ss_network_module"] == "networks.lora_flux")
    #expect(minimal["ss_network_alpha"] == "2.0")
    let none = try await converted(
      [input], in: folder, AdapterConversionSettings(metadata: .none, threads: 1))
    #expect(none == [:])
  }

  /// Of a file that says nothing, what can be known is said.
  @Test func fillsInTheMinimum() async throws {
    let folder = TemporaryFolder()
    let input = try folder.write(
      "in.safetensors",
      module("lora_unet_a", rank: 4, alpha: 2).merging(
        module("lora_unet_b", rank: 3, alpha: 2)
      ) { $1 })
    let found = try await converted(
      [input], in: folder,
      AdapterConversionSettings(family: .named("sdxl"), metadata: .minimal, threads: 1))
    #expect(found["ss_network_dim"] == "Dynamic" && found["ss_network_alpha"] == "2")
    #expect(found["ss_network_module"] == "networks.lora" && found["ss_network_args"] == "{}")
    #expect(found["ss_base_model_version"] == "sdxl_base_v1-0")
    #expect(found["modelspec.architecture"] == "stable-diffusion-xl-v1-base/lora")
    #expect(found["modelspec.title"] == "in")
  }

  /// Names that fit several models say of none that it is the adapter's, until another adapter does.
  @Test func modelsAreNotGuessed() async throws {
    let folder = TemporaryFolder()
    func write(_ file: String, blocks: Int, _ metadata: [String: String]) throws -> FilePath {
      var tensors: [String: EncodedTensor] = [:]
      for name in (0..<blocks).map({ "transformer.transformer_blocks.\($0).attn.to_q" }) {
        tensors[name + ".lora_B.weight"] = EncodedTensor(Tensor(zeros: [3072, 1]), as: .f16)
        tensors[name + ".lora_A.weight"] = EncodedTensor(Tensor(zeros: [1, 3072]), as: .f16)
      }
      return try folder.write(file, tensors, metadata: metadata)
    }
    let silent = try write("silent.safetensors", blocks: 2, [:])
    let known = try write("known.safetensors", blocks: 1, ["ss_base_model_version": "flux1"])
    let settings = AdapterConversionSettings(metadata: .minimal, threads: 1)
    let alone = try await converted([silent], in: folder, settings)
    #expect(alone["ss_base_model_version"] == nil)
    let both = try await converted([silent, known], in: folder, settings)
    #expect(both["ss_base_model_version"] == "flux1")
    #expect(both["modelspec.architecture"] == "flux-1-dev/lora")
  }

  /// Ranks and algorithms that have changed are set right, a resize as `resize_lora.py` says it.
  @Test func correctsWhatHasChanged() async throws {
    let folder = TemporaryFolder()
    let input = try folder.write(
      "in.safetensors", module("lora_unet_a", rank: 4, alpha: 2), metadata: Self.trained)
    var settings = AdapterConversionSettings(threads: 1)
    settings.reshaping.linear = .init(.fixed(2))
    let resized = try await converted([input], in: folder, settings)
    #expect(resized["ss_network_dim"] == "2" && resized["ss_network_alpha"] == "1")
    #expect(resized["ss_network_module"] == "networks.lora_flux")
    #expect(resized["ss_network_args"] == Self.trained["ss_network_args"])
    #expect(resized["ss_training_comment"] == "dimension is resized from 4 to 2; mine")
    #expect(resized["ss_tag_frequency"] == "{}")

    settings.reshaping = ReshapingSettings()
    settings.reshaping.target = .algorithm(LoHa.self)
    let changed = try await converted([input], in: folder, settings)
    #expect(changed["ss_network_module"] == "lycoris.kohya")
    #expect(changed["ss_network_args"] == #"{"algo": "loha"}"#)
    #expect(changed["ss_training_comment"] == "mine")
  }

  /// What several sources have in common, and what each was.
  @Test func saysWhatItWasMadeOf() async throws {
    let folder = TemporaryFolder()
    var other = Self.trained
    other["modelspec.title"] = "Other"
    other["modelspec.resolution"] = "512x512"
    let inputs = [
      try folder.write(
        "a.safetensors", module("lora_unet_a", rank: 4, alpha: 2), metadata: Self.trained),
      try folder.write(
        "b.safetensors", module("lora_unet_a", rank: 4, alpha: 2, seed: 2), metadata: other),
    ]
    let found = try await converted(inputs, in: folder)
    #expect(found["modelspec.merged_from"] == "Title, Other")
    #expect(found["ss_base_model_version"] == "flux1")
    #expect(found["modelspec.architecture"] == "flux-1-dev/lora")
    #expect(found["modelspec.resolution"] == nil)
    #expect(found["ss_tag_frequency"] == nil && found["modelspec.author"] == nil)
    #expect(found["ss_network_module"] == "networks.lora_flux")
    for (index, (input, title)) in zip(inputs, ["Title", "Other"]).enumerated() {
      let text = try #require(found["sshs_cp\(index)"])
      let entry = try JSONDecoder().decode([String: String].self, from: Data(text.utf8))
      #expect(entry["ss_output_name"] == title)
      #expect(entry["sshs_ratio"] == "0.5" && entry["sshs_te_ratio"] == "0.25")
      let file = try TensorFile(opening: input)
      #expect(
        entry["sshs_model_hash"] == ModelHash(of: file.tensors.values, metadata: [:]).model)
    }
    #expect(try await converted(inputs, in: folder) == found)
    #expect(!found.values.contains { $0.contains(folder.path.string) })
  }
}
