/// What all modules of a network look at.
final class NetworkState {
  /// The strength of the adapter; 0 for the model without it.
  var multiplier: Float = 1
  /// nil where nothing is dropped: validation, samples.
  var step: StepIdentity?
}
