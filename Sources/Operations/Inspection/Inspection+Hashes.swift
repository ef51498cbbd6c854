import Checkpoints
import OrderedCollections
import Safetensors
import Tensors

extension Inspection {
  /// Recomputes the hashes that the metadata claim.
  ///
  /// kohya's `sshs_model_hash` is the SHA-256 of the data in the reference writer's order; that of the
  /// data as it stands is accepted too, since readers compute it so. LyCORIS writes a hash of its
  /// own, `0x` and the SHA-256 of the tensors in the order in which the trainer held them: a file
  /// does not keep that order, so a difference there proves nothing.
  func checkHashes(_ check: inout InspectionReport.Check) {
    let claimed = file.metadata["sshs_model_hash"]
    let claimedLegacy = file.metadata["sshs_legacy_hash"]
    guard claimed != nil || claimedLegacy != nil else { return }
    let hashes = ModelHash(of: file.tensors.values, metadata: file.metadata)
    if let claimed {
      let isLycoris = claimed.hasPrefix("0x")
      let digits = isLycoris ? String(claimed.dropFirst(2)) : claimed
      if digits == hashes.model || digits == dataHash() {
        check.notes.append("sshs_model_hash is that of the data")
      } else if isLycoris {
        check.notes.append(
          "sshs_model_hash is of LyCORIS' kind and depends on an order of tensors that the file "
            + "does not keep: not checked")
      } else {
        check.find(["sshs_model_hash: expected \(hashes.model), found \(claimed)"], .hash)
      }
    }
    if let claimedLegacy {
      if claimedLegacy == hashes.legacy {
        check.notes.append("sshs_legacy_hash is that of the data")
      } else {
        check.find(
          ["sshs_legacy_hash: expected \(hashes.legacy), found \(claimedLegacy)"], .hash)
      }
    }
  }

  /// SHA-256 of the data in the order of the file.
  private func dataHash() -> String {
    let hash = SHA256()
    for view in file.tensors.values { view.forEachPart { hash.update($0) } }
    return hash.finish()
  }
}
