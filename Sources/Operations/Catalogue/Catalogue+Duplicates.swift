import Safetensors
import SystemPackage

extension Catalogue {
  static let comparison =
    "names, formats, shapes and bytes of all tensors, whatever their order; metadata are not compared, compressed files "
    + "and several names of one file neither"

  /// Files whose tensors are the same, by the SHA-256 of their data. Whole files are read only where names, formats, shapes and samples
  /// are the same.
  /// - Throws: `CancellationError`
  static func duplicates(
    among headers: [CatalogueHeader], progress: ProgressReporter
  ) throws -> [Duplicates] {
    let alike = Dictionary(grouping: headers.filter { $0.digest != nil }, by: \.digest?.layout)
      .values.filter { $0.count > 1 }
      .flatMap { Dictionary(grouping: $0, by: \.digest?.sample).values.filter { $0.count > 1 } }
    let total = alike.joined().reduce(0) { $0 + $1.bytes }
    var completed = 0
    var found: [Duplicates] = []
    for files in alike.sorted(by: { $0[0].item.name < $1[0].item.name }) {
      // By their contents; each file is read once, whatever number of others is like it.
      var groups: [String: [CatalogueHeader]] = [:]
      var identities: Set<FileIdentity> = []
      for file in files {
        try Task.checkCancellation()
        completed += file.bytes
        progress.report(
          Progress(activity: "comparing", completed: completed, total: total, isBytes: true))
        if let identity = file.digest?.identity, !identities.insert(identity).inserted { continue }
        guard let contents = try TensorDigest.contents(of: file.item.path) else { continue }
        groups[contents, default: []].append(file)
      }
      found += groups.values.filter { $0.count > 1 }.map { group in
        Duplicates(
          files: group.map(\.item.name).sorted(),
          bytes: group.dropFirst().reduce(0) { $0 + $1.bytes })
      }
    }
    return found.sorted { $0.files[0] < $1.files[0] }
  }
}
