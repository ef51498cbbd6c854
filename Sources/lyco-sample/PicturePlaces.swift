import ArgumentParser
import Checkpoints
import Machine
import Pipelines
import Safetensors
import Sampling
import SystemPackage

/// Where pictures are to go: places of their own, where nothing is that should stay.
struct PicturePlaces {
  /// Of every picture, variant by variant; none where they stand in a grid alone.
  let pictures: [FilePath]
  let grid: FilePath?
  let preview: FilePath?

  /// - Parameter prompts: the file that they were read from.
  /// - Throws: `ValidationError`
  init(_ options: PictureOutputOptions, of plan: SamplingPlan, prompts: String?) throws {
    let count = plan.variants.count * plan.pictures.count
    pictures = options.path.map { Self.paths($0, count) } ?? []
    grid = options.grid.map { FilePath(named: $0) }
    let main = pictures + [grid].compactMap(\.self)
    preview = options.preview == nil ? nil : main.first.map(Self.preview)
    let all = main + [preview].compactMap(\.self)
    if let path = OutputPlace.repeated(in: all) {
      throw ValidationError(
        "\(path): expected a place of its own for every output, found one that two are written to")
    }
    try Self.protect(plan, prompts, from: all)
    let isNumbered = options.path.map { pictures != [FilePath(named: $0)] } ?? false
    let former = (isNumbered ? pictures : []) + [preview].compactMap(\.self)
    if !options.overwrites, let there = former.first(where: { InputFile.kind(of: $0) != nil }) {
      throw ValidationError("\(there): it is there already; '--overwrite' replaces it")
    }
  }

  /// A picture in the place of what it is drawn with is nobody's wish.
  private static func protect(
    _ plan: SamplingPlan, _ prompts: String?, from outputs: [FilePath]
  ) throws {
    let adapters = plan.variants.flatMap(\.adapters).map(\.path)
    let others =
      adapters
      + [plan.configuration.model.vae].compactMap(\.self)
      + plan.configuration.model.componentFiles.values
    let files = [plan.base.file] + others.compactMap { try? TensorFile(opening: $0) }
    for file in files {
      if let output = file.source(replacedBy: outputs) { throw taken(output, by: file.path) }
    }
    let texts = [prompts.map { FilePath(named: $0) }, plan.configuration.model.tokenizer]
    for path in texts.compactMap(\.self) {
      guard let own = FileIdentity(path) else { continue }
      if let output = outputs.first(where: { FileIdentity($0) == own }) {
        throw taken(output, by: path)
      }
    }
  }

  private static func taken(_ output: FilePath, by input: FilePath) -> ValidationError {
    ValidationError(
      "\(output): expected an output that is no input, found one that takes the place of \(input); "
        + "give it another name")
  }

  /// `out.png`, or `out-000.png`, `out-001.png` and so on, in a folder `sample-000.png`.
  private static func paths(_ output: String, _ count: Int) -> [FilePath] {
    let path = FilePath(named: output)
    let isFolder = !PictureOutputOptions.isPNG(output)
    guard isFolder || count > 1 else { return [path] }
    let folder = isFolder ? path : path.removingLastComponent()
    let stem = isFolder ? "sample" : path.stem ?? "sample"
    let width = max(String(count - 1).count, 3)
    return (0..<count).map { number in
      let digits = String(number)
      let padded = String(repeating: "0", count: width - digits.count) + digits
      return folder.appending(named: "\(stem)-\(padded).png")
    }
  }

  private static func preview(beside path: FilePath) -> FilePath {
    path.removingLastComponent().appending(named: "\(path.stem ?? "sample")-preview.png")
  }
}
