package import SystemPackage

/// What a run did.
package struct TrainingReport: Sendable {
  /// The adapter.
  package let output: FilePath
  /// The state, where one was saved at the end.
  package let state: FilePath?
  package let steps: Int
  package let epochs: Int
  /// The mean over the last epoch's steps.
  package let loss: Double
  /// Of what was saved; nil where no images are held out.
  package let validationLoss: Double?
  package let seconds: Double
  /// Steps that this run took itself.
  package let ownSteps: Int
}
