extension NetworkPlan {
  /// The learning rates that the groups of `AdapterNetwork.parameterGroups` will have, without the parameters: for what
  /// is to be known of them before there is a model.
  /// - Returns: groups without parameters, in no particular order; a rate of 0 leaves its group out.
  package func rateGroups(unetRate: Double, textEncoderRate: Double) -> [ParameterGroup] {
    var groups: [ParameterGroup] = []
    for module in modules {
      let (name, rate, ratio) =
        module.isTextEncoder
        ? ("textencoder", textEncoderRate, settings.rateRatios.textEncoders)
        : ("unet", unetRate * Double(module.rateWeight), settings.rateRatios.unet)
      var rates = [rate]
      // LoRA+: the up factors are a group of their own.
      if let ratio, module.algorithm == .lora || module.algorithm == .dylora {
        rates.append(rate * Double(ratio))
      }
      for rate in rates
      where rate != 0 && !groups.contains(where: { $0.name == name && $0.rate == rate }) {
        groups.append(ParameterGroup(name: name, parameters: [], rate: rate))
      }
    }
    return groups
  }
}
