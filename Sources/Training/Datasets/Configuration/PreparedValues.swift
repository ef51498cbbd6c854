/// Keys of musubi-tuner's datasets that sd-scripts' have not, as they stand in a configuration.
package struct PreparedValues: Equatable, Sendable {
  package init() {}

  package var imageDirectory: String?
  package var imageJsonlFile: String?
  package var videoDirectory: String?
  package var videoJsonlFile: String?
  package var cacheDirectory: String?
  package var controlDirectory: String?

  // MARK: What counts where items are encoded, and stands in metadata

  package var targetFrames: [Int]?
  package var frameExtraction: String?
  package var frameStride: Int?
  package var frameSample: Int?
  package var maxFrames: Int?
  package var sourceFPS: Double?

  /// Whether pictures are named.
  var namesImages: Bool { imageDirectory != nil || imageJsonlFile != nil }
  /// Whether videos are named.
  var namesVideos: Bool { videoDirectory != nil || videoJsonlFile != nil }

  /// Where encoded items lie: the folder of what they were made of where there is no other.
  var folder: (key: String, text: String)? {
    cacheDirectory.map { ("cache_directory", $0) } ?? imageDirectory.map { ("image_directory", $0) }
      ?? videoDirectory.map { ("video_directory", $0) }
  }
}
