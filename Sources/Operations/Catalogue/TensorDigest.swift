import Checkpoints
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

/// What tells the tensors of two files apart without reading them: names, formats and shapes, then some bytes of the
/// largest ones. Files that are alike in all of it are compared whole.
struct TensorDigest: Sendable {
  /// Of names, formats and shapes, in any order.
  struct Layout: Hashable, Sendable {
    let tensors: Int
    let bytes: Int
    private let sum: Int

    init(_ views: some Collection<TensorView>) {
      tensors = views.count
      bytes = views.reduce(0) { $0 + $1.byteCount }
      sum = views.reduce(0) { sum, view in
        var hasher = Hasher()
        hasher.combine(view.name)
        hasher.combine(view.dtype)
        hasher.combine(view.shape)
        return sum &+ hasher.finalize()
      }
    }
  }

  /// Tensors that are looked into, and bytes of each.
  private static let (sampled, length) = (16, 128)

  let layout: Layout
  let identity: FileIdentity?
  private let samples: [TensorView]

  /// nil where the data cannot be looked at as it lies: in compressed files.
  init?(_ file: TensorFile, _ layout: Layout) {
    guard file.tensors.values.allSatisfy(\.hasData) else { return nil }
    self.layout = layout
    identity = FileIdentity(file.path)
    let least = file.tensors.values.map(\.byteCount).sorted(by: >).prefix(Self.sampled).last ?? 0
    samples = Array(
      file.tensors.values.filter { $0.byteCount >= least }.sorted {
        ($1.byteCount, $0.name) < ($0.byteCount, $1.name)
      }.prefix(Self.sampled))
  }

  /// From the beginning and the middle of the largest tensors, which training changes.
  /// - Complexity: reads two pages of each
  var sample: [UInt8] {
    samples.flatMap { view in
      let length = min(Self.length, view.byteCount)
      return [0, (view.byteCount - length) / 2].flatMap { start in
        let part = view.bytes.extracting(start..<start + length)
        return part.byteOffsets.map { unsafe part.unsafeLoad(fromByteOffset: $0, as: UInt8.self) }
      }
    }
  }

  /// Of all data, tensor by tensor in the order of their names; nil where the file cannot be read any more.
  /// - Throws: `CancellationError`
  /// - Complexity: reads the whole file
  static func contents(of path: FilePath) throws -> String? {
    guard let file = try? TensorFile(opening: path, reading: .headers) else { return nil }
    let hash = SHA256()
    for view in file.tensors.values.sorted(by: { $0.name < $1.name }) {
      try Task.checkCancellation()
      view.forEachPart { hash.update($0) }
    }
    return hash.finish()
  }
}
