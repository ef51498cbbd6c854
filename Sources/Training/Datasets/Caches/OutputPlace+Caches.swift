import Safetensors
import SystemPackage

extension OutputPlace {
  /// The folders that caches will be written to.
  /// - Throws: `file` of the first cache whose folder takes no files
  static func folders(of caches: [FilePath]) throws(DatasetError) -> [OutputPlace] {
    var known: Set<FilePath> = []
    var folders: [OutputPlace] = []
    for path in caches where known.insert(path.folder).inserted {
      do { folders.append(try OutputPlace(path.folder, .folder)) } catch {
        throw .wrapped(error, path)
      }
    }
    return folders
  }
}
