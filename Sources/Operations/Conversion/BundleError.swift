package import SystemPackage

/// Why embeddings cannot be packed or unpacked.
package enum BundleError: Error {
  case notAnEmbedding(FilePath, keys: [String])
  case name(FilePath)
  case clash(String, first: FilePath, second: FilePath)
  case empty(FilePath)
}

extension BundleError: CustomStringConvertible {
  package var description: String {
    switch self {
    case .notAnEmbedding(let file, let keys):
      "\(file): expected an embedding with vectors 'emb_params', 'string_to_param.*', 'clip_l' or "
        + "'clip_g', found: \(keys.joined(separator: ", "))"
    case .name(let file):
      "\(file): expected a name without dots for an embedding in a bundle, where loaders take it up "
        + "to the first dot; rename the file"
    case .clash(let key, let first, let second):
      "\(second): tensor '\(key)' is in \(first) already, with other numbers; rename one embedding"
    case .empty(let file): "\(file): '--unbundle': expected tensors 'bundle_emb.…', found none"
    }
  }
}
