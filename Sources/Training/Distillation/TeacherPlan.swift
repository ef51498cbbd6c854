package import Checkpoints
import ModelFamilies
import Pipelines
import Safetensors
import Sampling
import SystemPackage
import Tensors

/// A model that an adapter learns from, before a weight of it is read: whatever is wrong with it is found here.
///
/// The adapter is trained so that base and adapter predict what this model predicts of the same noisy latents (Hinton et
/// al. 2015, arXiv:1503.02531, of models of which the small one is the other with an adapter).
package struct TeacherPlan {
  package let model: BaseModel
  let settings: ModelSettings
  let outline: PipelineOutline
  /// What is in memory once, for it and the base.
  let equal: EqualModules
  /// Modules of its denoiser, and those of them that are held once.
  package let moduleCount, sharedCount: Int
  /// Bytes of those that are not.
  package let bytes: Int
  /// What its denoiser predicts, noise where nothing is said.
  let prediction: Prediction

  /// - Parameters:
  ///   - given: with what the checkpoint's family and the checkpoint say.
  ///   - outline: of the base.
  /// - Throws: `TrainingError.otherTeacher`, `SettingError` for what cannot be done with one, `ModelLoadingError`, and
  ///   what opening throws.
  init(
    _ teacher: TeacherSettings, _ given: TrainingConfiguration, _ outline: PipelineOutline,
    of base: BaseModel, among pipelines: [any ModelPipeline.Type]
  ) throws {
    try Self.check(given, outline)
    let (model, pipeline) = try ModelPipelines.open(
      teacher.model, as: given.model.family, supposed: given.model.supposed,
      parts: given.model.componentFiles, mayLackParts: true, among: pipelines)
    let family = base.layout.family
    func refuse(_ expected: String, _ found: String) -> TrainingError {
      .otherTeacher(teacher.model, base: base.file.path, expected: expected, found: found)
    }
    guard model.layout.family == family else {
      throw refuse("a checkpoint of \(family.title)", "one of \(model.layout.family.title)")
    }
    try Self.checkShapes(of: model, base, refuse)
    var settings = given.model
    settings.base = teacher.model
    // Both are what they are in their files, but for what is merged into the base.
    settings.merged = []
    let hasText = model.layout.modules.contains { $0.role == .text }
    if !hasText { settings.textIsKept = true }
    self.model = model
    self.outline = try pipeline.outline(of: model, settings)
    self.settings = settings
    prediction = self.outline.prediction ?? outline.prediction ?? given.prediction(of: outline)
    let own = given.prediction(of: outline)
    guard prediction == own else { throw refuse(own.title, prediction.title) }
    equal = try EqualModules(of: base, given.model, and: model)
    if given.textCaching == .disk, !equal.areTextsEqual {
      throw SettingError.combination(
        "'--teacher': \(teacher.model) has another text encoder than \(base.file.path), and what "
          + "'--cache_text_encoder_outputs_to_disk' keeps is of one: remove it")
    }
    let modules = base.layout.modules.filter { $0.role == .denoiser }
    let equal = equal
    moduleCount = modules.count
    sharedCount = modules.count(where: equal.contains)
    bytes = modules.reduce(0) { $0 + (equal.contains($1) ? 0 : settings.bytes(of: $1)) }
  }

  /// Refuses what would need more than one other model in memory.
  private static func check(
    _ given: TrainingConfiguration, _ outline: PipelineOutline
  ) throws(SettingError) {
    if given.model.streamedBlocks > 2, !outline.blocks.isEmpty {
      throw .combination(
        "'--blocks_to_swap': blocks of two models cannot be read in turn; with '--teacher' remove it, "
          + "'--base_weights_dtype int8' and '--gradient_checkpointing' save memory too")
    }
    if outline.highNoise != nil {
      throw .combination(
        "'--dit_high_noise': with '--teacher' train '--dit' and '--dit_high_noise' in runs of their own, each with its "
          + "teacher")
    }
  }

  /// That it has the layers of the base's denoiser, and no others.
  private static func checkShapes(
    of model: BaseModel, _ base: BaseModel, _ refuse: (String, String) -> TrainingError
  ) throws {
    func shapes(_ model: BaseModel) -> [String: Shape] {
      Dictionary(
        model.layout.modules.lazy.filter { $0.role == .denoiser }.map { ($0.path, $0.shape) },
        uniquingKeysWith: { $1 })
    }
    let (own, others) = (shapes(base), shapes(model))
    for (path, shape) in own.sorted(by: { $0.key < $1.key }) {
      guard others[path] != shape else { continue }
      throw refuse(
        "layer '\(path)' of shape \(shape)", others[path].map { "\($0)" } ?? "no such layer")
    }
    if let path = others.keys.filter({ own[$0] == nil }).min() {
      throw refuse("no layer '\(path)'", "one")
    }
  }
}

extension TrainingConfiguration {
  /// What is trained to be predicted.
  func prediction(of outline: PipelineOutline) -> Prediction {
    if case .flow = outline.prediction { return outline.prediction ?? .noise }
    return loss.predictsVelocity ? .velocity : .noise
  }
}

extension Prediction {
  /// For messages.
  fileprivate var title: String {
    switch self {
    case .noise: "a model that predicts noise"
    case .velocity: "a model that predicts v"
    case .flow: "a model that predicts a flow"
    }
  }
}
