/// In what the samples of one batch are alike.
struct BatchKind: Hashable {
  let resolution: Resolution
  /// Of a video; 1 for pictures.
  let frames: Int
  /// Names and extents of what comes encoded; none where pictures are read.
  let arrays: [String]
  /// Places of the latents of other pictures, which `arrays` tell.
  var shownPlaces = 0
}

extension BatchKind: Comparable {
  static func < (a: BatchKind, b: BatchKind) -> Bool {
    (a.resolution, a.frames) == (b.resolution, b.frames)
      ? a.arrays.lexicographicallyPrecedes(b.arrays)
      : (a.resolution, a.frames) < (b.resolution, b.frames)
  }
}
