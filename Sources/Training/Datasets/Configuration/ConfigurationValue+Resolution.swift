import Sampling

extension ConfigurationValue {
  /// One number for both sides, or `[width, height]`.
  var resolution: Resolution? {
    if let side = integer { return Resolution(side, side) }
    guard let array, array.count == 2, let width = array[0].integer, let height = array[1].integer
    else { return nil }
    return Resolution(width, height)
  }
}
