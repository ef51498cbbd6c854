import OrderedCollections
import Safetensors
import SystemPackage

extension Catalogue {
  static let comparison =
    "names, formats, shapes and bytes of all tensors, whatever their order; metadata are not compared, compressed files "
    + "and several names of one file neither"

  struct Candidate: Sendable {
    let item: CatalogueScan.Item
    let bytes: Int
    let digest: TensorDigest
  }

  /// Files whose tensors are the same, byte by byte. Whole files are read only where names, formats, shapes and samples
  /// are the same.
  /// - Throws: `CancellationError`
  static func duplicates(
    among candidates: [Candidate], progress: ProgressReporter
  ) throws -> [Duplicates] {
    let alike = Dictionary(grouping: candidates, by: \.digest.layout).values
      .filter { $0.count > 1 }
      .flatMap { Dictionary(grouping: $0, by: \.digest.sample).values.filter { $0.count > 1 } }
    let total = alike.joined().reduce(0) { $0 + $1.bytes }
    var completed = 0
    var found: [Duplicates] = []
    for files in alike.sorted(by: { $0[0].item.name < $1[0].item.name }) {
      // The first of each kind, and those that are the same as it.
      var groups: [[Candidate]] = []
      for file in files {
        try Task.checkCancellation()
        completed += file.bytes
        progress.report(
          Progress(activity: "comparing", completed: completed, total: total, isBytes: true))
        if groups.joined().contains(where: {
          $0.digest.identity != nil && $0.digest.identity == file.digest.identity
        }) {
          continue
        }
        if let index = groups.firstIndex(where: { hasSameTensors($0[0].item.path, file.item.path) })
        {
          groups[index].append(file)
        } else {
          groups.append([file])
        }
      }
      found += groups.filter { $0.count > 1 }.map { group in
        Duplicates(
          files: group.map(\.item.name).sorted(),
          bytes: group.dropFirst().reduce(0) { $0 + $1.bytes })
      }
    }
    return found.sorted { $0.files[0] < $1.files[0] }
  }

  private static func hasSameTensors(_ first: FilePath, _ second: FilePath) -> Bool {
    guard let a = try? TensorFile(opening: first, reading: .headers),
      let b = try? TensorFile(opening: second, reading: .headers)
    else { return false }
    return a.tensors.allSatisfy { name, view in
      guard let other = b.tensors[name] else { return false }
      return view.dtype == other.dtype && view.shape == other.shape
        && view.hasEqualBytes(as: other)
    }
  }
}
