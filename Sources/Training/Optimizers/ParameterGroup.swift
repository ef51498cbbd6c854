package import Autograd

/// Parameters that are trained with one learning rate.
package struct ParameterGroup {
  /// As logs name it: `unet`, `textencoder`, `unet plus`.
  package let name: String
  package let parameters: [Parameter]
  /// The learning rate before the schedule's factor.
  package var rate: Double

  package init(name: String, parameters: [Parameter], rate: Double) {
    self.name = name
    self.parameters = parameters
    self.rate = rate
  }
}
