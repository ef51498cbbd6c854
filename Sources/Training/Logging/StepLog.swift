/// The numbers of one step, under the names that trainers of the field log them by.
package struct StepLog {
  package var loss: Double
  package var averageLoss: Double
  /// Names of the groups of parameters, and their learning rates.
  package var rates: [(name: String, rate: Double)]
  /// What the optimizer multiplies the rates by, if it finds that itself.
  package var adaptedRate: Double?
  /// What `--scale_weight_norms` found; nil where it is off.
  package var norms: Norms?
  /// Of all gradients, before they were clipped.
  package var gradientNorm: Double?

  /// Norms of the changes of weights.
  package struct Norms: Equatable, Sendable {
    package var scaledCount: Int
    package var average: Double
    package var largest: Double

    package init(scaledCount: Int, average: Double, largest: Double) {
      self.scaledCount = scaledCount
      self.average = average
      self.largest = largest
    }
  }

  package init(
    loss: Double, averageLoss: Double, rates: [(name: String, rate: Double)],
    adaptedRate: Double? = nil, norms: Norms? = nil, gradientNorm: Double? = nil
  ) {
    self.loss = loss
    self.averageLoss = averageLoss
    self.rates = rates
    self.adaptedRate = adaptedRate
    self.norms = norms
    self.gradientNorm = gradientNorm
  }

  /// By the field's names, `loss/current` first.
  package var scalars: [(tag: String, value: Double)] {
    var scalars = [("loss/current", loss), ("loss/average", averageLoss)]
    if let norms {
      scalars += [
        ("max_norm/keys_scaled", Double(norms.scaledCount)),
        ("max_norm/average_key_norm", norms.average), ("max_norm/max_key_norm", norms.largest),
      ]
    }
    if let gradientNorm { scalars.append(("norm/grad_norm", gradientNorm)) }
    for (name, rate) in rates {
      scalars.append(("lr/\(name)", rate))
      if let adaptedRate { scalars.append(("lr/d*lr/\(name)", adaptedRate * rate)) }
    }
    return scalars
  }

  /// Logged once an epoch, at its number.
  package static let epochAverage = "loss/epoch_average"
  /// Logged where a validation was made among the steps of an epoch.
  package static let validationStepAverage = "loss/validation/step_average"
  /// The validation's mean less that of the steps.
  package static let validationStepDivergence = "loss/validation/step_divergence"
  /// Logged where a validation was made at the end of an epoch.
  package static let validationEpochAverage = "loss/validation/epoch_average"
  /// The validation's mean less that of the epoch.
  package static let validationEpochDivergence = "loss/validation/epoch_divergence"

  /// All names that are not of a step itself, for the columns of a table.
  package static let rareTags = [
    epochAverage, validationStepAverage, validationStepDivergence, validationEpochAverage,
    validationEpochDivergence,
  ]
}
