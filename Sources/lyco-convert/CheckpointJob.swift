import Checkpoints
import CommandSupport
import ModelFamilies
import Operations
import Safetensors
import SystemPackage

/// Checkpoints converted or added up, as the command line asks.
struct CheckpointJob {
  let settings: CheckpointConversionSettings
  let family: ModelFamily?
  let job: JobOptions

  /// Makes one checkpoint of the inputs.
  func run(_ inputs: [TensorFile], writing output: FilePath) async throws {
    let sources = try inputs.map { try BaseModel($0, as: family) }
    let plan = try CheckpointConversionPlan(sources, settings: settings)
    let summary = CheckpointSummary(asJSON: job.asJSON, isQuiet: job.quiet)
    if job.isDryRun { return summary.print(plan) }
    summary.note(plan, settings.arithmetic)
    let progress = job.quiet ? ProgressLine(isVisible: false) : ProgressLine()
    defer { progress.finish() }
    let conversion = CheckpointConversion(plan, settings: settings)
    try job.protect(inputs, from: conversion.paths(writing: output))
    let report = try await conversion.run(
      writing: output, metadata: plan.metadata(settings), progress: progress.reporter)
    progress.finish()
    summary.print(report, settings.storage, output: output)
  }
}
