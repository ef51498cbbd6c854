import Checkpoints
import ModelFamilies
import Pipelines
import Safetensors
import SystemPackage

/// Captions that are kept in files, and what is needed to make such files.
extension TrainingPlan {
  /// nil where they are not kept.
  /// - Throws: what the pipeline throws.
  static func textCache(
    of images: TrainingSet, _ configuration: TrainingConfiguration, for base: BaseModel,
    _ pipeline: any ModelPipeline.Type
  ) throws -> TextCache? {
    guard configuration.textCaching == .disk,
      var layout = try pipeline.textLayout(of: base, configuration.model)
    else { return nil }
    // The encoders that are there make only a part of what captions are.
    if !configuration.model.absentFiles.isEmpty { layout.identity = nil }
    return TextCache(of: images, layout, trustsDisk: configuration.cache.isTrusted)
  }

  /// What is still to be made, and whether there is what makes it.
  /// - Parameter notices: what the user should know of files that are damaged, of encoders that are not there, and of
  ///   those that are.
  /// - Throws: `DatasetError`, `ModelLoadingError` for what is needed and is not there.
  static func missingText(
    in cache: TextCache?, _ configuration: TrainingConfiguration, _ outline: PipelineOutline,
    of base: BaseModel,
    _ pipeline: any ModelPipeline.Type, _ notices: inout [String]
  ) throws -> [TextCache.Missing] {
    guard let cache else { return [] }
    let absent = configuration.model.absentFiles.sorted { $0.key < $1.key }
    var damage: [String] = []
    defer { notices += damage }
    let missing: [TextCache.Missing]
    do throws(DatasetError) {
      missing = try cache.missing { damage.append($0) }
    } catch {
      guard case .noTextEncoder(_, let count, let total) = error else { throw error }
      if let first = absent.first {
        throw ModelLoadingError.absentPart(
          first.value, option: first.key,
          use: "for \(count) of \(total) captions, which are not kept in files")
      }
      // Encoders that are there without a tokenizer: the outline says so where it asks for them.
      if base.layout.family.textEncoders.contains(where: CheckpointParameters(base).has) {
        _ = try pipeline.outline(of: base, configuration.model)
      }
      throw error
    }
    notices += absent.map {
      "'--\($0.key)': \($0.value) is not there, and not needed: what text encoders make of captions is kept"
    }
    // What the outline did not ask for: encoders that can make what is missing.
    if !missing.isEmpty {
      notices += try pipeline.outline(of: base, configuration.model).notices.filter {
        !outline.notices.contains($0)
      }
    }
    return missing
  }
}
