/// What the name of a file of latents says: `{stem}_{width}x{height}_{word}.safetensors`, and of a video
/// `{stem}_{position}-{count}_{width}x{height}_{word}.safetensors`. It is read from its end, since stems have
/// underscores too.
///
/// Source: musubi-tuner `dataset/image_video_dataset.py`, `get_latent_cache_path` and `prepare_for_training`.
struct PreparedFileName: Equatable {
  /// By which the file of the caption is found.
  let stem: String
  /// Of the item before it was brought to its bucket.
  let size: Resolution
  /// Frames of the video that were encoded; nil for a picture.
  let frameCount: Int?

  /// Sides beyond it are no picture's.
  private static let largest = 1 << 16

  static func ending(_ word: String) -> String { "_\(word).safetensors" }

  /// nil for a name of another form.
  init?(_ name: String, of word: String, isVideo: Bool) {
    let ending = Self.ending(word)
    guard name.hasSuffix(ending) else { return nil }
    var parts = name.dropLast(ending.count)
      .split(separator: "_", omittingEmptySubsequences: false)[...]
    guard let size = parts.popLast().flatMap({ Self.numbers($0, "x") }), size.count == 2,
      size.allSatisfy({ (1...Self.largest).contains($0) })
    else { return nil }
    self.size = Resolution(size[0], size[1])
    if isVideo {
      // A third number is that of a section.
      guard let frames = parts.popLast().flatMap({ Self.numbers($0, "-") }), frames.count > 1,
        frames[1] > 0
      else { return nil }
      frameCount = frames[1]
    } else {
      frameCount = nil
    }
    guard !parts.isEmpty else { return nil }
    stem = parts.joined(separator: "_")
  }

  private static func numbers(_ text: Substring, _ separator: Character) -> [Int]? {
    let parts = text.split(separator: separator, omittingEmptySubsequences: false)
    let numbers = parts.compactMap { part in
      part.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        ? Int(part) : nil
    }
    return numbers.count == parts.count ? numbers : nil
  }
}
