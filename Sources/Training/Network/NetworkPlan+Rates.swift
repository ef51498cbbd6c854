import Adapters
import ModelFamilies

extension NetworkPlan {
  /// Modules that learn at one rate.
  struct RateGroup {
    let name: String
    /// Their places among the modules of the plan.
    let modules: [Int]
    let rate: Double
    /// That of up factors where LoRA+ has them learn faster.
    let fasterRate: Double?
  }

  /// The modules by learning rate, see `AdapterNetwork.parameterGroups`.
  func rateGroups(unet: Double, textEncoders: [Double]) -> [RateGroup] {
    var groups: [RateGroup] = []
    func add(_ name: String, _ members: [Int], rate: Double, ratio: Float?) {
      for (rule, named) in (settings.layers?.rates?.entries ?? []).enumerated() {
        let own = members.filter { modules[$0].rateRule == rule }
        append("\(name) reg_lr_\(rule)", own, named.number, ratio)
      }
      append(name, members.filter { modules[$0].rateRule == nil }, rate, ratio)
    }
    func append(_ name: String, _ members: [Int], _ rate: Double, _ ratio: Float?) {
      guard rate != 0, !members.isEmpty else { return }
      groups.append(
        RateGroup(
          name: name, modules: members, rate: rate, fasterRate: ratio.map { rate * Double($0) }))
    }
    // The last rate holds for all further encoders.
    let rates = Dictionary(
      uniqueKeysWithValues: self.textEncoders.enumerated().map { index, component in
        (component, textEncoders.isEmpty ? 0 : textEncoders[min(index, textEncoders.count - 1)])
      })
    let texts = modules.indices.filter { modules[$0].isTextEncoder }
    if Set(rates.values).count < 2 {
      add(
        "textencoder", texts, rate: rates.values.first ?? 0, ratio: settings.rateRatios.textEncoders
      )
    } else {
      for (index, component) in self.textEncoders.enumerated() {
        add(
          "textencoder \(index + 1)",
          texts.filter { modules[$0].module.component == component }, rate: rates[component] ?? 0,
          ratio: settings.rateRatios.textEncoders)
      }
    }
    let others = modules.indices.filter { !modules[$0].isTextEncoder }
    var blocks: [Int?] = []
    for place in others where !blocks.contains(modules[place].block) {
      blocks.append(modules[place].block)
    }
    for block in blocks {
      let members = others.filter { modules[$0].block == block }
      add(
        block.map { "unet block\($0)" } ?? "unet", members,  // kohya: its word in logs
        rate: unet * Double(members.first.map { modules[$0].rateWeight } ?? 1),
        ratio: settings.rateRatios.unet)
    }
    return groups
  }

  /// The learning rates that groups of parameters will have; none of a part that is not trained.
  func rates(unet: Double, textEncoders: [Double]) -> [Double] {
    var rates: Set<Double> = []
    for group in rateGroups(unet: unet, textEncoders: textEncoders) {
      rates.insert(group.rate)
      if let faster = group.fasterRate,
        group.modules.contains(where: { modules[$0].algorithm.fasterFactor != nil })
      {
        rates.insert(faster)
      }
    }
    return rates.sorted()
  }
}
