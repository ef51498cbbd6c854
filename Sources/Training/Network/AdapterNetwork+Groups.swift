import Autograd
import ModelFamilies

extension AdapterNetwork {
  /// The parameters by learning rate, in kohya's order: `textencoder`, `textencoder plus`, `unet`, `unet
  /// plus`; `plus` are the up factors where LoRA+ has them learn faster. Several text encoders are numbered
  /// from 1; so are the blocks of a UNet that have rates of their own. A rate of 0 leaves its parameters out.
  package func parameterGroups(
    unetRate: Double, textEncoderRates: [Double]
  ) -> [ParameterGroup] {
    var groups: [ParameterGroup] = []
    let encoders = Set(modules.map(\.plan.module.component).filter { $0.hasPrefix("te") }).sorted()
    for (index, component) in encoders.enumerated() {
      let name = encoders.count > 1 ? "textencoder \(index + 1)" : "textencoder"
      groups += parameterGroups(
        name, of: modules.filter { $0.plan.module.component == component },
        rate: textEncoderRates.isEmpty
          ? 0 : textEncoderRates[min(index, textEncoderRates.count - 1)],
        ratio: plan.settings.rateRatios.textEncoders)
    }
    let others = modules.filter { !$0.plan.isTextEncoder }
    var blocks: [Int?] = []
    for module in others where !blocks.contains(module.plan.block) {
      blocks.append(module.plan.block)
    }
    for block in blocks {
      let members = others.filter { $0.plan.block == block }
      groups += parameterGroups(
        block.map { "unet block\($0)" } ?? "unet", of: members,
        rate: unetRate * Double(members.first?.plan.rateWeight ?? 1),
        ratio: plan.settings.rateRatios.unet)
    }
    return groups
  }

  private func parameterGroups(
    _ name: String, of modules: [AdaptedLayer], rate: Double, ratio: Float?
  ) -> [ParameterGroup] {
    guard rate != 0 else { return [] }
    let parameters = modules.flatMap(\.factors.all)
    guard let ratio else { return [ParameterGroup(name: name, parameters: parameters, rate: rate)] }
    let isUp: (Parameter) -> Bool = { $0.name.contains("lora_up") }
    return [
      ParameterGroup(name: name, parameters: parameters.filter { !isUp($0) }, rate: rate),
      ParameterGroup(
        name: "\(name) plus", parameters: parameters.filter(isUp), rate: rate * Double(ratio)),
    ].filter { !$0.parameters.isEmpty }
  }
}
