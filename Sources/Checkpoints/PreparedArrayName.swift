/// The name of an array in a file that musubi-tuner prepared: `[varlen_]content[_FxHxW]_dtype`, or `content_mask`.
///
/// Source: musubi-tuner `dataset/cache_io.py`, and `dataset/bucket.py` for how it is read.
package struct PreparedArrayName: Hashable, Sendable {
  /// `latents`, `latents_image`, `t5`
  package let content: String
  /// Of latents: `1x64x64`, frames first where there are any.
  package let size: String?
  /// Stored at its own length, not padded to that of others.
  package let hasVariableLength: Bool

  private static let variable = "varlen_"
  /// What is trained, and what the names of further latents begin with.
  package static let latents = "latents"

  /// Whether an array of that content is latents: those that are trained, or further ones of the item.
  package static func isLatents(_ content: String) -> Bool {
    content == latents || content.hasPrefix(latents + "_")
  }

  /// torch's names of formats; masks have none in their name.
  private static let endings = [
    "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e4m3fn", "float8_e5m2", "bfloat16", "float16",
    "float32", "float64", "uint8", "int8", "int16", "int32", "int64", "bool",
  ].map { "_" + $0 }

  /// nil for a key that is named otherwise.
  package init?(_ key: String) {
    var name = key
    if let ending = Self.endings.first(where: { name.hasSuffix($0) }) {
      name.removeLast(ending.count)
    } else if !name.hasSuffix("_mask") {
      return nil
    }
    hasVariableLength = name.hasPrefix(Self.variable)
    if hasVariableLength { name.removeFirst(Self.variable.count) }
    var size: String?
    if Self.isLatents(name), let cut = name.lastIndex(of: "_") {
      let token = name[name.index(after: cut)...]
      let extents = token.split(separator: "x", omittingEmptySubsequences: false)
      if (2...3).contains(extents.count), extents.allSatisfy({ Int($0) != nil }) {
        size = String(token)
        name = String(name[..<cut])
      }
    }
    self.size = size
    content = name
  }
}
