import Machine
import Sampling
import SystemPackage

/// Datasets whose items come encoded, as musubi-tuner's configuration has them.
extension DatasetFile {
  /// Whether a configuration has keys of encoded items, which one of pictures has not.
  /// - Throws: `DatasetError.io`, `.syntax`
  static func isOfEncodedItems(_ path: FilePath) throws(DatasetError) -> Bool {
    let root = try table(of: path)
    let tables = ([root["general"]] + (root["datasets"]?.array ?? [])).compactMap { $0?.table }
    return tables.contains { $0.keys.contains(where: DatasetKey.isOfEncodedItems) }
  }

  /// A dataset, which is its own and only subset.
  func preparedDataset(
    _ table: [String: ConfigurationValue], _ section: String
  ) throws(DatasetError) -> Dataset {
    var dataset = Dataset()
    dataset.values = try values(table, .dataset, section)
    let own = dataset.values.prepared
    guard own.namesImages || own.namesVideos else {
      throw .missingKey(path, section: section, key: "image_directory' or 'video_directory")
    }
    guard !own.namesImages || !own.namesVideos else {
      throw .refusedKey(
        path, section: section,
        key: own.videoDirectory == nil ? "video_jsonl_file" : "video_directory",
        why: "a dataset is of images or of videos; put each kind into a dataset of its own")
    }
    guard own.folder != nil else {
      throw .missingKey(path, section: section, key: "cache_directory")
    }
    dataset.subsets = [DatasetValues()]
    return dataset
  }

  /// Refuses a folder of two datasets, whose items would be those of both.
  func checkFolders() throws(DatasetError) {
    var sections: [FilePath: String] = [:]
    for (index, dataset) in datasets.enumerated() {
      guard let (key, text) = dataset.values.prepared.folder else { continue }
      let section = Self.section(index)
      if let other = sections.updateValue(
        section, forKey: FilePath(named: text).lexicallyNormalized())
      {
        throw .refusedKey(
          path, section: section, key: key,
          why:
            "'\(text)' has the caches of \(other) already; give each dataset a 'cache_directory' of its own"
        )
      }
    }
  }
}
