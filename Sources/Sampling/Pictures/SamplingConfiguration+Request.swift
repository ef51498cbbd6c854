import ModelFamilies
import Pipelines
import SystemPackage

extension SamplingConfiguration {
  /// The first picture of a prompt: what the prompt says, and the command for the rest.
  /// - Parameters:
  ///   - index: of the prompt.
  ///   - rules: of the model.
  ///   - notices: gets what is drawn otherwise than it was asked for.
  package func request(
    of prompt: SamplePrompt, at index: Int, _ rules: PictureRules, seed: UInt64,
    _ notices: inout [String]
  ) -> PictureRequest {
    let sizes = rules.sizes
    let asked = (prompt.width ?? width, prompt.height ?? height)
    let (width, height) = (asked.0 ?? sizes.usual.width, asked.1 ?? sizes.usual.height)
    let fitted = (sizes.fitted(width), sizes.fitted(height))
    if fitted != (width, height) {
      notices.append(
        "\(prompt.place): \(width)x\(height) becomes \(fitted.0)x\(fitted.1): sides are multiples of "
          + "\(sizes.stride), and at least \(PictureSizes.smallest)")
    }
    for text in [prompt.text, prompt.negative ?? ""] {
      notices += PromptSyntax(of: text).unread.map { mark, reason in
        "\(prompt.place): '\(mark)' is read as text: \(reason)"
      }
    }
    if rules.guidance == nil, prompt.guidance != nil {
      notices.append(
        "\(prompt.place): '--g' has no effect: the model is told no strength of guidance")
    }
    var request = PictureRequest(
      prompt.text, negative: prompt.negative ?? negative, width: fitted.0,
      height: fitted.1, seed: prompt.seed ?? (prompt.drawsSeed ? Self.drawnSeed() : seed),
      steps: prompt.steps ?? steps ?? rules.sampling.steps ?? Self.commonSteps,
      scale: prompt.scale ?? scale ?? rules.sampling.scale ?? Self.commonScale,
      sampler: prompt.sampler ?? sampler, promptIndex: index)
    request.guidance = rules.guidance.map { prompt.guidance ?? guidance ?? $0 }
    request.spacing = rules.sampling.spacing
    request.flowShift = rules.flowShift(width: fitted.0, height: fitted.1)
    return request
  }
}

extension SamplingConfiguration {
  /// Where what a sampler cannot do is asked for: in the prompt, or by an option that counts for all.
  func place(of error: SamplerError, _ prompt: SamplePrompt) -> String {
    switch error {
    case .zeroTerminal where hasZeroTerminalSNR: "'--zero_terminal_snr'"
    case .zeroTerminal: "\(model.base)"
    default: prompt.sampler == nil && prompt.steps == nil ? "'--sampler'" : prompt.place
    }
  }

  /// As short as those that people note.
  static func drawnSeed() -> UInt64 { UInt64(UInt32.random(in: 0...UInt32.max)) }
}

extension PictureRequest {
  /// The same with a later seed.
  func counted(by offset: Int) -> PictureRequest {
    var request = self
    request.seed &+= UInt64(offset)
    return request
  }
}
