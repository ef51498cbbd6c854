import Autograd

extension AdapterNetwork {
  /// The parameters by learning rate, in kohya's order: `textencoder`, `textencoder plus`, `unet`, `unet
  /// plus`; `plus` are the up factors where LoRA+ has them learn faster. Text encoders that have
  /// rates of their own are numbered from 1; so are the blocks of a UNet that have rates of their own. A rate of 0 leaves its parameters out.
  package func parameterGroups(
    unetRate: Double, textEncoderRates: [Double]
  ) -> [ParameterGroup] {
    var groups: [ParameterGroup] = []
    for group in plan.rateGroups(unet: unetRate, textEncoders: textEncoderRates) {
      let parameters = group.modules.flatMap { modules[$0].factors.all }
      guard let faster = group.fasterRate else {
        groups.append(ParameterGroup(name: group.name, parameters: parameters, rate: group.rate))
        continue
      }
      let parts = group.modules.map { modules[$0].factors.byRate }
      groups += [
        ParameterGroup(
          name: group.name, parameters: parts.flatMap(\.others), rate: group.rate),
        ParameterGroup(
          name: "\(group.name) plus", parameters: parts.flatMap(\.faster), rate: faster),
      ].filter { !$0.parameters.isEmpty }
    }
    return groups
  }
}
