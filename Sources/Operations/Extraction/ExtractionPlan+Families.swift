package import Checkpoints
import ModelFamilies
import Safetensors
package import SystemPackage

extension ExtractionPlan {
  /// Why a pair does not fit, where that is because the two are different models; nil otherwise.
  ///
  /// Asked after a failure alone: a fine-tune may have lost what tells its family, or be named for another
  /// one as FramePack is for HunyuanVideo.
  package static func otherModel(_ tuned: FilePath, than base: BaseModel) -> OperationError? {
    let expected = base.layout.family
    guard expected != .generic, let other = try? BaseModel(opening: tuned) else { return nil }
    let found = other.layout.family
    guard found != .generic, found != expected else { return nil }
    return .otherModel(tuned, found, of: "a checkpoint of", than: base.file.path, expected)
  }
}
