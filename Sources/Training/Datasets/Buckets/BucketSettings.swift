/// Which resolutions a dataset may use besides its own.
package struct BucketSettings: Equatable, Sendable {
  /// Least and greatest side.
  package var smallest = 256
  package var largest = 1024
  /// All sides are multiples of it.
  package var step = 64
  /// Whether images are never enlarged; sides are then the images' own, and `smallest` and `largest`
  /// do not count.
  package var neverEnlarges = false

  package init() {}
}
