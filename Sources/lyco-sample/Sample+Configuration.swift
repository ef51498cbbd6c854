import ArgumentParser
import Autograd
import Checkpoints
import CommandSupport
import Machine
import Pipelines
import Safetensors
import Sampling
import SystemPackage

extension Sample {
  /// What the options ask for, and what of it has no effect.
  func samplingConfiguration() throws -> (SamplingConfiguration, notices: [String]) {
    guard let base = model.path else {
      throw ValidationError("expected a checkpoint: '--base CKPT'")
    }
    let (prompts, notices) = try prompts()
    var configuration = SamplingConfiguration(model: modelSettings(base), prompts: prompts)
    configuration.variants = variants()
    configuration.negative = pictures.negative
    configuration.width = pictures.width
    configuration.height = pictures.height
    configuration.steps = pictures.steps
    configuration.scale = pictures.scale
    configuration.guidance = pictures.guidance
    if let name = pictures.sampler {
      do throws(SamplerError) {
        configuration.sampler = try Sampler(parsing: name)
      } catch {
        throw ValidationError("'--sampler': \(error)")
      }
    }
    configuration.seed = pictures.seed
    configuration.count = pictures.count
    configuration.predictsVelocity = model.predictsVelocity
    configuration.hasZeroTerminalSNR = model.hasZeroTerminalSNR
    configuration.threads = output.threads
    configuration.previewSteps = output.preview
    return (configuration, notices)
  }

  private func prompts() throws -> ([SamplePrompt], notices: [String]) {
    var (prompts, notices) = ([SamplePrompt](), [String]())
    for text in pictures.prompt {
      do throws(PromptError) {
        let line = try PromptLine(text, at: "'--prompt'")
        prompts.append(line.prompt)
        notices += line.notices
      } catch {
        throw ValidationError("\(error)")
      }
    }
    if let path = pictures.promptFile {
      let file = try PromptFile(reading: FilePath(named: path))
      prompts += file.prompts
      notices += file.notices
    }
    return (prompts, notices)
  }

  private func modelSettings(_ base: String) -> ModelSettings {
    var settings = ModelSettings(base: FilePath(named: base))
    settings.vae = model.vae.map { FilePath(named: $0) }
    settings.componentFiles = model.text.parts.mapValues { FilePath(named: $0) }
    settings.tokenizer = model.text.t5Tokenizer.map { FilePath(named: $0) }
    settings.t5MaxTokenLength = model.text.t5Length
    settings.appliesT5Mask = model.text.masksT5
    settings.family = family.family
    settings.clipSkip = model.clipSkip
    settings.takesWholeCaptions = true
    settings.weighsCaptions = pictures.emphasis != "none"
    settings.restoresMeans = pictures.emphasis == "original"
    settings.compute = model.mixedPrecision == "bf16" ? .bf16 : .f32
    return settings
  }

  /// Whether a grid has a column for each strength of one adapter.
  private var comparesStrengths: Bool {
    output.grid != nil && adapters.count == 1 && strength.ratios.count > 1
  }

  /// One value of an option for all, one for each adapter, or in a grid several strengths of one.
  func checkStrengths() throws {
    guard !adapters.isEmpty || !strength.isGiven else {
      throw ValidationError(
        "'--ratio', '--unet_ratio' and '--te_ratio' are of adapters: expected one, found none")
    }
    guard comparesStrengths else {
      try checkSingle()
      return try strength.check(adapterCount: adapters.count)
    }
    if let ratio = strength.ratios.first(where: { !$0.isFinite }) {
      throw ValidationError("'--ratio': expected a finite number, found \(ratio)")
    }
    var others = self
    others.strength.ratios = []
    try others.checkSingle()
    try others.strength.check(adapterCount: 1)
  }

  /// Of one adapter there is one strength, but in a grid.
  private func checkSingle() throws {
    guard adapters.count == 1 else { return }
    for (name, values) in [
      ("ratio", strength.ratios), ("unet_ratio", strength.denoiserRatios),
      ("te_ratio", strength.textEncoderRatios),
    ] where values.count > 1 {
      throw ValidationError(
        "'--\(name)': expected one value for one adapter, found \(values.count)"
          + (name == "ratio" ? "; '--grid' draws a column for each" : ""))
    }
  }

  /// What each column of a grid is drawn with; of pictures alone there is one.
  private func variants() -> [SamplingVariant] {
    if comparesStrengths {
      return strength.ratios.map { ratio in
        var single = strength
        single.ratios = [ratio]
        return SamplingVariant(label: "\(ratio)", adapters: [single.merged(adapters[0], at: 0)])
      }
    }
    let merged = adapters.enumerated().map { strength.merged($1, at: $0) }
    guard output.grid != nil, !merged.isEmpty else {
      return [SamplingVariant(label: "", adapters: merged)]
    }
    return [SamplingVariant(label: "base", adapters: [])]
      + zip(AdapterLabels(merged).labels, merged).map {
        SamplingVariant(label: $0, adapters: [$1])
      }
  }
}

extension StrengthOptions {
  fileprivate func merged(_ adapter: String, at index: Int) -> MergedAdapter {
    let (denoiser, text) = ratios(at: index)
    return MergedAdapter(FilePath(named: adapter), denoiserRatio: denoiser, textRatio: text)
  }
}
