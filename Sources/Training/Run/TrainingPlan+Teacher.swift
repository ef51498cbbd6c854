import Checkpoints
import ModelFamilies
import Pipelines
import Sampling
import SystemPackage

extension TrainingPlan {
  /// - Throws: as `TeacherPlan.init`
  static func teacher(
    _ configuration: TrainingConfiguration, _ outline: PipelineOutline, of base: BaseModel,
    among pipelines: [any ModelPipeline.Type]
  ) throws -> TeacherPlan? {
    try configuration.teacher.map {
      try TeacherPlan($0, configuration, outline, of: base, among: pipelines)
    }
  }

  /// Whether captions are encoded anew for what is learned from: it reads them otherwise than the base does, or than the
  /// base is trained to.
  var teacherHasOwnCaptions: Bool {
    guard let teacher, outline.prepared == nil, textCache == nil else { return false }
    return !teacher.equal.areTextsEqual || network.textEncoderCount > 0
  }

  /// What the teacher is asked to draw.
  /// - Throws: `PromptError`, `SamplingError`, `TrainingError.undrawnFamily`, `SettingError`
  static func drawnRequests(
    _ teacher: TeacherSettings, _ configuration: TrainingConfiguration,
    _ outline: PipelineOutline, of base: BaseModel, _ pipeline: any ModelPipeline.Type,
    seed: UInt64, _ notices: inout [String]
  ) throws -> [PictureRequest] {
    let file = try teacher.prompts.map { try PromptFile(reading: $0) }
    notices += file?.notices ?? []
    var drawing = SamplingConfiguration(
      model: configuration.model, prompts: file?.prompts ?? [SamplePrompt("", at: "'--teacher'")])
    drawing.width = configuration.images.values.resolution?.width
    drawing.height = configuration.images.values.resolution?.height
    var count = 0
    return try DrawnPictures(
      drawing, outline, of: base, pipeline, seed: seed, option: "--teacher"
    ).requests(&notices) { _ in
      defer { count += 1 }
      return count < teacher.pictureCount
    }
  }
}

extension TrainingConfiguration {
  /// Whether nothing says what is trained on.
  var isWithoutData: Bool {
    images.trainFolder == nil && images.metadataFile == nil && images.configuration == nil
  }
}
