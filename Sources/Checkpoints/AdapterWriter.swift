import Machine
package import Safetensors
package import SystemPackage

/// Writes adapters: tensors from files or memory, with the hashes of what is written.
package enum AdapterWriter {
  private static let (modelKey, legacyKey) = ("sshs_model_hash", "sshs_legacy_hash")

  /// Bytes of the file that `write` would write, before any compression.
  package static func byteCount(of tensors: [TensorView], metadata: [String: String]?) -> Int {
    let order = tensors.map(\.info).sorted(by: TensorInfo.precedes)
    return HeaderEncoding(ofFile: order, metadata: metadata.map(announced) ?? [:]).bytes.count
      + order.reduce(0) { $0 + $1.byteCount }
  }

  private static func entries(
    _ metadata: [String: String], model: String, legacy: String
  ) -> [String: String] {
    metadata.merging([modelKey: model, legacyKey: legacy]) { $1 }
  }

  /// With hashes that are not known yet: hexadecimal digits of a SHA-256, and the eight of the short one.
  private static func announced(_ metadata: [String: String]) -> [String: String] {
    entries(
      metadata, model: String(repeating: "0", count: 64), legacy: String(repeating: "0", count: 8))
  }

  /// - Parameters:
  ///   - tensors: under the names they are to have, in any order.
  ///   - metadata: to which `sshs_model_hash` and `sshs_legacy_hash` are added; nil for none at all.
  /// - Throws: `SafetensorsError`
  package static func write(
    _ tensors: [TensorView], metadata: [String: String]?, to path: FilePath
  ) throws(SafetensorsError) {
    var set = OutputSet()
    try add(tensors, metadata: metadata, at: path, to: &set)
    try set.commit()
  }

  /// The same for a file that appears with others.
  package static func add(
    _ tensors: [TensorView], metadata: [String: String]?, at path: FilePath,
    to set: inout OutputSet
  ) throws(SafetensorsError) {
    let hash = { @Sendable (metadata: [String: String]) in
      let hash = ModelHash(of: tensors, metadata: metadata)
      return entries(metadata, model: hash.model, legacy: hash.legacy)
    }
    // The beginning of what is compressed cannot be changed.
    let isFinal = path.isCompressed
    var writer = try SafetensorsWriter.create(
      path, announcing: tensors.map(\.info),
      metadata: metadata.map(isFinal ? hash : announced) ?? [:])
    // Both take a pass over all bytes, the hash the longer one. Where writing fails, it comes to its end alone.
    let hashed = isFinal ? nil : metadata.map { metadata in Later { hash(metadata) } }
    let views = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
    for info in writer.order {
      guard let view = views[info.name] else { continue }
      try writer.append(info.name, view.bytes)
    }
    try writer.seal(into: &set, metadata: hashed?.value)
  }
}
