package import Checkpoints
package import ModelFamilies
import Safetensors
package import SystemPackage

/// The pipelines that there are.
package enum ModelPipelines {
  /// A checkpoint with the pipeline that is for it, also where its widths are those of no known model.
  /// - Parameters:
  ///   - family: nil to recognize it.
  ///   - supposed: what it is read as where it is not recognized.
  ///   - parts: files of parts that have their own, by the options that name them.
  ///   - mayLackParts: whether such a file need not be there: the checkpoint then has no such part.
  /// - Throws: `ModelLoadingError.unsupportedFamily`, `.unknownStructure`, `.foreignPart`, `.otherPart`,
  ///   `CheckpointError.quantized`, and what opening throws.
  package static func open(
    _ path: FilePath, as family: ModelFamily?, supposed: [SupposedFamily] = [],
    parts: [String: FilePath] = [:], mayLackParts: Bool = false,
    among pipelines: [any ModelPipeline.Type] = all
  ) throws -> (base: BaseModel, pipeline: any ModelPipeline.Type) {
    let (base, pipeline) = try opened(path, as: family, supposed: supposed, among: pipelines)
    let whole = try base.joined(with: parts, mayLack: mayLackParts)
    try whole.requireReadable()
    return (whole, pipeline)
  }

  private static func opened(
    _ path: FilePath, as family: ModelFamily?, supposed: [SupposedFamily],
    among pipelines: [any ModelPipeline.Type]
  ) throws -> (base: BaseModel, pipeline: any ModelPipeline.Type) {
    let file = try TensorFile(opening: path)
    var base = try BaseModel(file, as: family)
    if family == nil, base.layout.family == .generic,
      let only = supposed.first(where: { $0.families.count == 1 })
    {
      base = try BaseModel(file, as: only.families[0])
    }
    try base.requireReadable()
    let found = base.layout.family
    let known = pipelines.first { $0.families.contains(found.name) }
    // A tiny model may bear the sign of a family that shares a part with its own.
    if let known, family != nil || known.fits(base) { return (base, known) }
    let titles = pipelines.flatMap { $0.families }.compactMap { ModelFamily.named($0)?.title }
    guard found == .generic || known != nil else {
      throw ModelLoadingError.unsupportedFamily(path, found, supported: titles)
    }
    for pipeline in pipelines {
      for family in pipeline.families.compactMap({ ModelFamily.named($0) }) {
        guard let reading = try? BaseModel(file, as: family), pipeline.fits(reading) else {
          continue
        }
        return (reading, pipeline)
      }
    }
    if let known { return (base, known) }
    throw ModelLoadingError.unknownStructure(path, supported: titles)
  }
}
