import Machine
package import SystemPackage

/// Where the encoded items of a dataset lie.
package struct PreparedSettings: Equatable, Sendable {
  package let folder: FilePath
  /// The key that named it: `cache_directory`.
  let folderKey: String
  package let isVideo: Bool
  /// As they were given.
  let values: PreparedValues
  /// As it was given: captions are not read.
  let captionExtension: String?

  /// nil where no folder is named.
  init?(_ values: PreparedValues, captionExtension: String?) {
    guard let (key, text) = values.folder else { return nil }
    folder = FilePath(named: text)
    folderKey = key
    isVideo = values.namesVideos
    self.values = values
    self.captionExtension = captionExtension
  }
}
