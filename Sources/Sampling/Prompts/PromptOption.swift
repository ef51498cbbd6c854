/// What a prompt may say besides its text, by the names that kohya's scripts have for it in TOML and JSON.
///
/// Source: sd-scripts `library/train_util.py`, `line_to_prompt_dict`.
enum PromptOption: String, CaseIterable {
  case width, height, seed
  case steps = "sample_steps"
  case scale
  case guidance = "guidance_scale"
  case negative = "negative_prompt"
  case sampler = "sample_sampler"

  /// Behind `--` in a line.
  var letters: String {
    switch self {
    case .width: "w"
    case .height: "h"
    case .seed: "d"
    case .steps: "s"
    case .scale: "l"
    case .guidance: "g"
    case .negative: "n"
    case .sampler: "ss"
    }
  }

  /// In any case, as kohya's scripts take them.
  init?(letters: String) {
    let letters = letters.lowercased()
    guard let option = Self.allCases.first(where: { $0.letters == letters }) else { return nil }
    self = option
  }

  /// What a value has to be, for messages; the end of a range where it lies beyond that.
  func expected(insteadOf value: ConfigurationValue) -> String {
    switch self {
    case .seed where value.number.map({ $0 >= 0x1p63 }) ?? false:
      "a whole number from 0 to \(Int.max), or -1 for one that is drawn"
    case .width, .height: "a whole number of pixels from 1 to \(SamplePrompt.largestSide)"
    case .seed: "a whole number from 0 on, or -1 for one that is drawn"
    case .steps: "a whole number from 1 to \(NoiseSchedule.timestepCount)"
    case .scale, .guidance: "a number from 0 to \(Int(SamplePrompt.scales.upperBound))"
    case .negative: "a text"
    case .sampler: "one of " + SamplerName.allCases.map(\.rawValue).joined(separator: ", ")
    }
  }

  /// A value as it stands in a line.
  func value(_ text: String) -> ConfigurationValue {
    switch self {
    case .negative, .sampler: .string(text)
    default: Int(text).map { .integer($0) } ?? Double(text).map { .number($0) } ?? .string(text)
    }
  }

  /// Puts a value into a prompt.
  /// - Returns: whether it is as expected.
  func set(_ value: ConfigurationValue, in prompt: inout SamplePrompt) -> Bool {
    switch self {
    case .width, .height:
      guard let side = value.integer, 1...SamplePrompt.largestSide ~= side else { return false }
      if self == .width { prompt.width = side } else { prompt.height = side }
    case .seed:
      guard let seed = value.integer, seed >= -1 else { return false }
      prompt.seed = UInt64(exactly: seed)
      prompt.drawsSeed = seed < 0
    case .steps:
      guard let steps = value.integer, 1...NoiseSchedule.timestepCount ~= steps else {
        return false
      }
      prompt.steps = steps
    case .scale, .guidance:
      guard let number = value.number, SamplePrompt.scales ~= number else { return false }
      if self == .scale { prompt.scale = number } else { prompt.guidance = number }
    case .negative:
      guard let text = value.string else { return false }
      prompt.negative = text
    case .sampler:
      guard let name = value.string, let sampler = try? Sampler(parsing: name) else { return false }
      prompt.sampler = sampler
    }
    return true
  }
}

extension PromptOption {
  /// Options of kohya's scripts and musubi-tuner that pictures of this suite have no use for, by letters and names,
  /// with the reason.
  static let unused: [String: String] = {
    var unused: [String: String] = [:]
    for (names, reason) in [
      ("cn controlnet_image", "pictures are drawn without ControlNet"),
      ("ctr cfg_trunc_ratio rcfg renorm_cfg", "it is of Lumina alone"),
      ("fs flow_shift discrete_flow_shift", "the shift is that of the model"),
      ("f frame_count", "pictures are drawn, no videos"),
      (
        "i image_path ei end_image_path ci control_image_path control_video_path",
        "pictures are drawn from noise alone"
      ),
      ("of one_frame", "pictures are drawn, no videos"),
      // What kohya's scripts write into a dictionary themselves.
      ("enum", "prompts are counted as they stand"),
    ] {
      for name in names.split(separator: " ") { unused[String(name)] = reason }
    }
    return unused
  }()
}
