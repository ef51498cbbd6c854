extension NetworkPlan {
  /// The learning rates that its groups of parameters will have, see `AdapterNetwork.parameterGroups`.
  func rates(unet: Double, textEncoder: Double) -> [Double] {
    var rates: Set<Double> = []
    for module in modules {
      let rate = module.isTextEncoder ? textEncoder : unet * Double(module.rateWeight)
      rates.insert(rate)
      let ratios = settings.rateRatios
      if let ratio = module.isTextEncoder ? ratios.textEncoders : ratios.unet,
        [.lora, .dylora].contains(module.algorithm)
      {
        rates.insert(rate * Double(ratio))
      }
    }
    return rates.sorted()
  }
}
