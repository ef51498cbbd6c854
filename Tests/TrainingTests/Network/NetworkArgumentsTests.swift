import Adapters
import Checkpoints
import Foundation
import ModelFamilies
import Testing

@testable import Training

/// The grammar of `--network_args`, and what is said where it is not kept.
struct NetworkArgumentsTests {
  private func settings(_ module: String, _ arguments: String...) throws -> NetworkSettings {
    var flags = NetworkSettings.Flags()
    flags.module = module
    return try NetworkSettings(
      flags, NetworkArguments(parsing: arguments),
      blockNumbers: ModelFamily.named("sd1")?.blocks?.numbers)
  }

  @Test func firstEqualsSign() throws {
    let arguments = try NetworkArguments(parsing: ["exclude_patterns=[r'a=b']", " algo = loha "])
    #expect(arguments["exclude_patterns"] == "[r'a=b']")
    #expect(arguments["algo"] == "loha")
    #expect(throws: NetworkError.argumentForm("algo")) { try NetworkArguments(parsing: ["algo"]) }
    #expect(throws: NetworkError.argumentForm("=1")) { try NetworkArguments(parsing: ["=1"]) }
  }

  /// As in the scripts, the last counts; an old name of LyCORIS counts before the new one, wherever it stands.
  @Test func repeatedKeys() throws {
    #expect(try NetworkArguments(parsing: ["factor=1", "algo=lokr", "factor=2"])["factor"] == "2")
    for texts in [["use_cp=True", "use_tucker=False"], ["use_tucker=False", "use_cp=True"]] {
      #expect(try NetworkArguments(parsing: texts)["use_tucker"] == "True")
    }
    #expect(
      try NetworkArguments(parsing: ["use_tucker=True", "use_cp=False"])["use_tucker"] == "False")
  }

  @Test func unknownKeys() throws {
    let error = #expect(throws: NetworkError.self) { try settings("lycoris.kohya", "conv_dims=4") }
    #expect(
      error?.description
        == "'--network_args': lycoris.kohya knows no 'conv_dims', did you mean 'conv_dim'?")
    // What one module knows another may not.
    #expect(throws: NetworkError.self) { try settings("networks.lora", "algo=loha") }
    #expect(throws: NetworkError.self) { try settings("lycoris.kohya", "block_dims=1") }
    #expect(throws: NetworkError.self) { try settings("networks.lokr", "full_matrix=True") }
    #expect(throws: NetworkError.self) { try settings("networks.oft") }
    #expect(throws: NetworkError.self) { try settings("networks.lorra") }
  }

  /// The trainers' modules pass over what they do not know; here so where it is off, with a notice.
  @Test func unknownKeysThatAreOff() throws {
    for text in ["train_t5xxl=False", "use_rslora=0", "train_norm=None"] {
      let notices = try settings("networks.lora", text).notices
      #expect(
        notices.contains { $0.contains("which is off and passed over") }, "\(text): \(notices)")
    }
    let error = #expect(throws: NetworkError.self) {
      try settings("lycoris.kohya", "use_dora=True")
    }
    #expect(error?.description.contains("did you mean 'dora_wd'?") == true)
  }

  @Test func values() throws {
    for (text, value) in [
      ("True", true), ("true", true), ("1", true), ("False", false), ("no", false),
    ] {
      #expect(try settings("lycoris.kohya", "dora_wd=\(text)").options.decomposesWeight == value)
    }
    for bad in [
      "dora_wd=maybe", "conv_dim=4.5", "conv_dim=-1", "factor=0", "rank_dropout=1", "dropout=-0.1",
      "constraint=-1", "block_size=0", "algo=lorra", "loraplus_lr_ratio=0", "conv_alpha=x",
      "bypass_mode=auto", "preset=nothing", "conv_dim=4611686018427387904", "block_size=2147483648",
      "factor=9223372036854775807",
    ] {
      #expect(throws: (any Error).self, "\(bad)") { try settings("lycoris.kohya", bad) }
    }
    for key in ["block_dims", "conv_block_dims"] {
      // As many as there are blocks, the first of which nothing can be multiplied by.
      let ranks = ["4611686018427387904"] + Array(repeating: "1", count: 24)
      #expect(throws: NetworkError.self) {
        try settings("networks.lora", "\(key)=\(ranks.joined(separator: ","))")
      }
    }
    // decompose_both=False means what it says, unlike in LyCORIS 4.1.3.
    #expect(try !settings("lycoris.kohya", "decompose_both=False").options.form.decomposesBoth)
    #expect(try settings("lycoris.kohya", "bypass_mode=None").options.bypasses == nil)
    #expect(try settings("lycoris.kohya", "bypass_mode=True").options.bypasses == true)
  }

  @Test func oldNames() throws {
    for name in ["use_cp", "use_conv_cp", "use_tucker"] {
      #expect(try settings("lycoris.kohya", "\(name)=True").options.form.usesTucker)
    }
    #expect(try !settings("lycoris.kohya", "disable_conv_cp=True").options.form.usesTucker)
    #expect(try settings("lycoris.kohya", "constrain=0.1").options.form.constraint == 0.1)
    #expect(try settings("lycoris.kohya", "constraint=0.1").options.form.constraint == 0.1)
    #expect(try !settings("lycoris.kohya", "use_cp=True").notices.isEmpty)
  }

  @Test func algorithms() throws {
    for name in [
      "lora", "locon", "loha", "lokr", "ia3", "dylora", "full", "glora", "diag-oft", "boft",
      "tlora",
      "LoKr",
    ] {
      _ = try settings("lycoris.kohya", "algo=\(name)")
    }
    #expect(try settings("lycoris.kohya", "algo=locon").options.algorithm.name == LoRA.name)
  }

  /// `networks.loha` and `networks.lokr` of kohya's scripts have convolutions and Tucker cores.
  @Test func convolutionsOfKohyasModules() throws {
    for module in ["networks.loha", "networks.lokr"] {
      let given = try settings(module, "conv_dim=2", "conv_alpha=3", "use_tucker=True").options
      #expect(given.convolutionRank == 2 && given.convolutionAlpha == 3 && given.form.usesTucker)
      #expect(try settings(module).options.convolutionRank == nil)
    }
    #expect(try settings("networks.lokr", "factor=4").options.form.factor == 4)
  }

  /// LyCORIS reads it from a preset's table alone, and trains outputs whatever the argument says.
  @Test func sideOfIA3() throws {
    let given = try settings("lycoris.kohya", "algo=ia3", "preset=ia3", "train_on_input=True")
    #expect(!given.options.form.scalesInput)
    #expect(given.notices.contains { $0.contains("'train_on_input' is ignored") })
  }

  @Test func ratiosOfLoRAPlus() throws {
    let common = try settings("networks.lora", "loraplus_lr_ratio=4")
    #expect(common.rateRatios == .init(unet: 4, textEncoders: 4))
    let apart = try settings(
      "lycoris.kohya", "loraplus_lr_ratio=4", "loraplus_text_encoder_lr_ratio=2")
    #expect(apart.rateRatios == .init(unet: 4, textEncoders: 2))
  }

  /// Options that an algorithm does not know are said to be ignored; contradictions are settled or refused.
  @Test func notices() throws {
    func notices(_ arguments: String..., quantized: Bool = false) throws -> [String] {
      try NetworkPlanTests.plan("lycoris.kohya", arguments) { $0.hasQuantizedBase = quantized }
        .notices
    }
    #expect(try notices("algo=loha", "factor=4").contains { $0.contains("'factor'") })
    #expect(try notices("algo=loha", "factor=4", "use_scalar=True").count == 1)
    #expect(try notices("algo=lokr", "factor=4").isEmpty)
    #expect(
      try notices("dora_wd=True", "bypass_mode=True").contains { $0.contains("bypass_mode=False") })
    #expect(try notices("dora_wd=True").contains { $0.contains("ComfyUI") })
    #expect(try notices("dora_wd=True", "wd_on_output=False").isEmpty)
    #expect(try notices("dropout=0.1").contains { $0.contains("bypass_mode") })
    #expect(try notices("algo=lokr", "loraplus_lr_ratio=4").contains { $0.contains("lora_up") })
    #expect(try notices("algo=ia3").contains { $0.contains("preset=ia3") })
    #expect(throws: NetworkError.self) { try notices("algo=dylora", "block_size=3") }
    #expect(throws: NetworkError.self) { try notices("algo=full", quantized: true) }
    #expect(throws: NetworkError.self) { try notices("dora_wd=True", quantized: true) }
    #expect(throws: NetworkError.self) { try notices("bypass_mode=False", quantized: true) }
  }
}
