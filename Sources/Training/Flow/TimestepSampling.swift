import ModelFamilies

/// How the share of noise in a sample is drawn where a model finds the flow from latents to noise.
///
/// Names and formulas are musubi-tuner's (`training/trainer_base.py`, `get_noisy_model_input_and_timesteps`);
/// `uniform` to `flux_shift` are sd-scripts' too (`library/flux_train_utils.py`).
package enum TimestepSampling: String, CaseIterable, Sendable {
  /// Whole timesteps of a density, `--weighting_scheme`.
  case sigma
  case uniform
  /// sigmoid(scale · N)
  case sigmoid
  /// The same, moved toward noise by `--discrete_flow_shift`.
  case shift
  /// The same, moved the further the larger the picture: as FLUX.1, FLUX.2, Qwen-Image and Krea 2 were trained.
  case fluxShift = "flux_shift"
  case flux2Shift = "flux2_shift"
  case qwenShift = "qwen_shift"
  case krea2Shift = "krea2_shift"
  /// A normal distribution of the logarithm of signal to noise (arXiv:2411.14793).
  case logSNR = "logsnr"
  /// Mostly `flux_shift` or `qwen_shift`, at times `logsnr`.
  case qinglongFlux = "qinglong_flux"
  case qinglongQwen = "qinglong_qwen"

  /// The mean of the logarithm of the shift for a picture, where it goes by its size.
  /// - Parameters: extents of the latents; two by two of them are a token.
  func meanShift(height: Int, width: Int) -> Double? {
    let tokens = Double((height / 2) * (width / 2))
    switch self {
    case .fluxShift, .qinglongFlux:
      return MeanShift((256, 0.5), (4096, 1.15)).mean(ofTokens: tokens)
    case .flux2Shift:
      return MeanShift((256, 0.5), (4096, 1.15)).mean(ofTokens: Double(height * width))
    case .qwenShift, .qinglongQwen:
      return MeanShift((256, 0.5), (8192, 0.9)).mean(ofTokens: tokens)
    case .krea2Shift: return MeanShift((256, 0.5), (6400, 1.15)).mean(ofTokens: tokens)
    case .sigma, .uniform, .sigmoid, .shift, .logSNR: return nil
    }
  }
}
