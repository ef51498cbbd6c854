package import Safetensors
import Tensors

/// The two hashes that kohya's scripts and the webui know an adapter by.
package struct ModelHash: Equatable, Sendable {
  /// `sshs_model_hash`: SHA-256 of everything after the header, in the order of the reference
  /// writer; metadata does not enter. Source: sd-scripts `library/train_util.py`,
  /// `addnet_hash_safetensors`.
  package let model: String
  /// `sshs_legacy_hash`: the first 8 digits of the SHA-256 of bytes 0x100000 to 0x110000 of a file
  /// whose metadata are the `ss_` keys alone; that of nothing for a smaller file. Source: the
  /// same, `addnet_hash_legacy`.
  package let legacy: String

  /// - Parameter tensors: under the names they have in the file, in any order.
  package init(of tensors: some Collection<TensorView>, metadata: [String: String]) {
    let training = metadata.filter { $0.key.hasPrefix("ss_") }
    let order = tensors.sorted { TensorInfo.precedes($0.info, $1.info) }
    let header = HeaderEncoding(order.map(\.info), metadata: training, writesEmpty: true).bytes
    let legacyRange = 0x100000..<0x110000
    let model = SHA256()
    let legacy = SHA256()
    var offset = header.count
    if offset > legacyRange.lowerBound {
      let end = min(offset, legacyRange.upperBound)
      legacy.update(unsafe header.span.bytes.extracting(legacyRange.lowerBound..<end))
    }
    for view in order {
      model.update(view.bytes)
      let covered = legacyRange.clamped(to: offset..<offset + view.byteCount)
      if !covered.isEmpty {
        let range = covered.lowerBound - offset..<covered.upperBound - offset
        legacy.update(view.bytes.extracting(range))
      }
      offset += view.byteCount
    }
    self.model = model.finish()
    self.legacy = String(legacy.finish().prefix(8))
  }
}
