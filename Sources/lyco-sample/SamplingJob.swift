import Checkpoints
import CommandSupport
import Images
import Pipelines
import Safetensors
import Sampling
import SystemPackage

/// Draws the pictures of a plan and writes each as soon as it is whole.
final class SamplingJob {
  private let plan: SamplingPlan
  private let files: PictureFiles
  private let line: SamplingProgressLine
  private let emphasis: String
  private var grid: PictureGrid?
  /// Of every variant.
  private let adapters: [[PictureParameters.Adapter]]
  private(set) var report: SamplingReport
  private let started = ContinuousClock.now

  /// - Parameter emphasis: how weights in prompts are read.
  /// - Throws: what reading adapters throws.
  init(
    _ plan: SamplingPlan, _ files: PictureFiles, _ line: SamplingProgressLine, emphasis: String
  ) throws {
    self.plan = plan
    self.files = files
    self.line = line
    self.emphasis = emphasis
    adapters = try plan.variants.map { try $0.adapters.map { try PictureParameters.Adapter($0) } }
    grid = files.grid == nil ? nil : plan.emptyGrid
    report = SamplingReport(seed: plan.seed)
  }

  /// - Throws: `Interruption` where Ctrl-C came when some pictures were written, and what drawing and writing throw.
  func run() throws {
    var observer = PictureObserver()
    observer.begin = { [line] in line.begin($0) }
    observer.stepped = { [line] in line.stepped($0) }
    observer.drawn = { [self] in try finish($0) }
    observer.preview = { [files] in try files.writePreview(RasterImage($0.pixels)) }
    defer { line.finish() }
    do {
      try plan.draw(observer)
      files.removePreview()
      if let grid, let path = files.grid {
        try files.write(grid.drawn(), to: path)
        report.grid = path.string
      }
    } catch is CancellationError where !files.written.isEmpty {
      let count = files.pictures.count + (files.grid == nil ? 0 : 1)
      throw Interruption(written: files.written, of: count)
    }
    report.seconds = (ContinuousClock.now - started) / .seconds(1)
  }

  private func finish(_ picture: PictureObserver.Picture) throws {
    let request = plan.pictures[picture.index]
    let image = RasterImage(picture.pixels)
    if grid != nil {
      let place = plan.place(of: picture)
      grid?[row: place.row, column: place.column] = image
    }
    var path: FilePath?
    if !files.pictures.isEmpty {
      let number = picture.variant * plan.pictures.count + picture.index
      path = files.pictures[number]
      try files.write(image, to: files.pictures[number], parameters(request, picture.variant).text)
    }
    let row = SamplingReport.Picture(request, path, variant: plan.variants[picture.variant].label)
    report.pictures.append(row)
    if let path { line.written(path, seed: request.seed) }
  }

  private func parameters(_ request: PictureRequest, _ variant: Int) -> PictureParameters {
    let model = plan.configuration.model
    return PictureParameters(
      request, model: plan.base.file.path.stem ?? "", vae: model.vae?.stem,
      clipSkip: plan.outline.skippableTextLayers == nil ? nil : model.clipSkip,
      emphasis: emphasis == "original" ? nil : emphasis == "none" ? "None" : "No norm",
      adapters: adapters[variant], version: Suite.release)
  }
}
