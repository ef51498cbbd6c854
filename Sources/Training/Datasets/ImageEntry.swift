import SystemPackage

/// An image of a subset and the text that goes with it, before anything else is known of it.
struct ImageEntry: Equatable {
  let path: FilePath
  var caption: String
  /// Whether `caption` is that of the class, for want of one of its own.
  var isOfClass = false
}
