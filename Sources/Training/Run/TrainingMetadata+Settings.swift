/// Settings of noise and loss under the names that metadata have for them, without `ss_`.
extension NoiseSettings {
  func metadata(zeroTerminal: Bool) -> [String: PythonText] {
    [
      "noise_offset": PythonText(offset),
      "noise_offset_random_strength": PythonText(drawsOffset),
      "adaptive_noise_scale": PythonText(adaptiveScale),
      "multires_noise_iterations": PythonText(multiresIterations),
      "multires_noise_discount": PythonText(multiresDiscount),
      "ip_noise_gamma": PythonText(inputPerturbation),
      "ip_noise_gamma_random_strength": PythonText(drawsInputPerturbation),
      "zero_terminal_snr": PythonText(zeroTerminal),
    ]
  }
}

extension LossSettings {
  var metadata: [String: PythonText] {
    [
      "loss_type": PythonText(kind.rawValue),
      "huber_schedule": PythonText(huberSchedule.rawValue),
      "huber_c": PythonText(huberC),
      "huber_scale": PythonText(huberScale),
      "min_snr_gamma": PythonText(minSNRGamma),
      "debiased_estimation": PythonText(isDebiased),
    ]
  }
}

extension FlowSettings {
  var metadata: [String: PythonText] {
    [
      "timestep_sampling": PythonText(sampling.rawValue),
      "weighting_scheme": PythonText(weighting.rawValue),
      "discrete_flow_shift": PythonText(shift),
      "sigmoid_scale": PythonText(sigmoidScale),
      "logit_mean": PythonText(logitMean),
      "logit_std": PythonText(logitDeviation),
      "mode_scale": PythonText(modeScale),
    ]
  }
}
