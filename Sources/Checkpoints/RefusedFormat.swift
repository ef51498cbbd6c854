/// A kind of adapter that is known by the names of its tensors, and cannot be applied.
///
/// Sources: PEFT `tuners/*/layer.py`; OneTrainer `modules/module/oft_utils.py`; THUDM/CogVideo
/// `tools/export_sat_lora_weight.py`.
package struct RefusedFormat: Hashable, Sendable {
  /// As users say it.
  package let name: String
  /// Why it cannot be applied.
  package let reason: String
  /// Endings of its keys, of which each is enough.
  private let endings: [String]

  private static let all = [
    RefusedFormat(
      name: "PEFT OFT",
      reason: "it rotates inputs, by blocks of which only a packed triangle is stored",
      endings: [".oft_R.weight", ".oft_R.default.weight", ".oft_R", ".oft_r", ".oft_s"]),
    RefusedFormat(
      name: "PEFT BOFT", reason: "it rotates inputs", endings: [".boft_R", ".boft_s"]),
    RefusedFormat(
      name: "VeRA",
      reason: "it scales random matrices that all layers share, which most files do not hold",
      endings: [".vera_lambda_b", ".vera_lambda_d", ".vera_A", ".vera_B"]),
    RefusedFormat(
      name: "AdaLoRA", reason: "it has singular values between the factors, and masks them",
      endings: [".lora_E", ".ranknum"]),
    RefusedFormat(
      name: "PEFT (IA)³", reason: "it scales by its vectors themselves, where LyCORIS adds 1",
      endings: [".ia3_l"]),
    RefusedFormat(
      name: "LoRA of SwissArmyTransformer",
      reason: "it numbers the parts of fused weights, and no file holds its alpha; "
        + "CogVideo's tools/export_sat_lora_weight.py writes it in diffusers' names",
      endings: ["A", "B"].flatMap { side in (0..<4).map { ".matrix_\(side).\($0)" } }),
  ]

  /// The format that a key belongs to, and the module that it names; nil for any other key.
  package static func recognize(_ key: String) -> (format: RefusedFormat, module: String)? {
    for format in all {
      for ending in format.endings where key.hasSuffix(ending) {
        return (format, String(key.dropLast(ending.count)))
      }
    }
    return nil
  }

  /// `PEFT OFT: it rotates inputs`
  package var text: String { "\(name): \(reason)" }
}
