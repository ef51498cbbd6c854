/// What the weights of a T5 encoder do not tell about it.
package struct T5Configuration: Hashable, Sendable {
  /// Of its norms.
  package var epsilon: Float = 1e-6
  /// Tokens that are as far apart as that, or farther, are equally far.
  package var maxDistance = 128

  package init() {}
}
